"""A mapping of a YAML file, read by the names of the CLI schema, whatever dialect it is written in, with places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Key, Place, YamlDocument

_CAMEL = Pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_DURATION = Pattern(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z")


class Section(NamedTuple):
    """A mapping somewhere in a document. In the `arm` dialect keys are camelCase; elsewhere they are taken exactly."""

    document: YamlDocument
    path: tuple[Key, ...]
    value: dict[str, Json]
    arm: bool = False

    def key(self, name: str) -> str | None:
        """The key as written for a name of the CLI schema, or None."""
        if name in self.value:
            return name
        if self.arm:
            return next((key for key in self.value if snake(key) == name), None)
        return None

    def get(self, name: str, default: Json = None) -> Json:
        key = self.key(name)
        return default if key is None else self.value[key]

    def text(self, name: str) -> str | None:
        """The value as text; numbers keep the form that YAML gave them; lists and mappings are none."""
        value = self.get(name)
        if value is None or isinstance(value, dict | list):
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def child(self, name: str) -> Section | None:
        """The mapping below a key, or None when there is none."""
        key = self.key(name)
        if key is None or not isinstance(self.value[key], dict):
            return None
        return Section(self.document, (*self.path, key), self.value[key], self.arm)

    def children(self, name: str) -> Iterator[tuple[Key, Section]]:
        """The mappings in a list or mapping below a key, with their index or key."""
        key = self.key(name)
        value = self.value.get(key) if key is not None else None
        if key is None or not isinstance(value, list | dict):
            return
        pairs: Iterator[tuple[Key, Json]] = enumerate(value) if isinstance(value, list) else iter(value.items())
        for index, element in pairs:
            if isinstance(element, dict):
                yield index, Section(self.document, (*self.path, key, index), element, self.arm)

    def place(self, *names: str) -> list[int] | None:
        """Where the value below the names stands; without a name, where the mapping's own key stands."""
        place = self._lookup(names)
        return None if place is None else list(place)

    def _lookup(self, names: tuple[str, ...]) -> Place | None:
        if not names:
            return self.document.key_place(*self.path) if self.path else self.document.place()
        path = self.path
        node: Json = self.value
        for name in names:
            key = self.key(name) if node is self.value else name
            if key is None or not isinstance(node, dict) or key not in node:
                return None
            path = (*path, key)
            node = node[key]
        if isinstance(node, dict | list) or node is None or node == "":
            return self.document.key_place(*path)
        return self.document.place(*path)

    def places(self, *names: str) -> dict[str, list[int]]:
        """The `$at` of this section: its own place and that of each name that is there."""
        found = {"": self.place()}
        found |= {name: self.place(name) for name in names}
        return {name: place for name, place in found.items() if place is not None}


def snake(key: str) -> str:
    """`requestTimeout` as `request_timeout`."""
    return _CAMEL.sub("_", key).lower()


def seconds(value: Json) -> float | None:
    """A duration in seconds: a number, or ISO 8601 as Azure Resource Manager writes it (PT5S)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or value == "P":
        return None
    days, hours, minutes, rest = (float(part) if part else 0.0 for part in match.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + rest


_INSERT = Pattern(
    r"^\s*(?:<[^<>\n]{1,80}>|\{(?!\{)\s*[A-Za-z][^{}\n]{0,80}\}|__[A-Za-z0-9][A-Za-z0-9_.-]*?__|\[\[?[A-Z_ ]{3,40}\]\]?"
    r"|(?:TODO|CHANGEME|FIXME|REPLACE[_ -]?ME))\s*$"
)
_INSERT_INSIDE = Pattern(
    r"<[A-Za-z][A-Za-z0-9_ .-]{1,60}>|\{(?:insert|your)[^{}\n]{0,80}\}|__[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*__",
    re.IGNORECASE,
)
_TEMPLATE = Pattern(r"\{\{|\{%|\$\{\{|\$\([A-Za-z_][\w.-]*\)|\$\{[A-Za-z_][\w.]*\}|#\{[^{}]+\}#")


def placeholder(value: Json) -> bool:
    """Whether a text is (or holds) something that a person was to fill in by hand: `<name>`, `{insert …}`, `__X__`."""
    if not isinstance(value, str) or template(value):
        return False
    return _INSERT.match(value) is not None or _INSERT_INSIDE.search(value) is not None


def placeholder_text(value: str) -> str:
    """The placeholders in a text that holds some, each once: `<name>`."""
    inside = dict.fromkeys(match[0] for match in _INSERT_INSIDE.finditer(value))
    return ", ".join(inside) or value.strip()


_INSTRUCTION = Pattern(r"(?:insert|your|fill|replace)\b", re.IGNORECASE)


def unfilled_mapping(value: Json) -> str | None:
    """The text `{insert …}` of a value written without quotes, which YAML reads as a mapping of one key to nothing."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    key, inner = next(iter(value.items()))
    return f"{{{key}}}" if inner is None and isinstance(key, str) and _INSTRUCTION.match(key) else None


def template(value: Json) -> bool:
    """Whether a text is in a template language, to be rendered by a pipeline: `{{ }}`, `${{ }}`, `$(VAR)`, `${VAR}`."""
    return isinstance(value, str) and _TEMPLATE.search(value) is not None


def any_placeholder(value: Json) -> bool:
    """Either kind."""
    return placeholder(value) or template(value)
