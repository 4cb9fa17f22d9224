"""An object of an answer, read value by value: one of another type than was documented is unknown, never a crash."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.cloud.reading import Reading
from pfdoctor.core.model import Json, Source, Unknown


class Body:
    """An object in an answer. A missing key is null; below an object that is none everything is unknown."""

    def __init__(self, value: Json, name: str = "the answer", fault: Json = None) -> None:
        self._name = name
        self._fault = fault
        self._value: dict[str, Json] = {}
        if isinstance(value, dict):
            self._value = value
        elif value is not None:
            self._fault = fault or self._wrong(value, "object")
        self.is_absent = value is None

    def _wrong(self, value: Json, expected: str) -> Json:
        return Unknown("wrong-type", f"{self._name} is {_kind(value)}, not {expected}").to_json()

    def raw(self, name: str) -> Json:
        """The value as it is."""
        return self._value.get(name) if self._fault is None else self._fault

    def child(self, name: str) -> Body:
        return Body(self._value.get(name), name, self._fault)

    def children(self, name: str) -> Iterator[Body]:
        """The objects of a list; none when it is no list."""
        value = self._value.get(name)
        for one in value if isinstance(value, list) else ():
            if isinstance(one, dict):
                yield Body(one, name)

    def items(self) -> Iterator[tuple[str, Json]]:
        """The entries of a free map, but for names that the facts have taken."""
        return ((key, value) for key, value in self._value.items() if not key.startswith("$"))

    def text(self, name: str) -> Json:
        return self._typed(name, str, "a text")

    def lower(self, name: str) -> Json:
        """A text in lower case: Azure spells its words now one way and now another."""
        value = self.text(name)
        return value.lower() if isinstance(value, str) else value

    def boolean(self, name: str) -> Json:
        return self._typed(name, bool, "true or false")

    def whole(self, name: str) -> Json:
        value = self._value.get(name)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return self._typed(name, int, "a whole number")

    def number(self, name: str) -> Json:
        value = self._value.get(name)
        if isinstance(value, float) and self._fault is None:
            return value
        return self._typed(name, int, "a number")

    def _typed(self, name: str, kind: type, expected: str) -> Json:
        if self._fault is not None:
            return self._fault
        value = self._value.get(name)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        return Unknown("wrong-type", f"{name} is {_kind(value)}, not {expected}").to_json()

    def texts(self, name: str) -> Json:
        """A list of texts; without one, an empty list."""
        if self._fault is not None:
            return self._fault
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return Unknown("wrong-type", f"{name} is no list of texts").to_json()
        return value

    def map(self, name: str) -> Json:
        """A free map; null when it is not there."""
        return self.child(name).entries()

    def entries(self) -> Json:
        """The object as a free map; null when it is not there."""
        if self._fault is not None:
            return self._fault
        return None if self.is_absent else dict(self.items())


def sourced(facts: dict[str, Json], source: Source) -> dict[str, Json]:
    """The facts with where they were read."""
    return {**facts, "$source": source}


def placed(value: Json, source: Source) -> dict[str, Json]:
    """A list or a single value, which has no room for a key, with where it was read."""
    return {"$list": value, "$source": source}


def unread(reading: Reading, what: str) -> Json:
    """Why nothing is known about `what`: the reading's own reason, with the name of what was to be read."""
    why = reading.unknown or Unknown("not-collected", "not collected")
    return {**named(why, what).to_json(), "$source": reading.source}


def named(why: Unknown, what: str) -> Unknown:
    return why._replace(detail=f"{what}: {why.detail}")


def listed(reading: Reading, items: Json, what: str) -> Json:
    """Items of a list that was read, as a fact: whole, or as far as the pages went."""
    if reading.incomplete is not None:
        why = named(reading.incomplete, what).to_json()["$unknown"]
        return {"$incomplete": why, "items": items, "$source": reading.source}
    return {"$list": items, "$source": reading.source}


def _kind(value: Json) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
