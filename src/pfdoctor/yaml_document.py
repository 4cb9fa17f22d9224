"""YAML as its consumer reads it: values, and the place of each.

promptflow reads flows with ruamel.yaml (YAML 1.2: `on` is a string, a duplicate key is an error); the Azure CLI and
SDK read with PyYAML (YAML 1.1: `on` is true, the last of two equal keys wins). Both are composed by libyaml here, and
the scalars resolved as the consumer would. Composing deeply nested input crashes the interpreter, so depth is bounded
before composing, and the number of values that aliases expand to afterwards. libyaml allows tabs where both consumers,
which are written in Python, do not: a text with a tab is scanned by PyYAML's own scanner as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple, TypeAlias

import yaml

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

MAX_BYTES = 5_000_000
MAX_DEPTH = 200
MAX_VALUES = 200_000
MAX_DIGITS = 300
"""A number with more characters stays a text: no setting is one, and Python refuses to print the largest."""

Key: TypeAlias = str | int
Place: TypeAlias = tuple[int, int, int]
"""Line, column and end column (of a value on one line), 1-based; the end column is exclusive."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Dialect(Enum):
    """Which YAML the consumer of a file reads."""

    FLOW = "1.2"
    AZURE = "1.1"


class YamlError(Exception):
    """A text that its consumer could not read, or that is not safe to read: a stable code, a detail and a line."""

    def __init__(self, code: str, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.line = line


class YamlDocument(NamedTuple):
    """One document: its value (mapping keys as text) and the tree that knows the places."""

    value: Json
    root: yaml.Node | None
    duplicates: tuple[tuple[str, int], ...] = ()
    """Keys that appear twice in one mapping, with the line of the second; the consumer takes the last."""

    def place(self, *path: Key) -> Place | None:
        """Where the value at the path stands; for a mapping's value that is empty, where its key stands."""
        node = self.node(path)
        return None if node is None else _place(node)

    def key(self, *path: Key, dialect: Dialect = Dialect.FLOW) -> Json:
        """The last key of the path as its consumer reads it: `1` is a number there, though it is text in `value`."""
        parent = self.node(path[:-1])
        if isinstance(parent, yaml.MappingNode):
            for key, _ in reversed(_pairs(parent)):
                if isinstance(key, yaml.ScalarNode) and key.value == path[-1]:
                    return _resolve(key, dialect)
        return path[-1]

    def key_place(self, *path: Key) -> Place | None:
        """Where the last key of the path stands; for an element of a list, where the element stands."""
        parent = self.node(path[:-1])
        if isinstance(parent, yaml.MappingNode):
            for key, _ in reversed(_pairs(parent)):
                if isinstance(key, yaml.ScalarNode) and key.value == path[-1]:
                    return _place(key)
        return self.place(*path)

    def node(self, path: tuple[Key, ...]) -> yaml.Node | None:
        """The composed node at the path, or None."""
        node = self.root
        for key in path:
            if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
            elif isinstance(node, yaml.MappingNode):
                node = next(
                    (
                        value
                        for one, value in reversed(_pairs(node))
                        if isinstance(one, yaml.ScalarNode) and one.value == key
                    ),
                    None,
                )
            else:
                return None
        return node


def _pairs(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """The pairs of a mapping, those merged with `<<` first, so that the mapping's own win."""
    if not any(_is_merge(key) for key, _ in node.value):
        return node.value  # type: ignore[no-any-return]  # PyYAML's nodes are untyped
    pairs: list[tuple[yaml.Node, yaml.Node]] = []
    _gather(node, pairs, set())
    return pairs


def _gather(node: yaml.MappingNode, pairs: list[tuple[yaml.Node, yaml.Node]], seen: set[int]) -> None:
    """Adds the pairs of the mapping, those it merges first. Each mapping is merged once: a second time adds nothing."""
    seen.add(id(node))
    for key, value in node.value:
        if _is_merge(key):
            sources = reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                if isinstance(source, yaml.MappingNode) and id(source) not in seen:
                    _gather(source, pairs, seen)
    pairs += [(key, value) for key, value in node.value if not _is_merge(key)]


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style


def _is_template(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(isinstance(key, yaml.MappingNode) for key, _ in node.value)


def _place(node: yaml.Node) -> Place:
    start, end = node.start_mark, node.end_mark
    one_line = start.line == end.line
    return (start.line + 1, start.column + 1, end.column + 1 if one_line else start.column + 2)


def read(text: str, dialect: Dialect) -> list[YamlDocument]:
    """Every document of the text. Raises YamlError for what its consumer could not read."""
    if len(text) > MAX_BYTES:
        raise YamlError("too-large", f"{len(text):,} characters, more than the {MAX_BYTES:,} that are read")
    if not depth_is_safe(text):
        raise YamlError("too-deep", f"nested more than {MAX_DEPTH} levels deep")
    try:
        if "\t" in text and len(text) <= _MAX_SCANNED:
            _scan(text, dialect)
        loader = _LOADER(text)
        try:
            documents = []
            while loader.check_node():
                node = loader.get_node()
                builder = _Builder(dialect, text)
                value = builder.build(node) if node is not None else None
                documents.append(YamlDocument(value, node, tuple(builder.duplicates)))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        code = "tab" if _is_tab(text, error, line) else "yaml-syntax"
        raise YamlError(code, _explain(error), line) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        raise YamlError("binary", f"holds a character that YAML does not allow: {error.reason}", line) from error
    except yaml.YAMLError as error:
        raise YamlError("yaml-syntax", str(error).splitlines()[0]) from error
    return documents


_MAX_SCANNED = 500_000
"""Characters that are scanned in Python, which takes about a second."""


class _Scanner(yaml.SafeLoader):
    """PyYAML's scanner; it can be told to allow tabs inside brackets, as ruamel.yaml does."""

    tabs_in_brackets = False

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.tabs_in_brackets and self.flow_level and self.peek() == "\t":
            self.forward()
            super().scan_to_next_token()


def _scan(text: str, dialect: Dialect) -> None:
    """Raises what PyYAML raises when the consumer could not take the text apart."""
    scanner = _Scanner(text)
    scanner.tabs_in_brackets = dialect is Dialect.FLOW
    try:
        while scanner.check_token():
            scanner.get_token()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it untyped
    finally:
        scanner.dispose()


def _explain(error: yaml.MarkedYAMLError) -> str:
    return " ".join(part for part in (error.context, error.problem) if part)


def _is_tab(text: str, error: yaml.MarkedYAMLError, line: int | None) -> bool:
    if line is None or "cannot start any token" not in str(error.problem):
        return False
    lines = text.splitlines()
    return line <= len(lines) and "\t" in lines[line - 1]


_NESTING = Pattern(r"^[ \t]*(?:[-?:][ \t]+)*", re.MULTILINE)


def depth_is_safe(text: str) -> bool:
    """Whether the text nests at most MAX_DEPTH levels.

    Cheap bounds first: brackets open flow collections, indentation and leading dashes open block collections. Only
    a text that exceeds them is scanned event by event, which does not recurse.
    """
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH // 2 and _indentation(text) <= MAX_DEPTH // 2:
        return True
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    return False
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        # not YAML at all, but it failed before it became deep: composing will say the same with a place
        return True
    return True


def _indentation(text: str) -> int:
    """An upper bound of the block collections open at once: half the widest run of blanks and dashes before a value."""
    return max((len(run) for run in _NESTING.findall(text)), default=0) // 2 + 1


_BOOL_12 = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_BOOL_11 = {
    **_BOOL_12,
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), False),
}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INT_12 = Pattern(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z")
_INT_11 = Pattern(r"[-+]?(?:0b[01_]+|0[0-7_]+|(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)\Z")
_FLOAT = Pattern(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_FLOAT_START = frozenset("+-.0123456789")


class _Builder:
    """Turns a composed tree into plain values, bounded in depth and in the number of values."""

    def __init__(self, dialect: Dialect, text: str) -> None:
        self._dialect = dialect
        self._text = text
        self._values = 0
        self._open: set[int] = set()
        self.duplicates: list[tuple[str, int]] = []

    def build(self, node: yaml.Node) -> Json:
        self._values += 1
        if self._values > MAX_VALUES:
            raise YamlError("too-many-aliases", f"expands to more than {MAX_VALUES:,} values", node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return _resolve(node, self._dialect)
        if _is_template(node):
            # an unquoted {{ name }} composes as a mapping with a mapping for its key: it is the text of a template
            return self._text[node.start_mark.index : node.end_mark.index]
        if id(node) in self._open:
            raise YamlError("yaml-syntax", "an alias that contains itself", node.start_mark.line + 1)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return dict(self._entries(node))
            return [self.build(element) for element in node.value]
        finally:
            self._open.discard(id(node))

    def _entries(self, node: yaml.MappingNode) -> Iterator[tuple[str, Json]]:
        self._note_duplicates(node)
        for key, value in _pairs(node):
            yield _key(key), self.build(value)

    def _note_duplicates(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            name = _key(key)
            if name in seen and not _is_merge(key):
                line = key.start_mark.line + 1
                if self._dialect is Dialect.FLOW:
                    raise YamlError("duplicate-key", f"the key {name!r} appears twice", line)
                self.duplicates.append((name, line))
            seen.add(name)


def _resolve(node: yaml.ScalarNode, dialect: Dialect) -> Json:
    """The value of a scalar in the dialect."""
    text = str(node.value)
    if node.style or node.tag.startswith("!"):
        return text
    if node.tag == "tag:yaml.org,2002:str" and text[:1] not in _FLOAT_START:
        # libyaml resolves by YAML 1.1, which takes more for bool and null than 1.2 does, never less
        return text
    if text in _NULLS:
        return None
    booleans = _BOOL_12 if dialect is Dialect.FLOW else _BOOL_11
    if text in booleans:
        return booleans[text]
    return _number(text, dialect)


# names that mean something in facts: a file that uses one for a key gets it with a backslash before it
_OURS = frozenset(("$unknown", "$incomplete", "$at", "$file", "$from"))


def _key(key: yaml.Node) -> str:
    name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
    return f"\\{name}" if name in _OURS else name


def _number(text: str, dialect: Dialect) -> Json:
    if text[:1] not in _FLOAT_START or len(text) > MAX_DIGITS:
        return text
    try:
        if dialect is Dialect.FLOW and _INT_12.match(text):
            plain = text.replace("_", "")
            return int(plain, 0 if plain.lstrip("+-")[:2] in ("0b", "0o", "0x") else 10)
        if dialect is Dialect.AZURE and _INT_11.match(text):
            return _old_integer(text.replace("_", ""))
        if _FLOAT.match(text) and (dialect is Dialect.FLOW or "." in text):
            plain = text.replace("_", "").lower()
            return text if "inf" in plain or "nan" in plain else float(plain)
    except ValueError:
        return text
    return text


def _old_integer(text: str) -> int:
    """A YAML 1.1 integer, octal with a leading 0 and base 60 with colons included."""
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if ":" in digits:
        total = 0
        for part in digits.split(":"):
            total = total * 60 + int(part)
        return sign * total
    if digits[:2] in ("0b", "0x"):
        return sign * int(digits, 0)
    return sign * int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
