"""Which place of which file holds a fact: the way back from the normalised schema to what somebody wrote.

A fact of a definition stands under the same names in the file, but for those in the tables below; in the dialect of
Azure Resource Manager it stands in camelCase below `properties`. What is neither is found by where it was observed.
"""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.action import concrete_keys
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, Origin
from pfdoctor.core.plan.step import RefusedError, Sources, YamlPath

Keys = tuple[str | int, ...]


class Spot(NamedTuple):
    """A place to edit: the file, and the YAML path in it."""

    file: str
    path: YamlPath


# fact → where the CLI's schema has it
_CLI: dict[str, dict[str, str]] = {
    "deployment": {"schema_url": "$schema", "scale_type": "scale_settings.type"},
    "endpoint": {
        "schema_url": "$schema",
        "identity_type": "identity.type",
        "enforce_access_to_default_secret_stores": "properties.enforce_access_to_default_secret_stores",
    },
    "environment": {"image.reference": "image"},
    "model": {},
    "flow": {
        "schema_url": "$schema",
        "environment.python_requirements": "environment.python_requirements_txt",
        "environment.image.reference": "environment.image",
        "flex.entry": "entry",
    },
}
# fact → where Azure Resource Manager has it, and how it spells the values
_ARM: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "deployment": {
        "environment_variables": ("properties.environmentVariables", {}),
        "instance_type": ("properties.instanceType", {}),
        "app_insights_enabled": ("properties.appInsightsEnabled", {}),
        "scale_type": ("properties.scaleSettings.scaleType", {"default": "Default"}),
    },
    "endpoint": {
        "auth_mode": ("properties.authMode", {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}),
        "identity_type": ("identity.type", {"system_assigned": "SystemAssigned"}),
        "enforce_access_to_default_secret_stores": (
            "properties.properties.enforce_access_to_default_secret_stores",
            {},
        ),
    },
}
_LEAVES: dict[str, frozenset[str]] = {
    "deployment": frozenset(
        "name endpoint_name instance_type instance_count environment_variables app_insights_enabled model_mount_path "
        "egress_public_network_access request_settings liveness_probe readiness_probe startup_probe data_collector "
        "code_configuration".split()
    ),
    "endpoint": frozenset("name auth_mode compute properties traffic mirror_traffic public_network_access".split()),
    "environment": frozenset("name version inference_config build environment_variables".split()),
    "model": frozenset("name version type path properties".split()),
    "flow": frozenset("type language message_format environment environment_variables".split()),
}
_NODE = {
    "source_type": ("source", "type"),
    "source_path": ("source", "path"),
    "source_tool": ("source", "tool"),
    "deployment_name": ("inputs", "deployment_name"),
}
_PINNED = "declared.deployment.environment.version"
_PREDICTED_ONLY = frozenset(("has_default", "has_reference", "has_when", "has_is", "is_chat", "served"))
"""Facts that restate another one: an action sets them so that a prediction is complete; no file holds them."""


def spot_of(concrete: str, facts: Facts, sources: Sources) -> Spot | None:
    """Where the fact of a concrete path is written, or would be; None for one that only restates another.

    Raises RefusedError for a fact that no file here holds.
    """
    view, *keys = concrete_keys(concrete)
    if view != "declared":
        raise RefusedError("it is a change of the workspace, not of a file")
    if concrete == _PINNED:
        return _pin(facts)
    if keys[-1] in _PREDICTED_ONLY:
        return None
    body = facts.document["declared"]
    section, rest = str(keys[0]), tuple(keys[1:])
    if section == "flow" and rest and rest[0] in ("inputs", "outputs", "nodes", "nodes_with_variants"):
        return _in_flow(body["flow"], rest, facts, sources)
    if section in _LEAVES and rest:
        spot = _in_definition(section, rest, body)
        if spot is not None:
            return spot
    return _by_origin(concrete, rest, facts, sources)


def _pin(facts: Facts) -> Spot:
    """Where a deployment names the version of its environment."""
    deployment = facts.document["declared"]["deployment"]
    reference = deployment.get("environment")
    if not isinstance(reference, dict) or reference.get("kind") != "registered" or deployment["dialect"] != "cli":
        raise RefusedError("the deployment does not name its environment as azureml:NAME:VERSION")
    return Spot(deployment["file"], ("environment",))


def spelled(concrete: str, value: Json, facts: Facts) -> Json:
    """The value as the dialect of its file spells it."""
    _, section, *rest = concrete_keys(concrete)
    body = facts.document["declared"].get(section)
    if concrete == _PINNED and isinstance(body, dict):
        return f"azureml:{body['environment']['name']}:{value}"
    if ".references[" in concrete and isinstance(value, dict):
        # what is known of a reference is more than what is written
        return value["text"]
    if isinstance(value, str) and isinstance(body, dict) and body.get("dialect") == "arm" and rest:
        return _ARM.get(str(section), {}).get(str(rest[0]), ("", {}))[1].get(value, value)
    return value


