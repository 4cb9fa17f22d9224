"""The progress bar of an audit: how many endpoints are done, what they came to, and how long the rest will take."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pfdoctor.core.model import Json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_WINDOW = 60.0
_ENOUGH = 5.0


class Estimate:
    """Seconds that the rest will take, at the pace of the last minute; None before there is a pace.

    The pace of the whole run would promise too much: the limits of Azure Resource Manager let its beginning go fast.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def seconds(self, now: float, done: int, total: int) -> float | None:
        """The estimate at a time on any clock, when `done` of `total` are done; to be asked for often."""
        self._marks.append((now, done))
        while now - self._marks[0][0] > _WINDOW:
            self._marks.popleft()
        begun, at_begin = self._marks[0]
        if now - begun < _ENOUGH or done == at_begin:
            return None
        return (total - done) * (now - begun) / (done - at_begin)


class AuditBar:
    """Called with each entry; draws on stderr where that is a terminal.

    The estimate is made anew each time that the bar is drawn: while nothing comes, it grows, and at last goes away.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._drawn: tuple[Progress, TaskID] | None = None
        self._estimate = Estimate()
        self._states: Counter[str] = Counter()
        self._done: tuple[int, int] | None = None
        if wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._drawn = _start(self._told)

    def __call__(self, entry: dict[str, Json], done: int, total: int) -> None:
        self._states[entry["state"]] += 1
        self._done = (done, total)
        if self._drawn is not None:
            progress, task = self._drawn
            progress.update(task, completed=done, total=total)

    def _told(self) -> str:
        if self._done is None:
            return "listing endpoints, reading the first"
        left = self._estimate.seconds(time.monotonic(), *self._done)
        found, unknown = self._states["findings"], self._states["unknown"]
        parts = [f"{found:,} with findings", f"{unknown:,} unknown", *([duration(left)] if left is not None else [])]
        return " · ".join(parts)

    def __enter__(self) -> AuditBar:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar away, so that something else can be told."""
        if self._drawn is not None:
            self._drawn[0].stop()
            self._drawn = None


def duration(seconds: float) -> str:
    """`about 3 min left`: no more exact than it can be."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"


def _start(told: Callable[[], str]) -> tuple[Progress, TaskID]:
    # imported here: rich is only worth its time where it is seen
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Told(ProgressColumn):
        """What is told beside the bar, asked for whenever it is drawn."""

        def render(self, task: Task) -> Text:  # noqa: ARG002 - the interface
            return Text(told())

    columns = (TextColumn("auditing"), BarColumn(bar_width=20), MofNCompleteColumn(), Told())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
    progress.start()
    return progress, progress.add_task("auditing", total=None)
