"""How the inputs of nodes meet what their code, their template or their API takes, as promptflow brings them together.

Source: promptflow-core 1.18.5, promptflow/executor/_tool_resolver.py; each outcome was run. An input whose value is
null or the empty text counts as not written. References are never converted, so only literals can have a wrong type.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from pfdoctor.core.derive.conversion import converts
from pfdoctor.core.derive.nodes import (
    Definition,
    annotation_names,
    defers_annotations,
    definitions,
    is_complete,
    is_dropped,
    items,
    tool_of,
)
from pfdoctor.core.derive.tools import LLM_APIS, PACKAGE_TOOLS, PROVIDERS, RENAMED_TOOLS, Slot, ToolInputs
from pfdoctor.core.model import Json

_ANNOTATIONS = {"int": "int", "float": "double", "bool": "bool", "list": "list"}


def derive_arguments(view: dict[str, Json]) -> dict[str, Json]:
    """`{"arguments": [...], "unclear_arguments": bool}` of a view, to be merged into `graph`."""
    matcher = _Matcher(view)
    for definition in definitions(view):
        matcher.match(definition)
    flow = view.get("flow")
    nodes = flow.get("nodes") if isinstance(flow, dict) else None
    return {"arguments": matcher.found, "unclear_arguments": matcher.unclear or not is_complete(nodes)}


class _Taken(NamedTuple):
    """What a definition takes: its slots, the variables of its template (None without one), and whether anything
    else is welcome."""

    slots: dict[str, Slot]
    variables: list[str] | None = None
    any_keyword: bool = False
    source: str | None = None
    reserved: frozenset[str] = frozenset()
    strict: frozenset[str] = frozenset()
    """The variables without which every rendering fails."""
    positional: frozenset[str] = frozenset()
    """Parameters that cannot be given by name."""


class _Matcher:
    def __init__(self, view: dict[str, Json]) -> None:
        self._view = view
        self._templates = {one.get("file"): one for one in items(view["flow"].get("templates"))}
        self.found: list[dict[str, Json]] = []
        self.unclear = False

    def match(self, definition: Definition) -> None:
        taken = self._taken(definition.node)
        if taken is None:
            self.unclear = self.unclear or definition.served
            return
        for argument in (*_arguments(definition, taken), *self._failing(definition)):
            self.found.append(
                {
                    "node": definition.node.get("name"),
                    "source": taken.source,
                    "served": definition.served,
                    "aggregation": definition.aggregation,
                    "conditional": definition.conditional,
                    **argument,
                }
            )

    def _failing(self, definition: Definition) -> Iterator[dict[str, Json]]:
        """What the node's template holds that fails every rendering, whatever it is given."""
        template = self._templates.get(definition.node.get("source_path")) or {}
        for problem, key in (("unknown-test", "unknown_tests"), ("refused", "refused_attributes")):
            names = template.get(key)
            for name in names if isinstance(names, list) else ():
                yield _argument(problem, name, definition.path)

    # what a node takes, by its type

    def _taken(self, node: dict[str, Json]) -> _Taken | None:
        kind = node.get("type")
        if kind == "prompt":
            variables = self._variables(node)
            return (
                None
                if variables is None
                else _template({}, variables, node, frozenset({"template"}), self._strict(node))
            )
        if kind == "llm":
            return self._llm(node)
        if node.get("source_type") in ("package", "package_with_prompt"):
            return self._package(node)
        return self._python(node) if kind == "python" else None

    def _strict(self, node: dict[str, Json]) -> frozenset[str]:
        template = self._templates.get(node.get("source_path"))
        names = template.get("strict_variables") if template else None
        return frozenset(names) if isinstance(names, list) else frozenset()

    def _variables(self, node: dict[str, Json]) -> list[str] | None:
        template = self._templates.get(node.get("source_path"))
        variables = template.get("variables") if template else None
        return variables if isinstance(variables, list) else None

    def _python(self, node: dict[str, Json]) -> _Taken | None:
        tool = tool_of(self._view, node)
        if tool is None:
            return None
        source, function = tool
        converts = not defers_annotations(source)
        slots = {
            one["name"]: Slot((kind,) if converts and (kind := _converted_type(one)) else (), one["required"] is True)
            for one in function["parameters"]
        }
        positional = frozenset(one["name"] for one in function["parameters"] if one.get("positional_only") is True)
        any_keyword = function.get("accepts_any_keyword") is not False
        return _Taken(slots, None, any_keyword, source["file"], positional=positional)

    def _package(self, node: dict[str, Json]) -> _Taken | None:
        name = node.get("source_tool")
        tool = PACKAGE_TOOLS.get(RENAMED_TOOLS.get(str(name), str(name)))
        if tool is None:
            return None
        if not tool.takes_prompt:
            return _Taken(tool.slots, None, any_keyword=False, source=name)
        variables = self._variables(node)
        return (
            None
            if variables is None
            else _template(tool.slots, variables, node, frozenset(tool.slots), self._strict(node))
        )

    def _llm(self, node: dict[str, Json]) -> _Taken | None:
        variables = self._variables(node)
        apis = self._apis(node)
        if variables is None or not apis:
            return None
        names = frozenset.intersection(*(frozenset(api.slots) for api in apis))
        slots = dict(apis[0].slots)
        for api in apis[1:]:
            slots |= {name: slot for name, slot in api.slots.items() if name not in slots}
        if len(apis) > 1:
            # the connection decides which API it is, and it is not known: what only one of them wants may be left out
            slots = {name: Slot(slot.types) for name, slot in slots.items()}
        return _template(slots, variables, node, names, self._strict(node))

    def _apis(self, node: dict[str, Json]) -> list[ToolInputs]:
        """The APIs that the node may call. The class of its connection decides; `provider` is ignored by promptflow
        and only hints at the class of a connection that no file defines."""
        connection = node.get("connection")
        classes = {
            one.get("connection_class")
            for one in items(self._view.get("connections"))
            if one.get("name") == connection and isinstance(one.get("connection_class"), str)
        }
        providers = {PROVIDERS[one] for one in classes if one in PROVIDERS}
        if not providers:
            given = {one["name"] for one in items(node.get("inputs")) if not is_dropped(one.get("value"))}
            named = str(node.get("provider"))
            # with a model and no deployment, it works with the other provider's connection
            hinted = named in ("AzureOpenAI", "OpenAI") and not (named == "AzureOpenAI" and "model" in given)
            providers = {named} if hinted else {"AzureOpenAI", "OpenAI"}
        found = (LLM_APIS.get(f"{provider}.{node.get('api')}") for provider in sorted(providers))
        return [api for api in found if api is not None]


