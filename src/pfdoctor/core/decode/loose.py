"""Values as programs print them: JSON or a Python dict, pretty-printed or not, and perhaps cut off in the middle."""

from __future__ import annotations

import re
from typing import NamedTuple

from pfdoctor.core.decode.escapes import unescape
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_DEPTH = 60
_LIMIT = 65_536
"""Letters of a value that are read: no error that anybody prints is longer."""
_BLANK = Pattern(r"[\s│┃]*")
_STRING = Pattern(r"[bBuUrR]?(?P<quote>[\"'])")
_WORD = Pattern(r"[^\s,:{}\[\]\"']+(?:[ ][^\s,:{}\[\]\"']+)*|<[^<>\n]{0,200}>")
_WORDS: dict[str, Json] = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
# A quote ends a string where the value could go on: texts that were unescaped hold bare quotes inside.
_ENDS = {quote: Pattern(rf"(?:\\.|[^\\{quote}]|{quote}(?!\s*(?:[,:}}\])]|\Z)))*", re.DOTALL) for quote in ("'", '"')}


class Read(NamedTuple):
    """A value, where it ends in the text, and whether it was whole."""

    value: Json
    end: int
    whole: bool


def read_value(text: str, start: int) -> Read | None:
    """The value that begins with a brace, bracket or quote at `start`; None when none does."""
    reader = _Reader(text[start : start + _LIMIT])
    if reader.text[:1] not in ("{", "[", '"', "'"):
        return None
    value = reader.value(0)
    return Read(value, start + reader.position, reader.whole)


class _Reader:
    """Reads one value. After the end of the text, or where nothing fits, everything open is closed as it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.whole = True

    def value(self, depth: int) -> Json:
        self._skip()
        letter = self.text[self.position : self.position + 1]
        if letter == "{" and depth < _DEPTH:
            return self._mapping(depth)
        if letter in ("[", "(") and depth < _DEPTH:
            return self._list(depth)
        string = _STRING.match(self.text, self.position)
        if string is not None:
            return self._string(string)
        return self._word()

    def _skip(self) -> None:
        match = _BLANK.match(self.text, self.position)
        self.position = match.end() if match is not None else self.position

    def _string(self, opening: re.Match[str]) -> str:
        body = _ENDS[opening["quote"]].match(self.text, opening.end())
        end = body.end() if body is not None else opening.end()
        content = self.text[opening.end() : end]
        self.position = end + 1
        if end >= len(self.text):
            self.position = end
            self.whole = False
        return unescape(content)

    def _word(self) -> Json:
        word = _WORD.match(self.text, self.position)
        if word is None:
            self.whole = False
            return None
        self.position = word.end()
        if word[0] in _WORDS:
            return _WORDS[word[0]]
        try:
            return int(word[0])
        except ValueError:
            return word[0]

    def _mapping(self, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        self.position += 1
        while self._goes_on("}"):
            key = self.value(depth + 1)
            self._skip()
            if self.text[self.position : self.position + 1] != ":" or not isinstance(key, (str, int)):
                self.whole = False
                break
            self.position += 1
            before = self.position
            value = self.value(depth + 1)
            if self.position > before and (value is not None or self.whole):
                found.setdefault(str(key), value)
        return found

    def _list(self, depth: int) -> list[Json]:
        found: list[Json] = []
        closing = "]" if self.text[self.position] == "[" else ")"
        self.position += 1
        while self._goes_on(closing):
            before = self.position
            element = self.value(depth + 1)
            if self.position == before:
                break
            found.append(element)
        return found

    def _goes_on(self, closing: str) -> bool:
        """Whether another element follows; the closing letter is passed over."""
        while True:
            self._skip()
            letter = self.text[self.position : self.position + 1]
            if letter == ",":
                self.position += 1
                continue
            if letter == closing:
                self.position += 1
                return False
            if not letter or letter in "}])" or not self.whole:
                self.whole = False
                return False
            return True
