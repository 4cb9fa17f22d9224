"""Azure's attribute conditions (ABAC, version 2.0), as far as role assignments are delegated with them.

Understood: `ActionMatches{'…'}`, `!`, `AND` `OR` `&&` `||`, parentheses, and comparisons of `@Request[…]` or
`@Resource[…]` with `{…}` or a quoted text by the operators below, with or without a `ForAnyOfAnyValues:`-like prefix.
An attribute that the request does not have makes its comparison false; what cannot be read makes the condition false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_TOKEN = re.compile(
    r"\s*(?:(?P<matches>ActionMatches\s*\{\s*'(?P<action>[^']*)'\s*\})"
    r"|(?P<sub>SubOperationMatches\s*\{[^}]*\})"
    r"|(?P<attribute>@\w+\s*\[(?P<name>[^\]]*)\])\s*(?P<operator>[\w:]+)\s*(?P<values>\{[^}]*\}|'[^']*'|\S+?(?=[\s)]|$))"
    r"|(?P<word>AND\b|OR\b|&&|\|\||!|\(|\)))",
    re.IGNORECASE,
)

Attributes = Mapping[str, str]
"""Values by attribute name without its namespace (`RoleDefinitionId`, `PrincipalId`, `PrincipalType`), lower case."""


def fulfilled(condition: str, action: str, attributes: Attributes, matches: Callable[[str, str], bool]) -> bool:
    """Whether the condition lets `action` pass; `matches` compares a pattern with an action."""
    try:
        reader = _Reader(condition, action, attributes, matches)
        value = reader.disjunction()
        return value and reader.at_end()
    except ValueError:
        return False


class _Reader:
    """Recursive descent; evaluates while it reads."""

    def __init__(self, text: str, action: str, attributes: Attributes, matches: Callable[[str, str], bool]) -> None:
        self._action, self._attributes, self._matches = action, attributes, matches
        self._tokens: list[re.Match[str]] = []
        end = 0
        text = text.strip()
        while end < len(text):
            token = _TOKEN.match(text, end)
            if token is None:
                raise ValueError(f"not understood: {text[end : end + 40]}")
            self._tokens.append(token)
            end = token.end()
        self._next = 0

    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def _word(self, *words: str) -> bool:
        if not self.at_end() and (self._tokens[self._next]["word"] or "").upper() in words:
            self._next += 1
            return True
        return False

    def disjunction(self) -> bool:
        value = self._conjunction()
        while self._word("OR", "||"):
            other = self._conjunction()
            value = value or other
        return value

    def _conjunction(self) -> bool:
        value = self._factor()
        while self._word("AND", "&&"):
            other = self._factor()
            value = value and other
        return value

    def _factor(self) -> bool:
        if self._word("!"):
            return not self._factor()
        if self._word("("):
            value = self.disjunction()
            if not self._word(")"):
                raise ValueError("a parenthesis is not closed")
            return value
        if self.at_end():
            raise ValueError("it ends too early")
        token = self._tokens[self._next]
        self._next += 1
        if token["matches"]:
            return self._matches(token["action"], self._action)
        if token["attribute"]:
            return self._compare(token["name"], token["operator"], token["values"])
        if token["sub"]:
            return False
        raise ValueError(f"not expected here: {token[0]}")

    def _compare(self, name: str, operator: str, values: str) -> bool:
        actual = self._attributes.get(name.rpartition(":")[2].lower())
        if actual is None:
            return False
        wanted = {value.strip().strip("'").lower() for value in values.strip("{}").split(",")}
        plain = operator.rpartition(":")[2].lower()
        negative = "not" in plain
        if plain.endswith(("equals", "equalsignorecase")):
            return (actual.lower() in wanted) != negative
        if plain.endswith(("startswith", "startswithignorecase")):
            return any(actual.lower().startswith(value) for value in wanted) != negative
        if plain.endswith(("like", "likeignorecase")):
            return any(self._matches(value, actual) for value in wanted) != negative
        raise ValueError(f"operator {operator} is not understood")
