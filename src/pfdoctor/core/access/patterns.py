"""Actions against the patterns of a role: Azure's wildcards, in three values, and misprints of an action.

A `*` stands for any run of characters, slashes included, anywhere and several times; the whole text has to match, in
any case. Whether `/*/` also matches a lone `/` is not documented: the built-in Managed Identity Operator grants
`userAssignedIdentities/*/assign/action` and is documented to allow `userAssignedIdentities/assign/action`. A match that
needs that reading is `LENIENT`.
"""

from __future__ import annotations

import difflib
from enum import Enum
from functools import lru_cache


class Match(Enum):
    """How a pattern matches an action."""

    NO = 0
    LENIENT = 1
    EXACT = 2


@lru_cache(maxsize=65536)
def match(pattern: str, action: str) -> Match:
    """How the pattern of a role matches the action."""
    pattern, action = pattern.lower(), action.lower()
    if pattern == action:
        return Match.EXACT
    if "*" not in pattern:
        return Match.NO
    if _matches(_strict(pattern), action):
        return Match.EXACT
    if "/*/" in pattern and _matches(_lenient(pattern), action):
        return Match.LENIENT
    return Match.NO


_ANY, _ANY_OR_NOTHING = object(), object()  # `*`, and a `/*` that may be missing


def _strict(pattern: str) -> list[object]:
    parts: list[object] = []
    for index, literal in enumerate(pattern.split("*")):
        if index:
            parts.append(_ANY)
        if literal:
            parts.append(literal)
    return parts


def _lenient(pattern: str) -> list[object]:
    first, *rest = pattern.split("/")
    parts = _strict(first)
    for index, segment in enumerate(rest):
        if segment == "*" and index < len(rest) - 1:
            parts.append(_ANY_OR_NOTHING)
        else:
            parts.extend(["/", *_strict(segment)])
    return parts


def _matches(parts: list[object], text: str) -> bool:
    """Whether the parts, one after the other, make up the text. Without backtracking: a role may hold any pattern."""
    ends = {0}
    for part in parts:
        if part is _ANY:
            ends = set(range(min(ends), len(text) + 1))
        elif part is _ANY_OR_NOTHING:
            slashes = [end for end in ends if text.startswith("/", end)]
            ends |= set(range(min(slashes) + 1, len(text) + 1)) if slashes else set()
        else:
            literal = str(part)
            ends = {end + len(literal) for end in ends if text.startswith(literal, end)}
        if not ends:
            return False
    return len(text) in ends


_MEANT_VERBS = {
    "reader": "read",
    "reads": "read",
    "get": "read",
    "list": "read",
    "writer": "write",
    "writes": "write",
    "deletes": "delete",
    "actions": "action",
}


def is_misprint(pattern: str, action: str) -> bool:
    """Whether the pattern is the action with a slip: `Microsoft.` left out, a singular, `reader` for `read`."""
    pattern, action = pattern.lower(), action.lower()
    if "*" in pattern or pattern == action:
        return False
    written, meant = pattern.split("/"), action.split("/")
    if len(written) != len(meant):
        return False
    namespace = written[0] if "." in written[0] else f"microsoft.{written[0]}"
    pairs = list(zip([namespace, *written[1:-1]], meant[:-1], strict=True))
    verb = _MEANT_VERBS.get(written[-1], written[-1])
    return verb == meant[-1] and all(_alike(one, other) for one, other in pairs)


def _alike(written: str, meant: str) -> bool:
    if written == meant or written in (f"{meant}s", meant.removesuffix("s"), f"{meant.removesuffix('ies')}y"):
        return True
    return len(meant) > 5 and difflib.SequenceMatcher(None, written, meant).ratio() >= 0.9


def same_type(pattern: str, action: str) -> bool:
    """Whether the pattern names the provider and resource type of the action, or stands for any: `*`, `*/read`."""
    written, meant = pattern.lower().split("/"), action.lower().split("/")
    if written[0] == "*" or written[:2] == [meant[0], "*"]:
        return match(pattern, action) is not Match.NO
    return written[:2] == meant[:2]
