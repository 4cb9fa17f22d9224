"""What a person decides on: a step's title, what it brings about and costs, and how it is taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pfdoctor.core.action import as_yaml
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json, short_id
from pfdoctor.core.plan.resource import (
    AzureEdit,
    BodyChange,
    GrantRole,
    NewVersion,
    RegisterProvider,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
)
from pfdoctor.core.plan.reversible import IRREVERSIBLE
from pfdoctor.core.plan.step import (
    Edit,
    MovedFile,
    NewFile,
    Permission,
    RemoveValue,
    RenameEntry,
    SetValue,
    WriteRequirement,
    touched,
)

_LONGEST = 80

_EFFECTS = {
    "deployment": "a file; its next deployment with it replaces the instances one after the other",
    "endpoint": "a file; it takes effect with the next `az ml online-endpoint update`",
    "environment": "a file; it takes effect with a new version of the environment, and a deployment that names it",
    "model": "a file; it takes effect with a new version of the model, and a deployment that names it",
    "flow": "a file; it takes effect when the flow is registered and deployed again",
}
_IMAGE = "a file; it takes effect when the image is built again, which takes some minutes"


def title_of(edit: Edit) -> str:
    """The edit in one line, without its file."""
    if isinstance(edit, AzureEdit):
        return _title_in_azure(edit)
    match edit:
        case SetValue(_, path, value, old):
            return _listed(_command(part) for part in _parts(path, value, old))
        case RemoveValue(_, path, _):
            return f"remove {_dotted(path)}"
        case RenameEntry(_, path, to):
            return f"rename {_dotted(path)} to {to}"
        case WriteRequirement(_, name, None):
            return f"remove the requirement {name}"
        case WriteRequirement(_, _, line):
            return f"require {line}"
        case NewFile(file, _):
            return f"create {file}"
        case MovedFile(file, to):
            return f"move {file} to {to}"


def _title_in_azure(edit: AzureEdit) -> str:
    match edit:
        case GrantRole(scope, role, _, principal):
            return f"assign {role} to {principal} at {short_id(scope)}"
        case NewVersion(container, base, version, changes):
            name, copied = container.rpartition("/")[2], base.rpartition("/")[2]
            states = _listed(_state(part) for change in changes for part in _parts_of(change))
            return f"register version {version} of {name}: a copy of version {copied} in which {states}"
        case UpdateDeployment(_, changes) | UpdateEndpoint(_, changes):
            return _listed(_command(part) for change in changes for part in _parts_of(change))
        case RegisterProvider(_, namespace):
            return f"register the resource provider {namespace}"
        case SyncKeys(_):
            return "fetch the current keys of the storage account, registry and the like"


class _Part(NamedTuple):
    """What a change comes to at one key: its value, or that it is gone or renamed."""

    path: tuple[str | int, ...]
    value: Json
    old: Json
    verb: str = "set"


def _parts_of(change: BodyChange) -> list[_Part]:
    path = change.path[1:] if change.path[0] == "properties" else change.path
    if change.verb != "set":
        return [_Part(path, change.value, None, change.verb)]
    return list(_parts(path, change.value, change.old))


def _parts(path: tuple[str | int, ...], value: Json, old: Json) -> Iterator[_Part]:
    """A value that is too long to be read in a line is told by what differs in it, key by key."""
    before = old if isinstance(old, dict) else {}
    is_long = isinstance(value, dict) and max(len(as_yaml(value)), len(as_yaml(before))) > _LONGEST
    parts = list(_differences(path, value, before)) if is_long else []
    yield from parts or [_Part(path, value, old)]


def _differences(path: tuple[str | int, ...], value: dict[str, Json], before: dict[str, Json]) -> Iterator[_Part]:
    for key, child in value.items():
        was = before.get(key)
        if isinstance(child, dict) and isinstance(was, dict) and was:
            yield from _differences((*path, key), child, was)
        elif child != was or key not in before:
            yield from _parts((*path, key), child, was)
    for key in before:
        if key not in value:
            yield _Part((*path, key), None, None, "remove")


def _command(part: _Part) -> str:
    """What is done, as in `set a to b`."""
    where = _dotted(part.path)
    if part.verb == "remove":
        return f"remove {where}"
    if part.verb == "rename":
        return f"rename {where} to {part.value}"
    return f"set {where} to {_short(_named(part.value))}{_was(part.old)}"


def _state(part: _Part) -> str:
    """What then holds, as in `a is b`."""
    where = _dotted(part.path)
    if part.verb == "remove":
        return f"there is no {where}"
    if part.verb == "rename":
        return f"{where} is called {part.value}"
    return f"{where} is {_short(_named(part.value))}{_was(part.old)}"


def _was(old: Json) -> str:
    return f" (was {_short(_named(old))})" if old not in (None, {}, []) else ""


def _listed(texts: Iterable[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _named(value: Json) -> Json:
    """A resource id by its tail."""
    return short_id(value) if isinstance(value, str) else value


def needs_of(edit: Edit, permissions: Sequence[Permission]) -> str:
    """The permissions that the step needs; those of Azure are given."""
    if isinstance(edit, AzureEdit):
        return permissions_in_words(permissions)
    return f"permission to write {' and '.join(touched(edit))}"


def permissions_in_words(permissions: Iterable[Permission]) -> str:
    """Operations of Azure, each with where."""
    return " and ".join(f"{one.action} at {short_id(one.scope)}" for one in permissions)


def inverse_of(edit: Edit) -> str:
    """How `pfdoctor undo` takes the step back, in words; what cannot be taken back says so."""
    match edit:
        case GrantRole():
            return "the assignment is deleted, if pfdoctor created it and nobody changed it since"
        case NewVersion(_, _, version, _):
            return f"{IRREVERSIBLE}a version cannot be unmade; version {version} is archived, and nothing uses it"
        case UpdateDeployment():
            return (
                "the deployment is written back as it was, in another roll-out, if nobody changed it since and Azure "
                "still accepts what was there"
            )
        case UpdateEndpoint():
            return "the endpoint is written back as it was, if nobody changed it since and Azure still accepts that"
        case RegisterProvider():
            return f"{IRREVERSIBLE}the provider stays registered, which costs nothing"
        case SyncKeys():
            return f"{IRREVERSIBLE}the former keys were no longer valid anyway"
        case NewFile(file, _):
            return f"{file} is removed, if nobody changed it since"
        case MovedFile(file, to):
            return f"{to} is moved back to {file}"
        case _:
            return f"{edit.file} is written back as it was, byte for byte, if nobody changed it since"


def effect_of(edit: Edit, facts: Facts) -> str:
    """What the step costs and whom it concerns."""
    if isinstance(edit, AzureEdit):
        return _effect_in_azure(edit, facts)
    declared = facts.document.get("declared") or {}
    if isinstance(edit, WriteRequirement):
        return _IMAGE
    for section, words in _EFFECTS.items():
        body = declared.get(section)
        if isinstance(body, dict) and body.get("file") in touched(edit):
            return words
    return _IMAGE if edit.file.endswith("Dockerfile") else _EFFECTS["flow"]


def _effect_in_azure(edit: AzureEdit, facts: Facts) -> str:
    match edit:
        case GrantRole(_, role):
            reach = _REACH.get(role, f"lets the identity do what the role {role} holds, on everything below the scope")
            return f"{reach}; costs nothing, restarts nothing, and takes up to 10 minutes to be in force"
        case NewVersion():
            return "a new version beside the others; nothing uses it until a deployment names it"
        case UpdateDeployment():
            live = facts.document.get("live") or {}
            deployment = live.get("deployment")
            count = deployment.get("instance_count") if isinstance(deployment, dict) else None
            which = f"all {count} instances" if isinstance(count, int) and count > 1 else "the instance"
            return f"a roll-out replaces {which}, which takes 10 to 20 minutes; while it runs, both are paid for"
        case UpdateEndpoint():
            return "every caller of the endpoint is concerned, at once; no instance restarts"
        case RegisterProvider():
            return "concerns the whole subscription; costs nothing, takes some minutes"
        case SyncKeys():
            return "concerns everything in the workspace that goes by a key; costs nothing"


_REACH = {
    "Azure Machine Learning Workspace Connection Secrets Reader": (
        "lets the identity read the secret of every connection of the workspace"
    ),
    "AcrPull": "lets the identity pull every image of the registry",
    "Storage Blob Data Reader": "lets the identity read every blob below the scope",
}


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(f'"{key}"' if isinstance(key, str) and "." in key else str(key) for key in path)


def _short(value: Json) -> str:
    text = value if isinstance(value, str) and value else as_yaml(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
