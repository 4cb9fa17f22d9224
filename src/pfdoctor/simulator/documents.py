"""Scenario files as text: values with their places, one file extending another, variables.

A file is read as YAML with JSON's scalars (a date stays a text, `on` too). `!remove` in place of a value takes away
what the extended file has there, `!replace` before a mapping puts it in place of the other one instead of merging both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][\w-]*)\}")
_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")
_WORDS: Mapping[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}

Path_ = tuple[str, ...]
REMOVE = object()
"""Stands where `!remove` stood."""


class ScenarioError(Exception):
    """A scenario that cannot be loaded: what is wrong, with file and line where they are known."""


class Replacement(dict[str, Any]):
    """A mapping that was marked `!replace`."""


class Document:
    """One file: its value and the line of every key and element, by path."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines: dict[Path_, tuple[str, int]] = {}
        self.variables: list[tuple[str, int]] = []
        """Every variable that is used, with its line."""
        try:
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ScenarioError(f"{file}:{line}: not YAML: {error.problem}") from None
        self.value: dict[str, Any] = {}
        if root is not None:
            value = self._value(root, ())
            if not isinstance(value, dict):
                raise ScenarioError(f"{file}:1: a scenario is a mapping, this is a {type(value).__name__}")
            self.value = value

    def _value(self, node: yaml.Node, path: Path_) -> Any:
        self.lines[path] = (self.file, node.start_mark.line + 1)
        if node.tag == "!remove":
            return REMOVE
        if node.tag.startswith("!") and node.tag != "!replace":
            self._fail(node, f"the tag {node.tag} is not known; there are !remove and !replace")
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = Replacement() if node.tag == "!replace" else {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    self._fail(key, "a key must be a text")
                if key.value in mapping:
                    self._fail(key, f"the key {key.value!r} stands here twice")
                below = (*path, key.value)
                self._note_variables(key)
                mapping[key.value] = self._value(value, below)
                self.lines[below] = (self.file, key.start_mark.line + 1)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self._value(element, (*path, str(index))) for index, element in enumerate(node.value)]
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, "this is neither a mapping nor a list nor a value")
        self._note_variables(node)
        return node.value if node.style else _scalar(node.value)  # a plain scalar has no style

    def _note_variables(self, node: yaml.ScalarNode) -> None:
        line = node.start_mark.line + 1
        self.variables += [(match[1], line) for match in _VARIABLE.finditer(node.value)]

    def check_variables(self, known: Mapping[str, str]) -> None:
        """Raise for the first variable that nobody defines."""
        for name, line in self.variables:
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ScenarioError(f"{self.file}:{line}: the variable ${{{name}}} is not defined; there are: {names}")

    def _fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise ScenarioError(f"{self.file}:{node.start_mark.line + 1}: {problem}")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read(file: Path) -> tuple[dict[str, Any], dict[Path_, tuple[str, int]]]:
    """A scenario file and all that it extends, merged and with its variables put in; and where each thing stands."""
    chain: list[Document] = []
    seen: set[Path] = set()
    following: Path | None = file
    while following is not None:
        if following.resolve() in seen:
            raise ScenarioError(f"{file}: the files extend each other in a circle")
        seen.add(following.resolve())
        try:
            document = Document(str(following), following.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{following}: cannot be read: {error}") from None
        chain.insert(0, document)
        base = document.value.pop("extends", None)
        following = following.parent / str(base) if base else None
    variables: dict[str, str] = {}
    for document in chain:
        variables |= {str(name): str(value) for name, value in (document.value.pop("variables", None) or {}).items()}
    merged: dict[str, Any] = {}
    lines: dict[Path_, tuple[str, int]] = {}
    for document in chain:
        document.check_variables(variables)
        names = {path: tuple(substitute(part, variables) for part in path) for path in document.lines}
        lines |= {names[path]: place for path, place in document.lines.items()}
        merged = merge(merged, substitute(document.value, variables))
    return without_marks(merged), lines


def substitute(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with `${name}` replaced in every text and key; a variable may refer to others."""
    if isinstance(value, str):
        return _VARIABLE.sub(
            lambda match: str(substitute(variables.get(match[1], match[0]), _without(variables, match[1]))), value
        )
    if isinstance(value, dict):
        return type(value)({substitute(key, variables): substitute(item, variables) for key, item in value.items()})
    if isinstance(value, list):
        return [substitute(element, variables) for element in value]
    return value


def _without(variables: Mapping[str, str], name: str) -> Mapping[str, str]:
    """What a variable's own value may refer to: not to itself, which would never end."""
    return {other: value for other, value in variables.items() if other != name}


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid upon `base`: mappings are merged, everything else is replaced, `!remove` takes away."""
    merged = dict(base)
    for key, value in over.items():
        if value is REMOVE:
            merged.pop(key, None)
        elif isinstance(value, dict) and not isinstance(value, Replacement) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def without_marks(value: Any) -> Any:
    """The value as plain mappings, without what was marked for removal where there was nothing to remove."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if item is not REMOVE}
    if isinstance(value, list):
        return [without_marks(element) for element in value]
    return value