def _in_definition(section: str, rest: Keys, body: dict[str, Json]) -> Spot | None:
    facts = body[section]
    if not isinstance(facts, dict) or "$unknown" in facts or not isinstance(facts.get("file"), str):
        raise RefusedError(f"there is no file of the {section} here to write it in")
    file = facts["file"]
    if file.endswith(".prompty"):
        raise RefusedError("a .prompty is not edited by a plan")
    if facts.get("dialect") == "arm":
        known = _ARM.get(section, {}).get(str(rest[0]))
        if known is None:
            raise RefusedError("its file is in the dialect of Azure Resource Manager, where this edit is not known")
        return Spot(file, (*known[0].split("."), *rest[1:]))
    path = _below(section, rest)
    return None if path is None else Spot(file, (*_base(section, facts, body), *path))


def _below(section: str, rest: Keys) -> YamlPath | None:
    for count in (3, 2, 1):
        written = _CLI[section].get(".".join(map(str, rest[:count])))
        if written is not None:
            return (*written.split("."), *rest[count:])
    return rest if rest[0] in _LEAVES[section] and not any(isinstance(key, int) for key in rest) else None


def _base(section: str, facts: dict[str, Json], body: dict[str, Json]) -> YamlPath:
    """The path of an environment or model that is written inside the deployment."""
    deployment = body.get("deployment")
    if facts.get("inline") is not True or not isinstance(deployment, dict):
        return ()
    if deployment.get("file") != facts["file"]:
        return ()  # a file of its own that the deployment names by its path
    return ("properties", section) if deployment.get("dialect") == "arm" else (section,)


def _in_flow(flow: dict[str, Json], rest: Keys, facts: Facts, sources: Sources) -> Spot | None:
    collection, index, *below = rest
    if not isinstance(index, int):
        return None
    elements = flow[str(collection)]
    element = (elements["items"] if isinstance(elements, dict) else elements)[index]
    file = flow["file"]
    if file.endswith(".prompty"):
        raise RefusedError("a .prompty is not edited by a plan")
    if collection in ("inputs", "outputs"):
        return Spot(file, (collection, element["name"], *below))
    if collection == "nodes_with_variants":
        if below == ["default_variant"]:
            return Spot(file, ("node_variants", element["node"], "default_variant_id"))
        raise RefusedError("the variants of a node are not edited by a plan")
    return Spot(file, (*_node(element, index, facts, sources), *_in_node(element, below)))


def _node(element: dict[str, Json], index: int, facts: Facts, sources: Sources) -> YamlPath:
    if element["variant"] is not None:
        return ("node_variants", element["name"], "variants", element["variant"], "node")
    origin = facts.origin(f"declared.flow.nodes[{index}]")
    path = None
    if isinstance(origin, Origin) and origin.line and origin.column:
        path = sources.path_at(origin.file, origin.line, origin.column)
    if path is None or len(path) != 2 or path[0] != "nodes":
        raise RefusedError("its node cannot be found in the flow file")
    return path


def _in_node(element: dict[str, Json], below: list[str | int]) -> YamlPath:
    if not below:
        return ()
    if below[0] == "inputs" and len(below) > 1 and isinstance(below[1], int):
        return ("inputs", element["inputs"][below[1]]["name"])
    return (*_NODE.get(str(below[0]), (below[0],)), *below[1:])


def _by_origin(concrete: str, rest: Keys, facts: Facts, sources: Sources) -> Spot:
    """What a collector noted about a key of a file (an unknown key, a value of the wrong type) stands where it was."""
    origin = facts.origin(concrete)
    if not any(isinstance(key, int) for key in rest) or not isinstance(origin, Origin):
        raise RefusedError("no file here holds it under a name of its own")
    if origin.line is None or origin.column is None:
        raise RefusedError(f"its place in {origin.file} is not known")
    path = sources.path_at(origin.file, origin.line, origin.column)
    if path is None or str(path[-1]) not in _names_of(concrete, facts):
        # the place of something around it, perhaps: an edit there would hit what nobody meant
        raise RefusedError(f"what stands at {origin} is not certain to be it")
    return Spot(origin.file, path)


def _names_of(concrete: str, facts: Facts) -> set[str]:
    """The last keys under which a noted fact can stand: the element says its key, or what it is about."""
    element: Json = facts.document
    names = {"reference"} if ".references[" in concrete else set()
    for key in concrete_keys(concrete):
        if isinstance(element, dict) and "$incomplete" in element:
            element = element.get("items", element.get("entries"))
        if isinstance(element, list) and isinstance(key, int):
            element = element[key]
        else:
            element = element.get(key, {}) if isinstance(element, dict) else {}
        if isinstance(element, dict):
            said = (element.get(name) for name in ("key", "variable", "name", "slot", "what"))
            names |= {text.rpartition(".")[2] for text in said if isinstance(text, str)}
    return names
