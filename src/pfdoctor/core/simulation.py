"""The facts as they will be after an action: what it states is predicted, what it may touch besides becomes unknown.

A guess would be worse than nothing: a definite prediction has to come true (the fifth law). So whatever a collector
computes from the edited place is set to unknown, except a list of faults that is empty: mending one thing adds none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

from pfdoctor.core import live_effects
from pfdoctor.core.action import (
    Action,
    AssignRole,
    ChangeRequirement,
    CreateFile,
    EnableProvider,
    MoveFile,
    RemoveFact,
    RenameKey,
    RouteTraffic,
    SetFact,
    concrete_keys,
)
from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import Facts, Found
from pfdoctor.core.model import Json, Unknown

PREDICTED = Unknown("to-be-collected", "not known before the change is made and the facts are collected again")
_UNKNOWN = PREDICTED.to_json()

# a fact of a file → what the collectors compute from it; `[]` is every element of a list
_FOLLOWS: dict[str, tuple[str, ...]] = {
    "deployment": (
        "deployment.placeholders", "deployment.unrendered", "deployment.wrong_types", "deployment.is_template",
        "deployment.malformed_references", "secrets",
    ),
    "deployment.environment_variables": ("deployment.malformed_environment_variables",),
    "deployment.malformed_environment_variables": (
        "deployment.environment_variables", "deployment.malformed_environment_variables",
    ),
    "deployment.liveness_probe": ("deployment.probe_budgets",),
    "deployment.readiness_probe": ("deployment.probe_budgets",),
    "endpoint": ("secrets",),
    "endpoint.enforce_access_to_default_secret_stores": ("endpoint.properties",),
    "endpoint.traffic": ("endpoint.traffic_total",),
    "environment": ("environment.misplaced", "secrets"),
    "environment.inference_config": ("environment.inference_config.deviations",),
    "environment.build": (
        "environment.build.path_exists", "environment.build.dockerfile_exists", "environment.build.dockerfile_actual",
        "environment.base_image", "environment.built_on_promptflow", "dockerfile", "requirements",
    ),
    "environment.image": (
        "environment.image", "environment.base_image", "environment.built_on_promptflow", "deployment.placeholders",
    ),
    "deployment.malformed_references": (
        "deployment.malformed_references", "deployment.model", "deployment.environment", "deployment.near_misses",
        "model", "environment", "dockerfile", "flow", "requirements",
    ),
    "deployment.endpoint_name": ("deployment.near_misses", "endpoint"),
    "deployment.unknown_keys": ("deployment.unknown_keys",),
    "endpoint.unknown_keys": ("endpoint.unknown_keys",),
    "environment.unknown_keys": ("environment.unknown_keys",),
    "environment.misplaced": (
        "environment.misplaced", "environment.unknown_keys", "deployment.unknown_keys", "environment.inference_config",
    ),
    "model": ("secrets",),
    "model.path": (
        "model.path_exists", "model.is_remote", "model.folder", "model.flow_folders", "model.entries", "flow",
    ),
    "flow.environment.image": ("flow.environment.image",),
    "flow.flex.entry": ("flow.flex", "flow.sources"),
    "flow.type": ("flow.is_chat", "flow.is_evaluation"),
    "flow.environment": (
        "flow.environment.python_requirements_exists", "flow.environment.requirements_file", "requirements",
    ),
    "flow.inputs[].default": ("flow.inputs[].placeholder",),
    "flow.inputs[].is_chat_input": ("flow.chat_input_count", "flow.is_chat"),
    "flow.inputs[].is_chat_history": ("flow.chat_history_count",),
    "flow.outputs[].is_chat_output": ("flow.chat_output_count", "flow.is_chat"),
    "flow.nodes[].source_path": (
        "flow.nodes[].source_exists", "flow.nodes[].source_actual", "flow.nodes[].source_outside",
        "flow.nodes[].source_in_includes", "flow.nodes[].source_in_code", "flow.sources", "flow.templates",
        "flow.ignored_files",
    ),
    "flow.nodes[].source_type": ("flow.sources", "flow.templates"),
    "flow.nodes[].source_tool": ("flow.other_tools",),
    "flow.nodes[].type": ("flow.sources", "flow.templates", "flow.is_evaluation"),
    "flow.nodes[].api": ("flow.templates",),
    "flow.nodes[].use_variants": ("flow.nodes[].served", "flow.nodes_with_variants", "flow.sources", "flow.templates"),
    "flow.nodes[].aggregation": ("flow.is_evaluation",),
    "flow.nodes_with_variants": ("flow.nodes", "flow.nodes_with_variants", "flow.sources", "flow.templates"),
    "flow": ("secrets",),
}  # fmt: skip
_SIBLINGS = {
    "request_settings": ("request_timeout_ms", "max_concurrent_requests_per_instance", "max_queue_wait_ms"),
    "data_collector": ("sampling_rate", "rolling_rate"),
}
_FILES_CHANGED = (
    "flow.top_entries", "flow.samples", "flow.dotenv", "flow.environment", "flow.nodes[].source_exists",
    "flow.nodes[].source_actual", "flow.nodes[].source_in_code", "flow.sources", "flow.templates",
    "flow.additional_includes", "flow.ignored_files", "flow.definition_files", "requirements", "dockerfile",
    "environment.build", "environment.base_image", "environment.built_on_promptflow", "environment.conda_file",
    "model.entries", "model.path_exists", "deployment.code_configuration", "documents", "secrets",
)  # fmt: skip
_FAULTS = frozenset(
    "placeholders unrendered wrong_types malformed_references malformed_environment_variables unknown_keys misplaced "
    "near_misses secrets documents deviations ignored_files".split()
)
"""Lists that hold faults: an empty one stays empty."""


def simulate(action: Action, facts: Facts, view: str, item: Found | None = None) -> Facts:
    """The facts after the action, whose placeholders are filled in."""
    document = copy.deepcopy(facts.document)
    if isinstance(action, SetFact | RemoveFact | RenameKey):
        # a path such as live.deployment… names its view itself
        keys = concrete_keys(Scope(facts, view, item).look_up(action.fact).path)
        _edit(document, str(keys[0]), keys[1:], action)
        return Facts(document)
    body = document.get(view)
    if not isinstance(body, dict):
        return facts
    match action:
        case ChangeRequirement(name, line):
            _require(body, name, line)
        case CreateFile() | MoveFile():
            _forget(body, _FILES_CHANGED)
        case _:
            live = document.get("live")
            if isinstance(live, dict):
                _in_azure(live, action)
    return Facts(document)


def _edit(
    document: dict[str, Json], view: str, keys: list[str | int], action: SetFact | RemoveFact | RenameKey
) -> None:
    body = document.get(view)
    if not isinstance(body, dict):
        return
    if view == "live":
        replaced = {"environment": live_effects.REPLACED, "deployment": live_effects.RESTARTED}
        _forget(body, replaced.get(str(keys[0]), live_effects.ROUTED))
        if keys == ["environment", "version"]:
            # another version is another environment: nobody has read it whole
            body["environment"] = dict(_UNKNOWN)
            return
    match action:
        case SetFact(_, value):
            _follow(body, keys)
            _put(document, [view, *keys], value)
        case RemoveFact():
            _follow(body, keys)
            _put(document, [view, *keys], None)
        case RenameKey(_, to):
            _rename(body, keys, to)


def _in_azure(live: dict[str, Json], action: Action) -> None:
    match action:
        case AssignRole(role, scope):
            live_effects.grant(live, role, scope)
        case RouteTraffic(deployment):
            live_effects.route(live, deployment)
            _forget(live, live_effects.ROUTED)
        case EnableProvider(namespace):
            live_effects.register(live, namespace)
        case _:
            _forget(live, live_effects.RESTARTED)


def source_of(scope: Scope, facts: Facts) -> Found | None:
    """The item of the scope as the collectors noted it: a derived item stands for the fact that it was derived from.

    `facts` are those that were collected. Both were seen at one place, which is how they are found together.
    """
    item = scope.item
    if item is None:
        return None
    _, _, path = item.path.partition(".")
    body = facts.document.get(scope.view)
    if isinstance(body, dict) and concrete_keys(path)[0] in body:
        return item
    places = scope.facts.document.get("origins", {}).get(scope.view, {})
    here = places.get(path)
    found = (one for one, place in places.items() if place == here and one.startswith(_SOURCES))
    source = next(found, None) if here is not None else None
    return item if source is None else Found(f"{scope.view}.{source}", None)


_SOURCES = ("flow.nodes[", "flow.outputs[", "deployment.environment_variables.")


def _put(document: dict[str, Json], keys: list[str | int], value: Json) -> None:
    node: Json = document
    for key, below in pairwise(keys):
        node = _inside(node)
        child = node[key] if isinstance(key, int) else node.get(key)
        if child is None:
            # what lies below null is absent, and stays so beside what is set
            child = node[key] = dict.fromkeys(_SIBLINGS.get(str(key), ()))
        elif isinstance(child, dict) and "$unknown" in child:
            if isinstance(below, int):
                return  # a list that is to be collected anew has no elements to set
            child = node[key] = {}
        node = child
    node = _inside(node)
    if isinstance(node, dict):
        node[keys[-1]] = value
    elif isinstance(node, list) and isinstance(keys[-1], int):
        element = node[keys[-1]]
        if value is not None and isinstance(element, dict) and "value" in element:
            element["value"] = value
        else:
            # removed, or mended: the others keep their places
            node[keys[-1]] = dict(_UNKNOWN)


def _inside(node: Json) -> Json:
    """What an incomplete list or map holds, else the node."""
    if isinstance(node, dict) and "$incomplete" in node:
        return node["items"] if "items" in node else node["entries"]
    return node


def _follow(body: dict[str, Json], keys: list[str | int]) -> None:
    """Sets to unknown what collectors compute from the fact at the keys."""
    indexes = [key for key in keys if isinstance(key, int)]
    # the first list on the way is marked, for what follows from an element follows for that element
    dotted = ".".join(f"{key}[]" if index else str(key) for key, index in _marked(keys))
    for source, followers in _FOLLOWS.items():
        if dotted == source or dotted.startswith((f"{source}.", f"{source}[")):
            _forget(body, followers, indexes[0] if indexes else None)


def _marked(keys: list[str | int]) -> list[tuple[str, bool]]:
    """The keys that are names, each with whether it is the first list of which an element is meant."""
    first = next((at for at, key in enumerate(keys) if isinstance(key, int)), None)
    return [(key, first is not None and at == first - 1) for at, key in enumerate(keys) if isinstance(key, str)]


def _forget(body: dict[str, Json], paths: tuple[str, ...], index: int | None = None) -> None:
    """Sets the facts to unknown; `[]` in a path is the element of that index, or every one."""
    for path in paths:
        collection, is_list, leaf = path.partition("[].")
        holders = list(_elements(body, collection, index)) if is_list else [_holder(body, path)]
        name = leaf if is_list else path.rpartition(".")[2]
        for holder in holders:
            if isinstance(holder, dict) and holder.get(name) is not None and not _stays(name, holder[name]):
                holder[name] = dict(_UNKNOWN)


def _stays(name: str, value: Json) -> bool:
    return name in _FAULTS and value == []


def _holder(body: dict[str, Json], path: str) -> Json:
    """The object that has the last name of the path."""
    node: Json = body
    for name in path.split(".")[:-1]:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _elements(body: dict[str, Json], collection: str, index: int | None) -> Iterator[Json]:
    holder = _holder(body, collection)
    found = _inside(holder.get(collection.rpartition(".")[2])) if isinstance(holder, dict) else None
    if isinstance(found, list):
        yield from found if index is None else found[index : index + 1]


def _rename(body: dict[str, Json], keys: list[str | int], to: str) -> None:
    """A key gets another name; where that is the one of a fact, what it will be is told by the next collection."""
    section = body.get(str(keys[0]))
    if "inputs" in keys:
        _put(body, [*keys, "name"], to)
        return
    if "environment_variables" in keys:
        variables = _inside(section["environment_variables"]) if isinstance(section, dict) else {}
        variables[to] = variables.pop(keys[-1], None)
        _follow(body, keys)
        return
    _follow(body, keys)
    if not isinstance(section, dict):
        return
    for key in keys[1:-1]:
        if key in _FAULTS and isinstance(section.get(key), list):
            section[key] = dict(_UNKNOWN)
    target = to.partition(".")[0].replace("$schema", "schema_url")
    names = {target, *(name for name in section if name in _SPREAD.get(target, ()))}
    for name in names & set(section):
        section[name] = dict(_UNKNOWN)


# keys of a file that the schema of the facts has under other names
_SPREAD = {"scale_settings": ("scale_type",), "identity": ("identity_type", "user_assigned_identities")}


def _require(body: dict[str, Json], name: str, line: str | None) -> None:
    requirements = body.get("requirements")
    if not isinstance(requirements, dict) or "$unknown" in requirements:
        return
    _forget(body, ("secrets",))
    entries = _inside(requirements["entries"])
    if not isinstance(entries, list):
        return
    wanted = normalised(name)
    places = [index for index, entry in enumerate(entries) if entry.get("name") == wanted]
    if line is None:
        for index in reversed(places):
            del entries[index]
        return
    known = {
        "name": wanted, "raw": line, "specifier": line[len(name) :].strip(), "marker": None, "url": None,
        "problem": None, "pinned_version": _pin(line),
    }  # fmt: skip
    if places:
        for index in places:
            entries[index] = {**entries[index], **known}
    else:
        entries.append({**known, "file": dict(_UNKNOWN), "installed_by": dict(_UNKNOWN)})


def normalised(name: str) -> str:
    """A package's name as PEP 503 writes it."""
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def _pin(line: str) -> str | None:
    _, exact, version = line.partition("==")
    return version.strip() if exact and not set(version) & set(",*;") else None
