"""What the flow's code needs, the packages named for it, and the image it runs in, as far as files tell.

Called in this order: derive_packages, derive_serving, derive_needs; each reads what the former derived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from pfdoctor.core.derive.distributions import closure, distributions_of, runtime_image, split_module
from pfdoctor.core.derive.nodes import (
    annotation_names,
    defers_annotations,
    definitions,
    is_complete,
    is_dropped,
    items,
    tool_of,
)
from pfdoctor.core.derive.tools import CONNECTION_CLASSES, PACKAGE_TOOLS, PROVIDERS, RENAMED_TOOLS
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

# Variables that the platform sets in every container of a managed endpoint.
_PLATFORM_VARIABLES = frozenset(
    (
        *("AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR", "HOME", "HOSTNAME", "IDENTITY_ENDPOINT"),
        *("IDENTITY_HEADER", "LANG", "MSI_ENDPOINT", "MSI_SECRET", "PATH", "PWD", "PYTHONPATH", "USER"),
    )
)
_TOOL_DISTRIBUTIONS = {
    "promptflow": "promptflow-tools",
    "promptflow_vectordb": "promptflow-vectordb",
    "content_safety_text": "promptflow-contentsafety",
    "promptflow_contentsafety": "promptflow-contentsafety",
    "promptflow_image": "promptflow-image",
}
_LOOKUPS = ("promptflow_vectordb.", "embeddingstore.")
_PLACEHOLDER = Pattern(r"<[^<>\n]{1,80}>|\{\{|\$\{\{|__[A-Za-z0-9_]+__|\{(?:insert|your)[^{}]*\}", re.IGNORECASE)


def derive_packages(view: dict[str, Json]) -> Json:
    """The fact `packages`: by normalised name, what the entries of `requirements` say; of several, an exact pin."""
    requirements = view.get("requirements")
    if not isinstance(requirements, dict) or "$unknown" in requirements:
        return requirements
    entries = requirements.get("entries")
    if isinstance(entries, dict) and "$unknown" in entries:
        return entries
    packages: dict[str, Json] = {}
    for index, entry in enumerate(items(entries)):
        name = entry.get("name")
        if not name or (name in packages and (packages[name]["version"] or not entry.get("pinned_version"))):
            continue
        packages[name] = {
            "version": entry.get("pinned_version"),
            "specifier": entry.get("specifier"),
            "url": entry.get("url"),
            "file": entry.get("file"),
            "installed_by": entry.get("installed_by"),
            "$from": f"requirements.entries[{index}]",
        }
    if isinstance(entries, dict):
        return {"$incomplete": entries["$incomplete"], "entries": packages}
    return packages


def derive_serving(view: dict[str, Json]) -> Json:
    """The fact `serving`."""
    image, source, place = _image(view)
    facts: dict[str, Json] = {
        "image": image,
        "image_source": source,
        "installs_flow_requirements": _installs_requirements(view),
        "python": _python(view, image),
    }
    return {**facts, "$from": place} if place else facts


def _image(view: dict[str, Json]) -> tuple[Json, Json, str | None]:
    """The image, the file that names it, and the path of the fact."""
    environment = view.get("environment")
    dockerfile = view.get("dockerfile")
    flow = view.get("flow")
    if _is_known(environment):
        if environment.get("image") is not None:
            return environment["image"], "environment", "environment.image"
        if environment.get("build") is not None:
            base = dockerfile.get("base") if _is_known(dockerfile) else _why(dockerfile, "dockerfile-unread")
            return base, "dockerfile", "dockerfile.base"
    elif _is_known(view.get("deployment")) and environment is not None:
        unknown = _why(environment, "environment-elsewhere")
        return unknown, unknown, None
    own = flow.get("environment") if _is_known(flow) else None
    if isinstance(own, dict) and own.get("image") is not None:
        return own["image"], "flow", "flow.environment.image"
    if _is_known(dockerfile) and dockerfile.get("base") is not None:
        return dockerfile["base"], "dockerfile", "dockerfile.base"
    return None, "none", None


def _installs_requirements(view: dict[str, Json]) -> Json:
    deployment, environment = view.get("deployment"), view.get("environment")
    flow = view.get("flow")
    own = flow.get("environment") if _is_known(flow) else None
    wanted = own.get("requirements_file") if isinstance(own, dict) else None
    if not _is_known(deployment) and not _is_known(environment):
        return _why(deployment, "no-deployment")
    if not _is_known(environment):
        return True if environment is None else _why(environment, "environment-elsewhere")
    if not isinstance(wanted, str):
        return Unknown("no-requirements", "the flow has no requirements file").to_json()
    dockerfile = view.get("dockerfile")
    if environment.get("build") is not None:
        if not _is_known(dockerfile):
            return _why(dockerfile, "dockerfile-unread")
        installed = dockerfile.get("installs_requirements")
        names = {str(one).rpartition("/")[2] for one in installed} if isinstance(installed, list) else set()
        return wanted.rpartition("/")[2] in names
    if environment.get("conda_file") is not None:
        return _conda_lists(view)
    image = environment.get("image")
    family = image.get("family") if isinstance(image, dict) else None
    if isinstance(family, str):
        return False  # a public image, which knows nothing of this flow
    return _why(family, "image-unknown")


def _conda_lists(view: dict[str, Json]) -> Json:
    """Whether every requirement of the flow is also in the conda file."""
    requirements = view.get("requirements")
    entries = requirements.get("entries") if _is_known(requirements) else None
    if not isinstance(entries, list):
        return Unknown("requirements-unread", "the requirements could not all be read").to_json()
    by_conda = {one.get("name") for one in entries if one.get("installed_by") == "conda"}
    return {one.get("name") for one in entries if one.get("installed_by") == "requirements"} <= by_conda


def _python(view: dict[str, Json], image: Json) -> Json:
    environment = view.get("environment")
    conda = environment.get("conda_file") if _is_known(environment) else None
    if _is_known(conda) and isinstance(conda.get("python"), str):
        return conda["python"]
    if _is_known(image):
        return image.get("python")
    return _why(image, "image-unknown")


def derive_needs(view: dict[str, Json]) -> Json:
    """The fact `needs`. Modules of promptflow's own namespace are in `promptflow_imports`, not in `modules`."""
    flow = view.get("flow")
    if not isinstance(flow, dict) or "$unknown" in flow:
        return flow
    return {
        "modules": _from_sources(flow, "imports", list(_modules(view))),
        "promptflow_imports": _from_sources(flow, "imports", list(_promptflow_imports(view))),
        "package_tools": _like(flow.get("nodes"), list(_package_tools(view))),
        "connections": _like(flow.get("nodes"), list(_connections(view))),
        "datastores": _datastores(view),
        "environment_variables": _from_sources(flow, "environment_reads", list(_variables(view))),
    }


