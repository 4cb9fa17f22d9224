"""Ctrl-C and SIGTERM as an end in order: what is under way is dropped at once, and what is done can still be told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NO_HANDLERS = (NotImplementedError, RuntimeError, ValueError)
"""What asyncio raises for signal handlers on Windows, and outside the main thread."""


def run(work: Coroutine[Any, Any, None], told: Callable[[], None]) -> bool:
    """Runs the coroutine; whether it ended by itself. At a signal, `told` is called and the coroutine cancelled.

    A second signal ends the program as it would without this.
    """
    stop = _Stop(told)
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    try:
        asyncio.run(stop.guarded(work))
    except KeyboardInterrupt:
        if stop.is_asked_for:
            raise
        stop.is_asked_for = True
        told()
    finally:
        with suppress(ValueError):
            for one, handler in before.items():
                signal.signal(one, handler)
    return not stop.is_asked_for


class _Stop:
    """What a signal does while the coroutine runs."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._task: asyncio.Task[Any] | None = None
        self.is_asked_for = False

    async def guarded(self, work: Coroutine[Any, Any, None]) -> None:
        loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        with suppress(*_NO_HANDLERS):  # there, Ctrl-C raises KeyboardInterrupt
            for one in _SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:  # nohup and the like want it so
                    loop.add_signal_handler(one, self._ask)
        try:
            await work
        except asyncio.CancelledError:
            if not self.is_asked_for:
                raise
        finally:
            self._forget()

    def _ask(self) -> None:
        self.is_asked_for = True
        self._forget()
        if self._task is not None:
            self._task.cancel()
        self._told()

    @staticmethod
    def _forget() -> None:
        with suppress(*_NO_HANDLERS):
            for one in _SIGNALS:
                asyncio.get_running_loop().remove_signal_handler(one)


@contextmanager
def terminable() -> Iterator[None]:
    """Within it, SIGTERM raises KeyboardInterrupt as Ctrl-C does."""
    try:
        before = signal.signal(signal.SIGTERM, _raise)
    except ValueError:  # not in the main thread: whoever has that has its signals, too
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is given
    raise KeyboardInterrupt
