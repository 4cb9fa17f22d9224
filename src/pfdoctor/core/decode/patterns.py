"""Errors that one line tells: a literal to find it by, and an expression that reads it."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.decode.record import Found
from pfdoctor.core.pattern import Pattern

_BACK = 300
_AHEAD = 1200


class LinePattern(NamedTuple):
    """An error on one line. The groups of `pattern` become fields; a group `message` the message, else the match is.

    `literals` are in every text that `pattern` matches; `code` may be a group of it, as `{name}`.
    """

    literals: tuple[str, ...]
    kind: str
    code: str
    pattern: Pattern

    def read(self, text: str, start: int, end: int) -> list[Found]:
        """The error around the literal from `start` to `end`, if it is one."""
        first = max(text.rfind("\n", 0, start) + 1, start - _BACK)
        part = text[first : end + _AHEAD]
        for match in self.pattern.finditer(part):
            if match.start() > start - first:
                break
            if match.end() >= end - first:
                groups = match.groupdict()
                code = groups.get(self.code[1:-1]) if self.code.startswith("{") else self.code
                message = groups.pop("message", None) or match[0]
                fields = {name: value.strip() for name, value in groups.items() if value}
                return [Found(first + match.start(), first + match.end(), self.kind, code, message, fields)]
        return []


def line_pattern(kind: str, code: str, literals: str | tuple[str, ...], pattern: str) -> LinePattern:
    """A pattern with one literal or several."""
    return LinePattern((literals,) if isinstance(literals, str) else literals, kind, code, Pattern(pattern))
