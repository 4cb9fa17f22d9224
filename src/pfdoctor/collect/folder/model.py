"""Model definitions as facts: what the deployment mounts for the serving app."""

from __future__ import annotations

import os
from pathlib import Path

from pfdoctor.collect.folder.files import Tree
from pfdoctor.collect.folder.gathered import FLOW_FILES
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder, unfilled_mapping
from pfdoctor.core.model import Json, Unknown


def read_model(
    tree: Tree, folder: Path, section: Section, file: str, *, inline: bool
) -> tuple[dict[str, Json], Path | None]:
    """The facts of a model mapping, and the local folder or file at its path (None when there is none)."""
    properties = section.child("properties")
    return _model(
        tree,
        folder,
        {
            "$file": file,
            "$at": section.places("name", "path", "type", "properties", "version"),
            "name": section.text("name"),
            "version": section.text("version"),
            "file": file,
            "inline": inline,
            "type": section.text("type") or "custom_model",
            "path": section.text("path") or section.text("model_uri"),
            "properties": _properties(properties),
        },
    )


def read_path_model(
    tree: Tree, folder: Path, path: str, file: str, place: list[int] | None
) -> tuple[dict[str, Json], Path | None]:
    """The facts of a model that a deployment names by a local path."""
    facts: dict[str, Json] = {
        "$file": file,
        "$at": {"": place, "path": place},
        "name": None,
        "version": None,
        "file": file,
        "inline": True,
        "type": "custom_model",
        "path": path,
        "properties": None,
    }
    return _model(tree, folder, facts)


def _properties(properties: Section | None) -> Json:
    """Properties by their dotted name, whether written flat or nested (azureml: {promptflow: {…}})."""
    if properties is None:
        return None
    flat: dict[str, Json] = {"$at": properties.places(*properties.value)}

    def visit(value: Json, name: str) -> None:
        if (unfilled := unfilled_mapping(value)) is not None:
            flat[name] = unfilled
        elif isinstance(value, dict):
            for key, element in value.items():
                visit(element, f"{name}.{key}" if name else key)
        elif name:
            flat[name] = value

    visit(properties.value, "")
    return flat


def _model(tree: Tree, folder: Path, facts: dict[str, Json]) -> tuple[dict[str, Json], Path | None]:
    path = facts["path"]
    facts |= {"path_exists": None, "is_remote": False, "folder": None, "flow_folders": [], "entries": []}
    if path is None:
        return facts, None
    local = path.removeprefix("file://").removeprefix("file:")
    if "://" in local or local.startswith(("azureml:", "runs:")):
        remote = Unknown("remote", f"the model's path {path} is not among the files").to_json()
        return facts | {"is_remote": True, "path_exists": remote, "flow_folders": remote, "entries": remote}, None
    if any_placeholder(local):
        why = Unknown("placeholder", f"the model's path is the placeholder {path}").to_json()
        return facts | {"path_exists": why, "flow_folders": why, "entries": why}, None
    target = Path(os.path.normpath(folder / local))
    if not tree.inside(target):
        outside = Unknown("outside-boundary", f"the model's path {path} lies outside what may be read").to_json()
        return facts | {"path_exists": outside, "flow_folders": outside, "entries": outside}, None
    facts["path_exists"] = os.path.exists(target) and tree.exists(target)
    if not facts["path_exists"]:
        facts["path_exists"] = tree.existence(target, present=False)
        return facts, None
    facts["folder"] = tree.name(target)
    facts["entries"] = tree.listing(target) or []
    facts["flow_folders"] = [tree.name(one) for one in flow_folders(tree, target)]
    return facts, target


def flow_folders(tree: Tree, target: Path) -> list[Path]:
    """The target, if it holds a flow file, or those of its sub-folders that do."""
    if not os.path.isdir(target):
        return []
    names = tree.listing(target) or []
    if any(name in names for name in FLOW_FILES):
        return [target]
    return [
        target / name
        for name in names
        if any(one in (tree.listing(target / name) or ()) for one in FLOW_FILES) and os.path.isdir(target / name)
    ]
