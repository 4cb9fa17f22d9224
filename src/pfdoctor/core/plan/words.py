"""What a person decides on: a step's title, what it brings about and costs, and how it is taken back."""

from __future__ import annotations

import json

from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.core.plan.step import (
    Edit,
    MovedFile,
    NewFile,
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
    match edit:
        case SetValue(_, path, value, old):
            was = f" (was {_short(old)})" if old is not None and not isinstance(old, dict | list) else ""
            return f"set {_dotted(path)} to {_short(value)}{was}"
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


def inverse_of(edit: Edit) -> str:
    """How `pfdoctor undo` takes the step back, in words."""
    match edit:
        case NewFile(file, _):
            return f"{file} is removed, if nobody changed it since"
        case MovedFile(file, to):
            return f"{to} is moved back to {file}"
        case _:
            return f"{edit.file} is written back as it was, byte for byte, if nobody changed it since"


def effect_of(edit: Edit, facts: Facts) -> str:
    """What the step costs and whom it concerns."""
    declared = facts.document.get("declared") or {}
    if isinstance(edit, WriteRequirement):
        return _IMAGE
    for section, words in _EFFECTS.items():
        body = declared.get(section)
        if isinstance(body, dict) and body.get("file") in touched(edit):
            return words
    return _IMAGE if edit.file.endswith("Dockerfile") else _EFFECTS["flow"]


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(f'"{key}"' if isinstance(key, str) and "." in key else str(key) for key in path)


def _short(value: Json) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
