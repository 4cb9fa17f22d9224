"""Texts inside texts: what a JSON or Python string literal escapes, taken back level by level."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pfdoctor.core.pattern import Pattern

_ESCAPE = Pattern(
    r"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\"'\\/nrtbf]))"
)
_PAIR = len(r"\ud83d\ude00")
"""How long the escape of a letter beyond the first 65,536 is: two halves."""
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_LEVELS = 6
"""So often one string is put into another in what Azure's services print; seen: four."""


def unescape(text: str) -> str:
    """The text with one level of backslash escapes taken back; what is no escape stays."""
    return _ESCAPE.sub(_letter, text) if "\\" in text else text


def _letter(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if match.end() - match.start() == _PAIR:
        high, low = int(match[0][2:6], 16), int(match[0][8:12], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    if code is None:
        return _LETTERS.get(match[3], match[3])
    letter = chr(int(code, 16))
    return letter if not "\ud800" <= letter <= "\udfff" else "\ufffd"


def levels(text: str) -> Iterator[str]:
    """The text, unescaped once, twice and so on, for as long as that changes something."""
    for _ in range(_LEVELS):
        inner = unescape(text)
        if inner == text:
            return
        yield inner
        text = inner
