"""The part of Azure Resource Graph's query language that inventories use.

`TABLE | where … | project … | extend … | order by … | limit N | count`: conditions are comparisons joined by `and`,
`or`, `not(…)`; values are texts, numbers, true and false; fields may be paths (`properties.a.b`, `tags['x y']`) inside
functions such as `tolower()`. What is outside of that raises QueryError, as the service refuses what it does not
understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Expression = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_$][\w$]*)|(?P<sign>=~|!~|==|!=|~|<=|>=|<|>|[.\[\](),|=]))",
)


def _low(value: Any) -> str:
    return "" if value is None else str(value).lower()


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "=~": lambda a, b: _low(a) == _low(b),
    "!~": lambda a, b: _low(a) != _low(b),
    "contains": lambda a, b: _low(b) in _low(a),
    "has": lambda a, b: _low(b) in _low(a),
    "startswith": lambda a, b: _low(a).startswith(_low(b)),
    "endswith": lambda a, b: _low(a).endswith(_low(b)),
    "<": lambda a, b: a is not None and a < b,
    ">": lambda a, b: a is not None and a > b,
    "<=": lambda a, b: a is not None and a <= b,
    ">=": lambda a, b: a is not None and a >= b,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "tolower": _low,
    "toupper": lambda value: "" if value is None else str(value).upper(),
    "tostring": lambda value: "" if value is None else str(value),
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isnotempty": lambda value: value not in (None, ""),
}


class QueryError(Exception):
    """A query that is not understood."""


class Query:
    """A parsed query. `types` are the only types (lower case) that can pass, if the query says so at once."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        end = 0
        text = re.sub(r"//[^\n]*", "", text).strip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise QueryError(f"'{text[end : end + 20]}' could not be parsed")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind]))
            end = match.end()
        self._next = 0
        self.types: frozenset[str] = frozenset()
        self.table = self._take("word").lower()
        self._steps: list[Callable[[list[Row]], list[Row]]] = []
        while self._next < len(self._tokens):
            self._expect("|")
            self._step()

    def run(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that come out."""
        result = list(rows)
        for step in self._steps:
            result = step(result)
        return result

    # ------------------------------------------------------------------------------------------------------ reading

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self, kind: str) -> str:
        found, value = self._peek()
        if found != kind:
            raise QueryError(f"a {kind} was expected where '{value}' stands")
        self._next += 1
        return value

    def _accept(self, *values: str) -> str:
        value = self._peek()[1]
        if self._peek()[0] in {"word", "sign"} and value.lower() in values:
            self._next += 1
            return value.lower()
        return ""

    def _expect(self, *values: str) -> str:
        found = self._accept(*values)
        if not found:
            raise QueryError(f"'{' or '.join(values)}' was expected where '{self._peek()[1]}' stands")
        return found

    def _step(self) -> None:
        name = self._take("word").lower()
        if name == "where":
            first = not self._steps
            start = self._next
            condition = self._condition()
            if first:
                self.types = self._types_in(start)
            self._steps.append(lambda rows: [row for row in rows if condition(row)])
        elif name in {"project", "extend"}:
            columns = self._columns()
            keep = name == "extend"
            self._steps.append(
                lambda rows: [
                    {**(row if keep else {}), **{column: value(row) for column, value in columns}} for row in rows
                ]
            )
        elif name in {"order", "sort"}:
            self._expect("by")
            self._order()
        elif name in {"limit", "take"}:
            count = int(self._take("number"))
            self._steps.append(lambda rows: rows[:count])
        elif name == "count":
            self._steps.append(lambda rows: [{"Count": len(rows)}])
        else:
            raise QueryError(f"the operator '{name}' is not supported")

    def _columns(self) -> list[tuple[str, Expression]]:
        columns: list[tuple[str, Expression]] = []
        while not columns or self._accept(","):
            start = self._next
            name = self._take("word")
            if self._accept("="):
                columns.append((name, self._value()))
            else:
                self._next = start
                value = self._value()
                path = [text for kind, text in self._tokens[start : self._next] if kind == "word"]
                columns.append(("_".join(path), value))
        return columns

    def _order(self) -> None:
        keys: list[tuple[Expression, bool]] = []
        while not keys or self._accept(","):
            value = self._value()
            keys.append((value, self._accept("asc", "desc") != "asc"))  # descending unless it says otherwise
        for value, descending in reversed(keys):
            self._steps.append(_sorted_by(value, descending=descending))

    def _condition(self) -> Expression:
        value = self._conjunction()
        while self._accept("or"):
            value = _either(value, self._conjunction())
        return value

    def _conjunction(self) -> Expression:
        value = self._comparison()
        while self._accept("and"):
            value = _both(value, self._comparison())
        return value

    def _comparison(self) -> Expression:
        if self._accept("not"):
            self._expect("(")
            inner = self._condition()
            self._expect(")")
            return lambda row: not inner(row)
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        left = self._value()
        negative = self._peek()[1] == "!"
        operator = self._accept(*_OPERATORS, "in")
        if operator == "in":
            loosely = bool(self._accept("~"))
            wanted = self._list()
            if loosely:
                return lambda row: _low(left(row)) in {_low(value) for value in wanted}
            return lambda row: left(row) in wanted
        if not operator:
            if negative:
                raise QueryError("'!' is not supported here")
            return left
        right, compare = self._value(), _OPERATORS[operator]
        return lambda row: compare(left(row), right(row))

    def _list(self) -> list[Any]:
        self._expect("(")
        values = [self._value()({})]
        while self._accept(","):
            values.append(self._value()({}))
        self._expect(")")
        return values

    def _value(self) -> Expression:
        kind, text = self._peek()
        self._next += 1
        if kind == "text":
            literal = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda _: literal
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda _: number
        if kind != "word":
            raise QueryError(f"a value was expected where '{text}' stands")
        if text.lower() in {"true", "false"}:
            return lambda _: text.lower() == "true"
        if self._accept("("):
            function = _FUNCTIONS.get(text.lower())
            if function is None:
                raise QueryError(f"the function '{text}' is not supported")
            inner = self._value()
            self._expect(")")
            return lambda row: function(inner(row))
        return self._path(text)

    def _path(self, first: str) -> Expression:
        path = [first]
        while True:
            if self._accept("."):
                path.append(self._take("word"))
            elif self._accept("["):
                path.append(self._take("text")[1:-1])
                self._expect("]")
            else:
                break
        return lambda row: _at(row, path)

    def _types_in(self, start: int) -> frozenset[str]:
        """The types that a first `where type =~ '…'` or `where type in~ (…)` lets pass, if nothing is joined by or."""
        tokens = [text.lower() for _, text in self._tokens[start : self._next]]
        if "or" in tokens or "not" in tokens or len(tokens) < 3 or tokens[0] != "type":
            return frozenset()
        if tokens[1] in {"=~", "=="}:
            return frozenset({tokens[2][1:-1]})
        if tokens[1] == "in" and ")" in tokens:
            listed = tokens[tokens.index("(") + 1 : tokens.index(")")]
            return frozenset(text[1:-1] for text in listed if text != ",")
        return frozenset()


def _either(one: Expression, other: Expression) -> Expression:
    return lambda row: bool(one(row)) or bool(other(row))


def _both(one: Expression, other: Expression) -> Expression:
    return lambda row: bool(one(row)) and bool(other(row))


def _sorted_by(value: Expression, *, descending: bool) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: sorted(rows, key=lambda row: _low(value(row)), reverse=descending)


def _at(row: Row, path: list[str]) -> Any:
    value: Any = row
    for name in path:
        if not isinstance(value, Mapping):
            return None
        if name in value:
            value = value[name]
        else:
            value = next((value[key] for key in value if key.lower() == name.lower()), None)
    return value
