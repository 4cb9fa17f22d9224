"""Where literal secrets stand in a text: in the form of known credentials, or beside the name of a secret.

Every flow and source file passes through here, so the text is searched with `str.find` for the few words that begin
a secret, and regular expressions only run where one was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact.forms import FORMS, Hit, compiled, matches
from pfdoctor.core.redact.names import (
    MIN_VALUE,
    STRONG,
    is_literal,
    is_random,
    is_secret,
    kind_of,
    letters_of,
    strength_of,
    words_of,
)

_BEGINNINGS = tuple(dict.fromkeys(literal for form in FORMS for literal in form.literals))
"""What a secret of a known form has in it, in all of them."""


def detect(text: str, *, code: bool, broad: bool) -> list[Hit]:
    """Every secret, in no order, possibly overlapping.

    In `code` a value beside a name counts only in quotes; `broad` see `is_secret`.
    """
    hits: list[Hit] = []
    # every text comes here, and hardly one has any of these
    if [literal for literal in _BEGINNINGS if literal in text]:
        for form in FORMS:
            if any(literal in text for literal in form.literals):
                hits += matches(form, text)
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, and offsets would shift
        lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    hits += _named(text, lowered, code=code, broad=broad)
    hits += _secret_blocks(text)
    return hits


# every name of a secret holds one of these; "connection" alone would stop at half the lines of a flow
_TRIGGERS = (
    "key",
    "secret",
    "token",
    "pass",
    "pwd",
    "sas",
    "credential",
    "ion_string",
    "ionstring",
    "ion-string",
    "conn_str",
    "encoded_connections",
    "_pat",
)

# After the name: `=`, `:`, `",` (os.getenv("KEY", "…")), an annotation (key: str = "…"), `value:` on the same or
# the next line (name/value pairs), or the blank of `--key …` and `ENV KEY …`.
_REST = Pattern(r"[A-Za-z0-9_.-]{0,40}")
_SEPARATOR = Pattern(
    r"""\\?["'`]?\]?[ \t]*
    (?: %3[Dd]
      | :[ \t]*(?:str|SecretStr|Optional\[str\]|str[ \t]*\|[ \t]*None)[ \t]*=[ \t]*\(?\s*
      | (?: : [ \t]* [|>][+-]? [ \t]* \n [ \t]* )
      | (?: [:=]=? | => ) [ \t]* (?: \(\s* )?
      | ,? \s* \\?["']?value\\?["']? [ \t]* [:=] [ \t]*
      | (?<=["']) , [ \t]* (?=\\?["'])
    )""",
    re.VERBOSE,
)
_BLANK = Pattern(r"[ \t]+")
_QUOTED = Pattern(
    r"""[rRbBuU]{0,2}(?P<quote>\\["']|["'`])(?P<value>(?:(?!(?P=quote))[^\n\\]|\\(?!["'\n])[^\n]){1,4000})(?P=quote)"""
)
_BARE = Pattern(r"[^\s\"'`<>|(){}\[\],;&\\]+")
_WORD = Pattern(r"[^\s\"'`<>|(){}\[\],\\]+")
_INDENTATION = Pattern(r"[^\S\n]*")
_LINE_STARTS = frozenset(("", "-", "export", "set", "ENV", "ARG"))
_NAME_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NO_VALUE = frozenset(("", "$", "<", "{", "[", "#"))
_AFTER_NAME = frozenset("\"'`]\\:=,%")
_LINE_ENDS = frozenset("\r\n")
_QUOTES = frozenset("\"'`\\")
_MAX_VALUE = 4000
_EXPRESSION = Pattern(r"[A-Za-z_][\w.]*(?:\(|\[|\.[A-Za-z_]+\b)|(?:await|lambda|not|if|f\"|f')\b")


def _named(text: str, lowered: str, *, code: bool, broad: bool) -> Iterator[Hit]:
    """Values beside the name of a secret: random ones, and for passwords anything that is no word."""
    found: list[tuple[int, int]] = []
    for trigger in [one for one in _TRIGGERS if one in lowered]:
        position = lowered.find(trigger)
        while position >= 0:
            found.append((position, position + len(trigger)))
            position = lowered.find(trigger, position + len(trigger))
    if not found:
        return
    found.sort()
    scan = _Scan(text, code=code, broad=broad)
    seen: set[int] = set()
    after = 0
    for position, behind in found:
        if position < after:  # inside a long secret
            continue
        rest = _REST.match(text, behind)
        end = rest.end() if rest is not None else behind
        if end not in seen:
            seen.add(end)
            hit = scan.value_after(position, end)
            if hit is not None:
                yield hit
                after = hit.end if hit.end - hit.start > _ANALYSED else after


_ANALYSED = 512
"""So many characters of a value decide what it is."""
_CROWDED = 64
"""So many, where values overlap (`key=key=key=…`) and `_PATIENCE` characters of them have been looked at."""
_PATIENCE = 4096
_LONGEST_START = max(map(len, _LINE_STARTS))


class _Scan:
    """Looks for values from the beginning of a text to its end. Each step costs the same, however long lines are."""

    def __init__(self, text: str, *, code: bool, broad: bool) -> None:
        self._text = text
        self._code = code
        self._broad = broad
        self._line = (0, -1, 0)
        """The line looked at last: where it begins, where it ends, and where its text begins."""
        self._runs: dict[Pattern, tuple[int, int]] = {}
        self._covered = 0
        self._analysed = 0

    def value_after(self, position: int, end: int) -> Hit | None:
        """The secret behind the name that ends at `end` and holds a trigger at `position`, if there is one."""
        text = self._text
        head = text[max(0, position - 60) : position]
        start = position - len(head) + len(head.rstrip(_NAME_LETTERS))
        following = text[end : end + 3].lstrip()[:1]
        separator = (
            _SEPARATOR.match(text, end) if following in _AFTER_NAME or text[end : end + 1] in _LINE_ENDS else None
        )
        if separator is None:
            if not (text.startswith("--", start) or text[max(0, start - 4) : start] in ("ENV ", "ARG ")):
                return None
            separator = _BLANK.match(text, end)
            if separator is None:
                return None
        value_start = separator.end()
        beginning = text[value_start : value_start + MIN_VALUE]
        if beginning[:1] in _NO_VALUE or len(beginning) < MIN_VALUE or "\n" in beginning:
            return None
        if " " in beginning and (beginning[0] not in _QUOTES or not self._broad):
            return None
        name = text[start:end].lstrip("-.")
        strength = strength_of(name)
        if strength == 0:
            return None
        quoted = _QUOTED.match(text, value_start)
        if quoted is not None:
            begin, stop = quoted.span("value")
        elif self._code:
            return None
        else:
            bare = self._bare(start, value_start)
            if bare is None:
                return None
            begin, stop = bare
        value = self._deciding(begin, stop)
        # in ["password", "username"] the second is no value of the first
        assigned = quoted is not None and "," not in separator[0]
        # x = y2z3 may be an expression of any language; x=y2z3 and x: y2z3 are settings
        broad = self._broad and (assigned or ":" in separator[0] or separator[0] == "=")
        if not _is_value(value, name, cut=len(value) < stop - begin, assigned=assigned, broad=broad):
            return None
        recognised = strength == STRONG and is_random(value) and len(value) >= 32
        return Hit(begin, stop, kind_of(name, value), name, recognised)

    def _deciding(self, begin: int, stop: int) -> str:
        """The beginning of a value that decides what it is."""
        if begin >= self._covered:
            self._analysed = 0
        self._covered = max(self._covered, stop)
        limit = _ANALYSED if self._analysed < _PATIENCE else _CROWDED
        value = self._text[begin : min(stop, begin + limit)]
        self._analysed += len(value)
        return value

    def _bare(self, start: int, begin: int) -> tuple[int, int] | None:
        """A value without quotes: to the end of the line that it or its name begins, else to the next separator."""
        text = self._text
        if _EXPRESSION.match(text, begin):
            return None
        line_start, line_end, line_text = self._line_of(begin)
        before = max(line_start, start)
        if before - line_text <= _LONGEST_START + 8 and text[line_text:before].strip() in _LINE_STARTS:
            line = text[begin:line_end].split(" #", 1)[0].rstrip()
            if " " not in line and len(line) <= _MAX_VALUE:
                return begin, begin + len(line)
        pattern = _WORD if text[begin - 1].isspace() else _BARE
        run_start, run_end = self._runs.get(pattern, (0, 0))
        if not run_start <= begin < run_end:
            match = pattern.match(text, begin)
            run_end = match.end() if match is not None else begin
            self._runs[pattern] = (begin, run_end)
        stop = min(run_end, begin + _MAX_VALUE)
        return (begin, stop) if stop - begin >= 4 else None

    def _line_of(self, position: int) -> tuple[int, int, int]:
        line_start, line_end, _ = self._line
        if not line_start <= position <= line_end:
            text = self._text
            line_start = text.rfind("\n", 0, position) + 1
            line_end = text.find("\n", position)
            line_end = line_end if line_end >= 0 else len(text)
            indentation = _INDENTATION.match(text, line_start)
            self._line = (line_start, line_end, indentation.end() if indentation is not None else line_start)
        return self._line


@lru_cache(maxsize=256)
def _is_value(value: str, name: str, *, cut: bool, assigned: bool, broad: bool) -> bool:
    """Whether a value is the secret of that name, and no repetition of its words. The last word may be `cut` off."""
    if not is_secret(value, strength_of(name), assigned=assigned, broad=broad):
        return False
    words = letters_of(value)
    return not set(words[:-1] if cut else words) <= set(words_of(name))


_BLOCK_KEY = r"[\"']?[ \t]*:[ \t]*\r?\n"
_BLOCK = r"([ \t]*)[\"']?secrets[\"']?[ \t]*:[ \t]*\r?\n((?:\1[ \t]+\S[^\n]*(?:\n|\Z))+)"
_ENTRY = (
    r"(?m)^[ \t]+[\"']?([\w .-]+?)[\"']?[ \t]*:[ \t]+"
    r"(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"'#|>&*{\[][^\n#]*?))[ \t]*(?:#[^\n]*)?\r?$"
)


def _secret_blocks(text: str) -> Iterator[Hit]:
    """The `secrets:` mapping of a custom connection: every literal below it."""
    position = text.find("secrets")
    while position >= 0:
        after = position + len("secrets")
        if compiled(_BLOCK_KEY).match(text, after):
            block = compiled(_BLOCK).match(text, text.rfind("\n", 0, position) + 1)
            if block is not None:
                yield from _entries(text, *block.span(2))
        position = text.find("secrets", after)


def _entries(text: str, start: int, end: int) -> Iterator[Hit]:
    for entry in compiled(_ENTRY).finditer(text, start, end):
        group = next(number for number in (2, 3, 4) if entry[number] is not None)
        if is_literal(entry[group]):
            yield Hit(*entry.span(group), kind_of(entry[1], entry[group]), entry[1], recognised=False)
