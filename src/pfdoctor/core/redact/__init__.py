"""Literal secrets in texts and values: where they stand, and the same text without them.

A secret is recognised by the form of known credentials (`sk-…`, `AccountKey=…`, a private key), or by the name beside
it: `api_key: <something random>`. Templates, references to variables, names and words are left alone.

Redaction is repeated until nothing is found, which makes it idempotent.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact.escaped import unescaped_levels
from pfdoctor.core.redact.forms import Hit
from pfdoctor.core.redact.names import INSTRUMENTATION_KEY, MIN_VALUE, is_literal, kind_of, strength_of
from pfdoctor.core.redact.scan import detect

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
    hits = _without_tokens(text, detect(text, code=file_kind == "python", broad=False))
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


def _hidden(text: str) -> list[Hit]:
    """The secrets of a text that is to be shown: also those that stand in a text inside it, behind its escapes."""
    hits = detect(text, code=False, broad=True)
    if "\\" in text:
        for inner in unescaped_levels(text):
            hits += (
                hit._replace(start=inner.outside(hit.start), end=inner.outside(hit.end))
                for hit in detect(inner.text, code=False, broad=True)
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
