"""Ctrl-C and SIGTERM as an end in order: what is under way is dropped at once, and what is done can still be told."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO = 0.5
"""Seconds in which a further signal is the same: `timeout` sends its own to the process, and then to its group."""


class Signals:
    """What the two do while this is entered.

    The first one ends the coroutine that `run` runs, or keeps it from beginning; when that is over, the first one ends
    the program. So does a second one at any time.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._asked_at: float | None = None
        self._stop: Callable[[], None] | None = None
        self._is_over = False

    def __enter__(self) -> Signals:  # noqa: PYI034 - Self needs Python 3.11
        with suppress(ValueError):  # not in the main thread: whoever has that has its signals, too
            for one in _SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:  # nohup and the like want it so
                    self._before[one] = signal.signal(one, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def run(self, work: Coroutine[Any, Any, None], told: Callable[[], None]) -> bool:
        """Runs the coroutine; whether it ended by itself. At a signal, `told` is called and the coroutine cancelled."""
        try:
            if self._asked_at is None:
                asyncio.run(self._guarded(work, told))
            else:
                work.close()
                told()
        finally:
            self._is_over = True
        return self._asked_at is None

    async def _guarded(self, work: Coroutine[Any, Any, None], told: Callable[[], None]) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if task is not None:
                task.cancel()
            told()

        def stop_soon() -> None:
            loop.call_soon_threadsafe(stop)

        self._stop = stop_soon
        try:
            if self._asked_at is not None:  # in the moment before
                stop()
            await work
        except asyncio.CancelledError:
            if self._asked_at is None:
                raise
        finally:
            self._stop = None

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is given
        now = time.monotonic()
        if self._asked_at is None and not self._is_over:
            self._asked_at = now
            if self._stop is not None:
                self._stop()
        elif self._asked_at is None:
            raise KeyboardInterrupt
        elif now - self._asked_at > _ECHO:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
