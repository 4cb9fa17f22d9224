"""Runs the rules of an audit beside the reading: in processes of their own, where there are cores for them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import active_children, get_context
from multiprocessing.pool import Pool
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from pfdoctor.cli.output import say
from pfdoctor.report.style import visible

if TYPE_CHECKING:
    from pfdoctor.audit.examined import Examined, Read

Examine = Callable[["Read"], "Examined"]
_MOST = 8
_PATIENCE = 60.0
"""Seconds for what takes some milliseconds, and may stand in a queue."""
_ENDING = 0.5

Prepare = Callable[[], None]

_work: tuple[Examine, Prepare] | None = None
"""What the forked workers inherit."""


class BrokenError(Exception):
    """A bug of ours that was told of on stderr; the text is what the report says of it."""


class Examiner:
    """Called with what was read of an endpoint, gives what it comes to. Raises BrokenError for a bug of ours.

    To be entered before any thread is started, for it forks. `prepare` is run where `examine` will be, early.
    """

    def __init__(self, examine: Examine, prepare: Prepare) -> None:
        self._examine = examine
        self._prepare = prepare
        self._pool: Pool | None = None
        self._is_lost = False
        """Whether a worker was killed with its work, as where memory is short: a pool waits for it for ever."""

    async def __call__(self, read: Read) -> Examined:
        if self._pool is None or self._is_lost:
            return _guarded(self._examine, read)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Examined] = loop.create_future()

        def settle(action: Callable[[Any], None], value: Any) -> None:
            if not answer.done():
                action(value)

        def tell(action: Callable[[Any], None], value: Any) -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any longer
                loop.call_soon_threadsafe(settle, action, value)

        self._pool.apply_async(
            _in_worker,
            (read,),
            callback=lambda result: tell(answer.set_result, result),
            error_callback=lambda error: tell(answer.set_exception, error),
        )
        if not (await asyncio.wait({answer}, timeout=_PATIENCE))[0]:
            self._is_lost = True
            return _guarded(self._examine, read)
        return await answer

    def __enter__(self) -> Examiner:  # noqa: PYI034 - Self needs Python 3.11
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        if sys.platform == "linux" and cores > 1:
            global _work  # noqa: PLW0603 - a fork inherits globals, and nothing else can be handed over without copying
            # it stays: a pool puts a new worker in the place of one that was killed
            _work = (self._examine, self._prepare)
            # one core is left to the reading
            self._pool = get_context("fork").Pool(min(cores - 1, _MOST), _begin, (os.getpid(),))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            ending = threading.Thread(target=self._pool.terminate, daemon=True)
            ending.start()
            ending.join(_ENDING)
            # a worker that was killed while it held the lock of the queue keeps the pool from ending
            for one in active_children() if ending.is_alive() else ():
                one.kill()
            self._pool = None
            global _work  # noqa: PLW0603 - as above
            _work = None


def _leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is given
    """Ends a worker as an exception does, that gives back the lock of the queue: it may have been sent to the group."""
    raise SystemExit


def _begin(parent: int) -> None:
    """A worker leaves Ctrl-C to the parent, and does not outlive it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if _work is not None:
        with suppress(Exception):  # with the first endpoint it comes again, and is told
            _work[1]()


def _in_worker(read: Read) -> Examined:
    if _work is None:
        raise RuntimeError("a worker was started without work")
    return _guarded(_work[0], read)


_told: set[tuple[str, int]] = set()


def _guarded(examine: Examine, read: Read) -> Examined:
    try:
        return examine(read)
    except Exception as error:  # noqa: BLE001 - a bug of ours at one endpoint must not cost the report of the others
        raise BrokenError(broke(read.endpoint.id, error)) from None


def broke(name: str, error: Exception) -> str:
    """Tells of a bug of ours on stderr, once for each, however many endpoints meet it; what the report says of it."""
    if isinstance(error, BrokenError):
        return str(error)
    from pfdoctor.cli.crash import record

    kind, trace = type(error).__name__, error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else (kind, 0)
    if place not in _told:
        _told.add(place)
        say(f"{visible(name)}: internal error ({kind}): this is a bug in pfdoctor; {record(error)}")
    return f"internal error ({kind}): a bug in pfdoctor, told on stderr"
