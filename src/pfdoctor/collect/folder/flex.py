"""flow.flex.yaml as facts: the entry, resolved in the code of the folder without importing it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from pfdoctor.collect.folder.files import Tree
from pfdoctor.collect.folder.flow import Gathered, local_modules, read_sources
from pfdoctor.collect.folder.section import Section
from pfdoctor.core.model import Json

_ENTRY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")


def read_flex(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """Adds the facts of a flex flow: `flex` and the sources behind its entry."""
    flow = gathered.flow
    entry = section.get("entry")
    well_formed = isinstance(entry, str) and _ENTRY.match(entry) is not None
    module, _, attribute = entry.partition(":") if isinstance(entry, str) else ("", "", "")
    file = _module_file(tree, folder, module) if well_formed else None
    flow["sources"] = read_sources(tree, folder, {file: "entry"}, gathered) if file else []
    facts: dict[str, Json] = {
        "$at": section.places("entry"),
        "entry": entry,
        "module": module or None,
        "attribute": attribute or None,
        "well_formed": well_formed,
        "module_file": file,
        "module_exists": file is not None if well_formed else None,
        "attribute_exists": None,
        "target": None,
        "suggestion": None,
    }
    if file is not None:
        facts |= _attribute(flow["sources"], file, attribute)
    elif well_formed:
        close = difflib.get_close_matches(module, sorted(local_modules(tree, folder)), n=1)
        facts["suggestion"] = close[0] if close else None
    facts["init_defaults"] = [name for name, one in section.children("init") if one.get("default") is not None]
    flow["flex"] = facts


def _module_file(tree: Tree, folder: Path, module: str) -> str | None:
    base = module.replace(".", "/")
    for candidate in (f"{base}.py", f"{base}/__init__.py"):
        if (folder / candidate).is_file() and tree.exists(folder / candidate):
            return candidate
    return None


def _attribute(sources: Json, file: str, attribute: str) -> dict[str, Json]:
    items = sources["items"] if isinstance(sources, dict) else sources
    source = next((one for one in items if one["file"] == file), None)
    if source is None or not isinstance(source["functions"], list):
        unknown = {"$unknown": {"code": "unreadable", "detail": f"{file} could not be parsed"}}
        return {"attribute_exists": unknown, "target": unknown}
    target = next((one for one in source["functions"] if one["name"] == attribute), None)
    if target is not None:
        return {"attribute_exists": True, "target": target}
    imported = {name for one in source["imports"] for name in one["names"]}
    if attribute in imported or "*" in imported or attribute in source.get("assigned", ()):
        unknown = {"$unknown": {"code": "not-parsed", "detail": f"{attribute} is imported or assigned in {file}"}}
        return {"attribute_exists": True if "*" not in imported else unknown, "target": unknown}
    close = difflib.get_close_matches(attribute, [one["name"] for one in source["functions"]], n=1)
    return {"attribute_exists": False, "suggestion": close[0] if close else None}