def _from_sources(flow: dict[str, Json], key: str, found: list[Json]) -> Json:
    """The list, incomplete when that part of a source could not be read."""
    parts = (source.get(key) for source in items(flow.get("sources")))
    unread = next((part["$unknown"] for part in parts if isinstance(part, dict) and "$unknown" in part), None)
    whole = _like(flow.get("sources"), found)
    if unread is None or whole is not found:
        return whole
    return {"$incomplete": {"code": unread["code"], "detail": unread["detail"]}, "items": found}


def _like(source: Json, found: list[Json]) -> Json:
    """The list, as complete as what it was derived from."""
    if isinstance(source, dict) and "$unknown" in source:
        return source
    if isinstance(source, dict) and "$incomplete" in source:
        return {"$incomplete": source["$incomplete"], "items": found}
    return found


def _imports(view: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    for index, source in enumerate(items(view["flow"].get("sources"))):
        for position, one in enumerate(items(source.get("imports"))):
            yield f"flow.sources[{index}].imports[{position}]", {"file": source.get("file"), **one}


def _modules(view: dict[str, Json]) -> Iterator[Json]:
    needs: dict[str, dict[str, Json]] = {}
    for path, one in _imports(view):
        if one.get("resolves") != "third-party" or one.get("top") in (None, "promptflow"):
            continue
        for module in split_module(one["module"], one.get("names") or ()):
            found = {
                "module": module,
                "file": one["file"],
                "guarded": one.get("guarded") is not False and one.get("every_call") is not True,
                "neighbour": one.get("neighbour") is True,
                "$from": path,
            }
            if needs.setdefault(module, found)["guarded"] and not found["guarded"]:
                needs[module] = found
    if not needs:
        return
    provision = _Provision(view)
    for module, need in needs.items():
        names = distributions_of(module)
        yield {**need, "distribution": names[0], "provided": provision.of(names)}


class _Provision:
    """Who provides a distribution: the requirements that reach the image, or the image."""

    def __init__(self, view: dict[str, Json]) -> None:
        requirements = view.get("requirements")
        entries = requirements.get("entries") if isinstance(requirements, dict) else requirements
        serving = view.get("serving")
        skipped = "requirements" if _is_known(serving) and serving.get("installs_flow_requirements") is False else None
        in_force = [one for one in items(entries) if one.get("installed_by") != skipped]
        listed = {one["name"] for one in in_force if one.get("name")}
        self._required, known = closure(listed)
        # a line without a name (a path, a URL) may bring anything
        self._complete = known and is_complete(entries) and all(one.get("name") for one in in_force)
        self._complete = self._complete and not _has_unread_installs(view, in_force)
        self._image, self._image_known = _image_content(view)

    def of(self, names: Iterable[str]) -> Json:
        if any(name in self._required for name in names):
            return "requirements"
        if any(name in self._image for name in names):
            return "image"
        if self._complete and self._image_known:
            return "nothing"
        return Unknown("packages-unknown", "what all the packages and the image bring is not known").to_json()


def _has_unread_installs(view: dict[str, Json], entries: list[dict[str, Json]]) -> bool:
    """Whether the Dockerfile installs packages that are not among the entries."""
    dockerfile = view.get("dockerfile")
    if not _is_known(dockerfile) or dockerfile.get("installs_packages") is False:
        return isinstance(dockerfile, dict) and "$unknown" in dockerfile
    return not any(one.get("installed_by") == "dockerfile" for one in entries)


def _image_content(view: dict[str, Json]) -> tuple[frozenset[str], bool]:
    """The distributions that the image is known to hold, and whether the image is one that is known."""
    serving = view.get("serving")
    image = serving.get("image") if _is_known(serving) else None
    if image is None:  # no file names one: the flow is built on the prompt flow image
        known = _is_known(serving) and serving.get("image_source") == "none"
        return (runtime_image(), True) if known else (frozenset(), False)
    family = image.get("family") if _is_known(image) else None
    if family == "promptflow":
        return runtime_image(), True
    return frozenset(), isinstance(family, str)


def _promptflow_imports(view: dict[str, Json]) -> Iterator[Json]:
    seen: dict[tuple[str, str | None], dict[str, Json]] = {}
    for path, one in _imports(view):
        if one.get("top") != "promptflow":
            continue
        for name in one.get("names") or [None]:
            item = {"module": one["module"], "name": name, "file": one["file"], "guarded": one.get("guarded")}
            known = seen.get((one["module"], name))
            if known is None or (known["guarded"] is True and one.get("guarded") is False):
                seen[one["module"], name] = {**item, "$from": path}
    yield from seen.values()


def _package_tools(view: dict[str, Json]) -> Iterator[Json]:
    provision: _Provision | None = None
    for definition in definitions(view):
        tool = definition.node.get("source_tool")
        if not definition.served or not tool:
            continue
        provision = provision or _Provision(view)
        module = str(tool).partition(".")[0]
        known = _TOOL_DISTRIBUTIONS.get(module)
        distribution = known or module.replace("_", "-")
        yield {
            "tool": tool,
            "node": definition.node.get("name"),
            "module": module,
            "distribution": distribution,
            "known": known is not None,
            "provided": provision.of([distribution]),
            "$from": f"{definition.path}.source_tool",
        }


def _connections(view: dict[str, Json]) -> Iterator[Json]:
    for definition in definitions(view):
        node = definition.node
        own = node.get("connection")
        if isinstance(own, str) and own:
            expected = sorted(PROVIDERS) if node.get("type") == "llm" else []
            yield _connection(view, node, own, "connection", expected, f"{definition.path}.connection")
        slots = _connection_slots(view, node)
        for index, one in enumerate(items(node.get("inputs"))):
            value = one.get("value")
            if one.get("name") in slots and one.get("kind") == "literal" and isinstance(value, str) and value:
                path = f"{definition.path}.inputs[{index}]"
                yield _connection(view, node, value, one["name"], slots[one["name"]], path)


def _connection_slots(view: dict[str, Json], node: dict[str, Json]) -> dict[str, list[str]]:
    """The inputs of a node that promptflow takes for names of connections, with the classes it accepts."""
    if node.get("source_tool"):
        name = str(node["source_tool"])
        tool = PACKAGE_TOOLS.get(RENAMED_TOOLS.get(name, name))
        slots = tool.slots if tool else {}
        return {key: list(slot.types) for key, slot in slots.items() if CONNECTION_CLASSES.intersection(slot.types)}
    tool_function = tool_of(view, node) if node.get("type") == "python" else None
    if tool_function is None or defers_annotations(tool_function[0]):
        return {}
    found = {}
    for parameter in tool_function[1]["parameters"]:
        names = annotation_names(parameter.get("annotation"))
        if names and CONNECTION_CLASSES.issuperset(names):
            found[parameter["name"]] = names
    return found


def _connection(
    view: dict[str, Json], node: dict[str, Json], name: str, slot: str, expected: list[str], path: str
) -> dict[str, Json]:
    classes = [one.get("connection_class") for one in items(view.get("connections")) if one.get("name") == name]
    agreed = classes[0] if classes and all(one == classes[0] for one in classes) else None
    return {
        "name": name,
        "node": node.get("name"),
        "slot": slot,
        "placeholder": _PLACEHOLDER.search(name) is not None,
        "expected_types": expected,
        "defined_as": agreed,
        "$from": path,
    }


def _datastores(view: dict[str, Json]) -> Json:
    """Whether a lookup tool's index lies in a datastore of the workspace, by the texts among its inputs."""
    unclear = False
    for definition in definitions(view):
        tool = definition.node.get("source_tool")
        if not definition.served or not str(tool or "").startswith(_LOOKUPS):
            continue
        values = [one.get("value") for one in items(definition.node.get("inputs")) if not is_dropped(one.get("value"))]
        if any(isinstance(value, str) and re.search(r"azureml://|datastore", value) for value in values):
            return True
        unclear = unclear or any(isinstance(value, str) and value.startswith("${") for value in values)
    if unclear:
        return Unknown("by-reference", "the index is given by reference").to_json()
    return False if is_complete(view["flow"].get("nodes")) else _why(view["flow"].get("nodes"), "nodes-unknown")


def _variables(view: dict[str, Json]) -> Iterator[Json]:
    flow = view["flow"]
    dotenv = flow.get("dotenv")
    in_dotenv = dotenv.get("variables") or [] if _is_known(dotenv) else []
    seen = set()
    for index, source in enumerate(items(flow.get("sources"))):
        for position, read in enumerate(items(source.get("environment_reads"))):
            name = str(read.get("name"))
            if read.get("required") is not True or name in seen:
                continue
            seen.add(name)
            yield {
                "name": name,
                "file": source.get("file"),
                "provided": _sets(view, name),
                "in_dotenv": name in in_dotenv,
                "$from": f"flow.sources[{index}].environment_reads[{position}]",
            }


def _sets(view: dict[str, Json], name: str) -> Json:
    """Whether the deployment, the environment, the image or the flow file sets the variable."""
    if name in _PLATFORM_VARIABLES:
        return True
    unknown: Json = None
    holders = (
        ("deployment", "environment_variables"),
        ("environment", "environment_variables"),
        ("dockerfile", "sets_environment"),
        ("flow", "environment_variables"),
    )
    for part, key in holders:
        owner = view.get(part, {"$unknown": {"code": "not-collected", "detail": f"{part} was not collected"}})
        variables = owner.get(key) if _is_known(owner) else owner
        if not isinstance(variables, dict):
            continue
        if "$unknown" in variables:
            unknown = unknown or (variables if part == "deployment" else None)
        elif name in variables.get("entries", variables):
            return True
        elif "$incomplete" in variables:
            unknown = unknown or {"$unknown": variables["$incomplete"]}
    return unknown or False


def _is_known(value: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict) and "$unknown" not in value


def _why(value: Json, code: str) -> Json:
    """The reason why a fact is unknown, to be handed on; a new one when the fact is absent."""
    if isinstance(value, dict) and "$unknown" in value:
        return value
    if isinstance(value, dict) and "$incomplete" in value:
        return {"$unknown": value["$incomplete"]}
    return Unknown(code, "no file tells").to_json()
