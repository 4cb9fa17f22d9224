"""Conditions of role assignments (ABAC): nothing is evaluated but whether a condition concerns an action at all.

A condition filters what a role grants. Most begin every clause with a guard, `!(ActionMatches{'…'}) OR …`, so that they
are true for every other action. Read as a boolean formula in which everything but ActionMatches is unknown, such a
condition comes to *true*; then it can be left out of account.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pfdoctor.core.access.patterns import Match, match
from pfdoctor.core.pattern import Pattern

_TOKEN = Pattern(
    r"\s*(?:(?P<mark>\(|\)|!|&&|\|\||(?:AND|OR|NOT)\b)"
    r"|ActionMatches\s*\{\s*'(?P<action>[^']*)'\s*\}"
    r"|(?P<attribute>@[^\s(){}]+|'[^']*'|\{[^}]*\}|[^\s()!{}'&|]+|[{}'&|]))",
    re.IGNORECASE,
)
_ATTRIBUTE = Pattern(r"@\w+\[[^\]]*\]")
_DEEPEST = 40


class _MalformedError(Exception):
    pass


@lru_cache(maxsize=4096)
def ignores(condition: str, action: str) -> bool:
    """Whether the condition is provably true for the action whatever the request, the resource and the principal."""
    try:
        return _Formula(condition, action).value() is True
    except _MalformedError:
        return False


def attributes(condition: str) -> list[str]:
    """The attributes that a condition asks for, each once."""
    return list(dict.fromkeys(_ATTRIBUTE.findall(condition)))


class _Formula:
    """A condition, evaluated by Kleene's logic while it is read. None is unknown."""

    def __init__(self, text: str, action: str) -> None:
        self._tokens = _tokens(text, action)
        self._next = 0

    def value(self) -> bool | None:
        found = self._operation(0)
        if self._next != len(self._tokens):
            raise _MalformedError
        return found

    def _peek(self) -> str | bool | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else "end"

    def _operation(self, depth: int) -> bool | None:
        """Terms between operators of one kind: AND and OR side by side are left to a reader who knows which binds."""
        if depth > _DEEPEST:
            raise _MalformedError
        values = [self._term(depth)]
        operator = self._peek()
        while self._peek() in ("and", "or"):
            if self._peek() != operator:
                raise _MalformedError
            self._next += 1
            values.append(self._term(depth))
        if operator == "and":
            return False if False in values else None if None in values else True
        return True if True in values else None if None in values else False

    def _term(self, depth: int) -> bool | None:
        if depth > _DEEPEST:
            raise _MalformedError
        token = self._peek()
        self._next += 1
        if token == "not":
            inner = self._term(depth + 1)
            return None if inner is None else not inner
        if token == "(":
            inner = self._operation(depth + 1)
            if self._peek() != ")":
                raise _MalformedError
            self._next += 1
            return inner
        if isinstance(token, str):
            raise _MalformedError
        if token is None:  # an expression about attributes, of any number of words
            while self._peek() is None:
                self._next += 1
        return token


_OPERATORS = {"!": "not", "&&": "and", "||": "or"}


def _tokens(text: str, action: str) -> list[str | bool | None]:
    """Operators and parentheses as texts, each ActionMatches as its truth, everything else as None."""
    found: list[str | bool | None] = []
    position, text = 0, text.strip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise _MalformedError
        position = token.end()
        if token["mark"] is not None:
            found.append(_OPERATORS.get(token["mark"], token["mark"].lower()))
        elif token["action"] is not None:
            how = match(token["action"], action)
            found.append(None if how is Match.LENIENT else how is Match.EXACT)
        else:
            found.append(None)
    return found
