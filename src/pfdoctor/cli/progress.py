"""A progress bar on stderr, for runs that take long enough to wonder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_T = TypeVar("_T")

_CASES, _SECONDS = 50, 1.0


class Bar:
    """Called with (done, total); draws nothing until the run is known to be large or has become long."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._began = time.monotonic()
        self._drawn: tuple[Progress, TaskID] | None = None

    def over(self, elements: Iterable[_T], total: int) -> Iterator[_T]:
        """The elements, each counted when it has come; `total` is at least how many there will be."""
        for done, element in enumerate(elements, start=1):
            self(done, max(done, total))
            yield element

    def __call__(self, done: int, total: int) -> None:
        if not self._wanted:
            return
        if self._drawn is None:
            if total <= _CASES and time.monotonic() - self._began < _SECONDS:
                return
            self._drawn = _start()
        progress, task = self._drawn
        progress.update(task, completed=done, total=total)

    def close(self) -> None:
        """Remove what was drawn."""
        if self._drawn is not None:
            self._drawn[0].stop()


def _start() -> tuple[Progress, TaskID]:
    # imported here: rich is only worth its time where it is seen
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.start()
    return progress, progress.add_task("checking")
