"""Texts inside texts, unescaped, with the way back to where each letter stands in the text that was given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.pattern import Pattern

_ESCAPE = Pattern(r"\\(?:u00(?P<code>[0-7][0-9a-fA-F])|x(?P<hex>[0-7][0-9a-fA-F])|(?P<letter>[\"'\\/nrt]))")
_BLANK = {"n": "\n", "r": "\r", "t": "\t"}
_LEVELS = 4


class Unescaped(NamedTuple):
    """A text with one level of escapes taken back. `steps`: where the letters behind each escape are now, and were."""

    text: str
    steps: list[tuple[int, int]]
    outer: Unescaped | None

    def outside(self, position: int) -> int:
        """Where a position of this text is in the one that was given."""
        now, was = self.steps[bisect_right(self.steps, (position, _FAR)) - 1]
        position += was - now
        return position if self.outer is None else self.outer.outside(position)


_FAR = 1 << 62


def unescaped_levels(text: str) -> Iterator[Unescaped]:
    """The text, unescaped once, twice and so on, for as long as that changes something."""
    outer = None
    for _ in range(_LEVELS):
        outer = _unescaped(text, outer)
        if outer is None:
            return
        yield outer
        text = outer.text


def _unescaped(text: str, outer: Unescaped | None) -> Unescaped | None:
    parts: list[str] = []
    steps = [(0, 0)]
    end = length = 0
    for match in _ESCAPE.finditer(text):
        code = match["code"] or match["hex"]
        letter = chr(int(code, 16)) if code else _BLANK.get(match["letter"], match["letter"])
        parts += (text[end : match.start()], letter)
        length += match.start() - end + 1
        end = match.end()
        steps.append((length, end))
    if not parts:
        return None
    return Unescaped("".join((*parts, text[end:])), steps, outer)
