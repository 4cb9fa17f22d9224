"""A mapping of a YAML file, read by the names of the CLI schema, whatever dialect it is written in, with places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.collect.arm_text import snake
from pfdoctor.core.model import Json
from pfdoctor.yaml_document import Key, Place, YamlDocument


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
