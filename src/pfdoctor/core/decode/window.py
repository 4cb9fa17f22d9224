"""The part of a text that is being read, and which line of the source a place in it is."""

from __future__ import annotations

from collections.abc import Callable

from pfdoctor.core.decode.lines import time_of

_BACK = 60
"""Lines above one without a time in which to look for the last that had one."""


class LineCounter:
    """The line of a position, counted from the position asked for before."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._position = 0
        self._line = first

    def at(self, position: int) -> int:
        if position >= self._position:
            self._line += self._text.count("\n", self._position, position)
        else:
            self._line -= self._text.count("\n", position, self._position)
        self._position = position
        return self._line


class Window:
    """A part of the text with what stands around it: as it was written, and clean."""

    def __init__(self, raw: str, text: str, first_line: int) -> None:
        self.text = text
        self.first_line = first_line
        self._raw = raw
        self._lines: list[str] | None = None

    def line_of_raw(self, position: int) -> int:
        return self.first_line + self._raw.count("\n", 0, position)

    def timer(self, line: int) -> Callable[[], str | None]:
        return lambda: self._time(line)

    def _time(self, line: int) -> str | None:
        """The time of a line, or the last one before it."""
        if self._lines is None:
            self._lines = self._raw.split("\n")
        index = min(line - self.first_line, len(self._lines) - 1)
        return next(filter(None, (time_of(self._lines[at]) for at in range(index, max(-1, index - _BACK), -1))), None)
