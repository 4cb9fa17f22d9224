"""Literal secrets in texts and values: where they stand, and the same text without them.

A secret is recognised by the form of known credentials (`sk-…`, `AccountKey=…`, a private key), or by the name beside
it: `api_key: <something random>`. Templates, references to variables, names and words are left alone.

Every flow and source file passes through here, so the text is searched with `str.find` for the few words that begin
a secret, and regular expressions only run where one was found. Redaction is repeated until nothing is found, which
makes it idempotent.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact.escaped import unescaped_levels
from pfdoctor.core.redact.forms import FORMS, Hit, compiled, matches
from pfdoctor.core.redact.names import (
    INSTRUMENTATION_KEY,
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

__all__ = [
    "INSTRUMENTATION_KEY",
    "find_secrets",
    "is_clean",
    "is_secret_name",
    "literals_of",
    "redact_part",
    "redact_text",
    "redact_value",
    "without_literals",
]


def redact_text(text: str) -> str:
    """The text with a token such as `[redacted: Azure OpenAI key]` for every literal secret; it has as many lines."""
    if len(text) < _SHORTEST:
        return text
    return _redacted_again(text) if len(text) <= _REPEATS else _redacted(text)


@lru_cache(maxsize=16384)
def _redacted_again(text: str) -> str:
    """The same for a short text: of many endpoints in a workspace, most are those of the one before."""
    return _redacted(text)


def _redacted(text: str) -> str:
    while True:
        hits = _hidden(text)
        if not hits:
            return text
        parts: list[str] = []
        end = 0
        for hit in hits:
            parts += (text[end : hit.start], _token(hit.kind), "\n" * text.count("\n", hit.start, hit.end))
            end = hit.end
        text = "".join((*parts, text[end:]))


def redact_part(text: str, start: int, end: int) -> str:
    """The text from `start` to `end` without its secrets, of which the words before and after it may tell."""
    parts: list[str] = []
    for hit in _hidden(text) if end - start >= _TELLING else ():
        if hit.end > start and hit.start < end:
            parts += (text[start : hit.start], _token(hit.kind))
            start = hit.end
    return redact_text("".join((*parts, text[start:end])))


def literals_of(text: str) -> dict[str, str]:
    """The secrets in a text, each with its token: for `without_literals` on what is taken out of that text."""
    if len(text) < _SHORTEST:
        return {}
    return {text[hit.start : hit.end]: _token(hit.kind) for hit in _hidden(text) if hit.end - hit.start >= MIN_VALUE}


def without_literals(value: Json, literals: Mapping[str, str]) -> Json:
    """The value without these secrets, nor the beginning or end of one that was cut with it."""
    if not literals:
        return value
    if isinstance(value, str):
        for secret, token in literals.items():
            value = _without_ends(value.replace(secret, token), secret, token)
        return value
    if isinstance(value, list):
        return [without_literals(element, literals) for element in value]
    if isinstance(value, dict):
        return {name: without_literals(element, literals) for name, element in value.items()}
    return value


def _without_ends(value: str, secret: str, token: str) -> str:
    """The value that may end with the first letters of a secret, or begin with its last ones."""
    begin = value.rfind(secret[:_TELLING])
    if begin >= 0 and secret.startswith(value[begin:].rstrip("….")):
        value = value[:begin] + token
    end = value.find(secret[-_TELLING:])
    if end >= 0 and secret.endswith(value[: end + _TELLING].lstrip("….")):
        value = token + value[end + _TELLING :]
    return value


_HOLDING = (str, list, dict)
"""What may hold a secret."""


def redact_value(value: Json, key: str | None = None) -> Json:
    """The value with every secret in it replaced. `key` is the name that it stands under, if any.

    Under a secret's name any literal text is a secret, however short: only templates, references, paths, words and
    names of things stay.
    """
    if isinstance(value, str):
        if key is not None and is_secret_name(key) and is_literal(value, strength_of(key)):
            return _token(kind_of(key, value))
        return redact_text(value)
    if isinstance(value, list):
        return [redact_value(element, key) if isinstance(element, _HOLDING) else element for element in value]
    if isinstance(value, dict):
        secret, below = _names_of(value, key)
        return {
            redact_text(name): redact_value(element, secret or (below if name == "value" and below else name))
            if isinstance(element, _HOLDING)
            else element
            for name, element in value.items()
        }
    return value


def is_clean(value: Json, key: str | None = None) -> bool:
    """Whether `redact_value` finds nothing to replace."""
    if isinstance(value, str):
        return bool(redact_value(value, key) == value)
    if isinstance(value, list):
        return all(is_clean(element, key) for element in value if isinstance(element, _HOLDING))
    if isinstance(value, dict):
        secret, below = _names_of(value, key)
        for name, element in value.items():
            if redact_text(name) != name:
                return False
            named = secret or (below if name == "value" and below else name)
            if isinstance(element, _HOLDING) and not is_clean(element, named):
                return False
    return True


def _names_of(value: dict[str, Json], key: str | None) -> tuple[str | None, str | None]:
    """The name that all the values below stand under, if there is one, and that of an entry `{name: …, value: …}`."""
    below = next((value[word] for word in ("name", "variable", "key") if isinstance(value.get(word), str)), None)
    if below is not None and below.startswith("[redacted"):
        below = None  # `{key: …, value: …}` whose key was a secret itself
    # promptflow's custom connections: every value below `secrets` is one, whatever its name
    return "secret" if key is not None and key.lower() == "secrets" else None, below


def find_secrets(text: str, file_kind: str) -> list[dict[str, Json]]:
    """The literal secrets of a file, in order: `{line, column, end_column, kind, name, recognised}`, 1-based.

    `file_kind` is env, yaml, python, dockerfile, json or text: in Python a value without quotes is an expression.
    The end column is exclusive, on the line where the secret begins. `name` is the key or variable beside it, or None;
    `recognised` is false when only that name and the randomness of the value speak for a secret.
    """
    hits = _without_tokens(text, _detect(text, code=file_kind == "python", broad=False))
    if not hits:
        return []
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: list[dict[str, Json]] = []
    for hit in hits:
        line = bisect_right(starts, hit.start)
        newline = text.find("\n", hit.start, hit.end)
        end = newline if newline >= 0 else hit.end
        found.append(
            {
                "line": line,
                "column": hit.start - starts[line - 1] + 1,
                "end_column": end - starts[line - 1] + 1,
                "kind": hit.kind,
                "name": hit.name,
                "recognised": hit.recognised,
            }
        )
    return found


def is_secret_name(name: str) -> bool:
    """Whether a key or variable of this name holds a secret: `api_key`, `clientSecret`, `MY_SAS_TOKEN`."""
    return strength_of(name) > 0


def _token(kind: str) -> str:
    return f"[redacted: {kind}]"


_SHORTEST = len("://:p@h")
"""No shorter text holds a secret."""
_REPEATS = 300
"""Letters of a text that may well come again: an id, a name, a message."""
_TELLING = 4
"""Letters of a secret that tell nothing: what is shorter is not looked at."""
_TOKEN = Pattern(r"\[redacted: [^\]\n]{1,60}\]")


_BEGINNINGS = tuple(dict.fromkeys(literal for form in FORMS for literal in form.literals))
"""What a secret of a known form has in it, in all of them."""


def _hidden(text: str) -> list[Hit]:
    """The secrets of a text that is to be shown: also those that stand in a text inside it, behind its escapes."""
    hits = _detect(text, code=False, broad=True)
    if "\\" in text:
        for inner in unescaped_levels(text):
            hits += (
                hit._replace(start=inner.outside(hit.start), end=inner.outside(hit.end))
                for hit in _detect(inner.text, code=False, broad=True)
            )
    return _without_tokens(text, hits)


def _without_tokens(text: str, hits: list[Hit]) -> list[Hit]:
    """The hits in order, those that overlap joined, and none that is what an earlier pass left."""
    if not hits:
        return hits
    tokens = [match.span() for match in _TOKEN.finditer(text)] if "[redacted: " in text else []
    known = set(tokens)
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    joined: list[Hit] = []
    for hit in sorted(hits, key=lambda one: (one.start, -one.end, not one.recognised)):
        start, end = hit.start, hit.end
        # tokens do not overlap: those that this one touches follow the last that ends before it
        for token_start, token_end in tokens[bisect_right(ends, start) : bisect_left(starts, end)]:
            start, end = min(start, token_start), max(end, token_end)
        if (start, end) in known:
            continue
        if joined and start < joined[-1].end:
            last = joined[-1]
            best = hit if hit.recognised and not last.recognised else last
            joined[-1] = Hit(
                last.start, max(end, last.end), best.kind, last.name or hit.name, last.recognised or hit.recognised
            )
        else:
            joined.append(Hit(start, end, hit.kind, hit.name, hit.recognised))
    return joined


def _detect(text: str, *, code: bool, broad: bool) -> list[Hit]:
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