def _arguments(definition: Definition, taken: _Taken) -> Iterator[dict[str, Json]]:
    inputs = [
        (str(one.get("name")), one, f"{definition.path}.inputs[{index}]")
        for index, one in enumerate(items(definition.node.get("inputs")))
        if not is_dropped(one.get("value"))
    ]
    given = {name for name, _, _ in inputs}
    variables = taken.variables or []
    strangers = [name for name, _, _ in inputs if name not in taken.slots and name not in variables]
    wanting = [name for name, slot in taken.slots.items() if slot.required and name not in given]
    unsupplied = [name for name in variables if name not in given and name not in taken.reserved]
    for name in wanting:
        yield _argument("missing", name, definition.path, near=strangers)
    for name in unsupplied:
        yield {
            **_argument("unsupplied", name, definition.path, near=strangers),
            "strict": name in taken.strict,
        }
    for name in variables:
        if name in taken.reserved:
            yield _argument("reserved", name, definition.path)
    for name, one, path in inputs:
        if name in strangers:
            if not taken.any_keyword:
                problem = "unexpected" if taken.variables is None else "unused"
                yield _argument(problem, name, path, near=[*wanting, *unsupplied])
            continue
        if name in taken.positional and not taken.any_keyword:
            yield _argument("positional-only", name, path)
        types = taken.slots[name].types if name in taken.slots else ()
        literal = one.get("kind") == "literal" and one.get("placeholder") is not True
        if types and literal and not converts(one.get("value"), types[0]):
            yield _argument("type", name, path, detail=types[0])


def _argument(
    problem: str, name: str, path: str, near: Collection[str] = (), detail: str | None = None
) -> dict[str, Json]:
    close = difflib.get_close_matches(name, near, n=1)
    suggestion = close[0] if close else None
    return {"name": name, "problem": problem, "suggestion": suggestion, "detail": detail, "$from": path}


def _template(
    slots: dict[str, Slot],
    variables: Iterable[str],
    node: dict[str, Json],
    reserved: frozenset[str],
    strict: frozenset[str],
) -> _Taken:
    """What a node with a template takes. The connection and the prompt of an LLM node stand elsewhere."""
    if node.get("type") == "llm":
        slots = {name: Slot(()) if name in ("connection", "prompt") else slot for name, slot in slots.items()}
    return _Taken(slots, list(variables), source=node.get("source_path"), reserved=reserved, strict=strict)


def _converted_type(parameter: dict[str, Json]) -> str | None:
    """The type that promptflow converts a literal to: that of the annotation, else that of the default."""
    if parameter.get("annotation") is not None:
        names = annotation_names(parameter["annotation"])
        return _ANNOTATIONS.get(names[0]) if len(names) == 1 else None
    default = parameter.get("default")
    return _ANNOTATIONS.get(type(default).__name__) if default is not None else None
