"""Facts: one immutable JSON document a case, looked up by path; what could not be observed is a value, `Unknown`.

A document is `{schema, case, declared, live, logs, clock, origins, excerpts, joins}`. `declared` and `live` are two
views of one schema (rules/schema/facts.schema.json). Inside a view `null` means observed to be absent,
`{"$unknown": …}` that nobody could look, and `{"$incomplete": …, "items": […]}` (or `"entries": {…}`) is a list (or
free map) of which only a part was seen. `origins` maps a view to `{concrete path: place}`: `[file, line, column, end
column]` in a file, a mapping (see model.Source) in an answer of a service.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias, cast

from pfdoctor.core.model import Json, Origin, PfdoctorError, Place, Source, Unknown
from pfdoctor.core.pattern import Pattern

SCHEMA_NAME = "pfdoctor/facts/v1"
VIEWS = ("declared", "live")
_ABSOLUTE = (*VIEWS, "logs", "hits", "unexplained", "clock", "case")
_STEP = Pattern(r'"((?:[^"\\]|\\.)*)"|([^."\s]+)')
_IN_LOG = Pattern(
    r"(?P<list>hits|unexplained)\[(?P<hit>\d+)\]|logs\[(?P<log>\d+)\](?:\.(?P<part>hits|errors)\[(?P<index>\d+)\])?"
)

NOT_COLLECTED = Unknown("not-collected", "not collected")


class FactsError(PfdoctorError):
    """A facts document that is not one, or a path that names no fact."""


class Step(NamedTuple):
    """One segment of a path; in a free map a missing key is observed absent, elsewhere it is unknown."""

    key: str
    in_map: bool


class FactPath(NamedTuple):
    """A path checked against the schema: where it starts (`it`, a view or the document), its steps, and its shape.

    `views` are those in which it can be known: files say nothing of quota, Azure nothing of source code.
    """

    text: str
    root: Literal["it", "view", "document"]
    steps: tuple[Step, ...]
    shape: dict[str, Json]
    views: tuple[str, ...] = VIEWS

    @property
    def is_collection(self) -> bool:
        """Whether the fact is a list or a free map."""
        return "items" in self.shape or isinstance(self.shape.get("additionalProperties"), dict)


class Found(NamedTuple):
    """A looked-up fact: its concrete path (with list indexes) and its value, `Unknown` included."""

    path: str
    value: Json


class FactsSchema:
    """The shape of every fact, read from the JSON Schema; knows which paths exist and which objects are free maps."""

    def __init__(self, schema: dict[str, Json]) -> None:
        self._root = schema
        self._view = self._deref(schema["properties"]["declared"])

    def compile(self, text: str, collection: FactPath | None = None) -> FactPath:
        """The path, checked. `collection` is the list or free map that `it` is an element of.

        Raises FactsError, with the nearest existing name, when the schema has no such fact.
        """
        keys = _split(text)
        if not keys:
            raise FactsError(f"{text!r} is not a path of a fact")
        root: Literal["it", "view", "document"]
        if keys[0] == "it":
            if collection is None:
                raise FactsError("'it' is bound only below some, every and each")
            node, root, keys = self._element(collection), "it", keys[1:]
        elif keys[0] in _ABSOLUTE:
            node, root = self._root, "document"
        else:
            node, root = self._view, "view"
        steps, shape, views = self._walk(node, keys, text)
        return FactPath(text, root, steps, shape, views)

    def _element(self, collection: FactPath) -> dict[str, Json]:
        if "items" in collection.shape:
            return self._deref(collection.shape["items"])
        # an entry of a free map, as quantifiers see it
        return {"properties": {"key": {"type": "string"}, "value": collection.shape.get("additionalProperties", {})}}

    def _walk(
        self, node: dict[str, Json], keys: list[str], text: str
    ) -> tuple[tuple[Step, ...], dict[str, Json], tuple[str, ...]]:
        steps = []
        views: tuple[str, ...] = VIEWS
        for key in keys:
            node = self._deref(node)
            properties = node.get("properties", {})
            if key in properties:
                steps.append(Step(key, in_map=False))
                node = properties[key]
                views = tuple(view for view in views if view in node.get("x-views", VIEWS))
            elif "additionalProperties" in node and node["additionalProperties"] is not False:
                steps.append(Step(key, in_map=True))
                extra = node["additionalProperties"]
                node = extra if isinstance(extra, dict) else {}
            else:
                raise FactsError(f"there is no fact {text!r}: {_hint(key, properties, text)}")
        return tuple(steps), self._deref(node), views

    def _deref(self, node: dict[str, Json]) -> dict[str, Json]:
        while "$ref" in node:
            target: Json = self._root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node


def _split(text: str) -> list[str]:
    keys, position = [], 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            return []
        keys.append(match[1] if match[1] is not None else match[2])
        position = match.end()
        if position < len(text):
            if text[position] != ".":
                return []
            position += 1
    return keys


def _hint(key: str, names: dict[str, Json], text: str) -> str:
    close = difflib.get_close_matches(key, names, n=1)
    if close:
        return f"did you mean {text.replace(key, close[0], 1)!r}?"
    return f"{key!r} is none of {', '.join(sorted(names)) or '(no names here)'}"


class Facts(NamedTuple):
    """The facts of one case."""

    document: dict[str, Json]

    @property
    def case(self) -> dict[str, Json]:
        return cast("dict[str, Json]", self.document["case"])

    def has_view(self, view: str) -> bool:
        return self.document.get(view) is not None

    @property
    def has_logs(self) -> bool:
        return bool(self.document.get("logs"))

    def look_up(self, path: FactPath, view: str, item: Found | None = None) -> Found:
        """The fact at the path. A missing key of an object is `Unknown`; whatever lies below null is null."""
        if path.root == "it":
            if item is None:
                raise FactsError(f"{path.text!r}: 'it' is not bound here")
            value, concrete = item.value, item.path
        elif path.root == "view":
            # a view that nobody looked at holds nothing; null would say that nothing is there
            value, concrete = self.document.get(view) or {}, view
        else:
            value, concrete = self.document, ""
        for step in path.steps:
            concrete = join(concrete, step.key)
            value = _descend(value, step)
        return Found(concrete, _decode(value))

    def value(self, path: FactPath, view: str) -> Json:
        """The value that `look_up` finds at a path that is not below `it`."""
        return value_below((self.document.get(view) or {}) if path.root == "view" else self.document, path.steps)

    def origin(self, path: str) -> Place | None:
        """Where the fact was observed; an absent one has the place of the nearest thing around it."""
        if path.startswith(("logs[", "hits[", "unexplained[")):
            return self._line_of_log(path)
        view, _, rest = path.partition(".")
        origins = self.document.get("origins", {}).get(view, {})
        while rest:
            if rest in origins:
                place = origins[rest]
                return Source.from_json(place) if isinstance(place, dict) else Origin.from_json(place)
            rest = _parent(rest)
        return None

    def _line_of_log(self, path: str) -> Origin | None:
        """The line of the log that the hit or error came from; the log itself for whatever else it says."""
        found = _IN_LOG.match(path)
        # of a log that could not be read nobody knows the lines
        if found is None or not isinstance(self.document.get(found["list"] or "logs"), list):
            return None
        if found["hit"] is not None:
            entry = self.document[found["list"]][int(found["hit"])]
            source = entry.get("log")
        else:
            log = self.document["logs"][int(found["log"])]
            entry = log[found["part"]][int(found["index"])] if found["part"] is not None else {}
            source = log.get("source")
        return Origin(source, entry.get("line")) if isinstance(source, str) else None

    def with_document(self, **changes: Json) -> Facts:
        return Facts({**self.document, **changes})

    def to_json(self) -> str:
        return json.dumps(self.document, ensure_ascii=False, sort_keys=True, indent=1)


def join(path: str, key: str | int) -> str:
    """The concrete path of an element below `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if "." in key or '"' in key or "[" in key or " " in key:
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        key = f'"{escaped}"'
    return f"{path}.{key}" if path else key


def _parent(path: str) -> str:
    if path.endswith("]"):
        return path[: path.rindex("[")]
    if path.endswith('"'):
        start = path.rfind('."', 0, -1)
        return path[:start] if start > 0 else ""
    return path.rpartition(".")[0]


def _descend(value: Json, step: Step) -> Json:
    if isinstance(value, Unknown) or value is None:
        return value
    if not isinstance(value, dict):
        return Unknown("malformed", f"not an object, so it has no {step.key!r}")
    if "$unknown" in value:
        return Unknown.from_json(value["$unknown"])
    if "$incomplete" in value:
        entries = value.get("entries", {})
        return entries[step.key] if step.key in entries else Unknown.from_json(value["$incomplete"])
    if step.key in value:
        return value[step.key]
    return None if step.in_map else NOT_COLLECTED


def _decode(value: Json) -> Json:
    if isinstance(value, dict) and "$unknown" in value:
        return Unknown.from_json(value["$unknown"])
    return value


def value_below(value: Json, steps: Iterable[Step]) -> Json:
    """What `look_up` finds below a value, without its path."""
    for step in steps:
        value = _descend(value, step)
    return _decode(value)


Members: TypeAlias = tuple[list[tuple[str | int, Json]], Unknown | None]
"""Elements with their indexes or keys, and why they may not be all."""


def members(value: Json) -> Members:
    """The elements of a list or free map as `(index or key, element)`, and why they may not be all of them.

    An element of a map is `{"key": …, "value": …}`.
    """
    why: Unknown | None = None
    if isinstance(value, dict) and "$incomplete" in value:
        why = Unknown.from_json(value["$incomplete"])
        value = value["items"] if "items" in value else value.get("entries", {})
    if isinstance(value, list):
        return [(index, _decode(element)) for index, element in enumerate(value)], why
    if isinstance(value, dict):
        return [(key, {"key": key, "value": element}) for key, element in value.items()], why
    return [], why
