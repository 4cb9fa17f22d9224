"""The Python files of a flow: those it names, and from them every module of its folder that they import."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import Gathered
from pfdoctor.collect.folder.python_source import read_source, resolve_imports
from pfdoctor.core.model import Json


def read_sources(tree: Tree, folder: Path, wanted: dict[str, str], gathered: Gathered) -> Json:
    """The Python files named (path → how they are loaded) and, from those, every module of the folder that they import.

    The list is incomplete when one of them could not be read.
    """
    modules = local_modules(tree, folder)
    found: dict[str, Json] = {}
    unread: Problem | None = None
    queue = list(wanted)
    while queue:
        path = queue.pop(0)
        if path in found:
            continue
        target = Path(os.path.normpath(folder / path))
        if not tree.inside(target) or not os.path.isfile(target):
            include = include_of(folder, path, gathered.flow.get("additional_includes"))
            if include is None or not os.path.isfile(include):
                continue
            target = include
        text = tree.read(target)
        if isinstance(text, Problem):
            unread = text
            gathered.documents.append(text.fact(tree.name(target), "source"))
            continue
        source = read_source(text.text, path)
        resolve_imports(source, modules)
        _mark_neighbours(tree, target.parent if gathered.flow["kind"] == "dag" else folder, folder, source)
        source |= {"$file": tree.name(target), "$at": {"": [1]}}
        source["loaded_as"] = wanted.get(path, "module")
        source["tool_count"] = len(source["tools"]) if isinstance(source["tools"], list) else source["tools"]
        found[path] = source
        queue += [one for one in _imported_files(tree, folder, source) if one not in found]
    items = list(found.values())
    if unread is not None:
        return {"$incomplete": {"code": unread.code, "detail": unread.detail}, "items": items}
    return items


def _mark_neighbours(tree: Tree, beside: Path, folder: Path, source: dict[str, Json]) -> None:
    """Sets `imports[].neighbour`: whether the module lies beside the importing file, which is not on the path."""
    if not isinstance(source["imports"], list):
        return
    extends = any(name.startswith("sys.path.") for name in source["calls"])
    names = set() if extends or beside == folder else set(tree.listing(beside) or ())
    for one in source["imports"]:
        one["neighbour"] = one["resolves"] == "third-party" and f"{one['top']}.py" in names


def local_modules(tree: Tree, folder: Path) -> set[str]:
    """Top-level modules and packages that the flow's folder provides: files, folders with Python in them."""
    modules = set()
    for name in tree.listing(folder) or []:
        if name.endswith(".py"):
            modules.add(name[:-3])
        elif "." not in name and os.path.isdir(folder / name):
            # a folder without __init__.py is a package too
            modules.add(name)
    return modules


def _imported_files(tree: Tree, folder: Path, source: dict[str, Json]) -> Iterator[str]:
    for one in source["imports"] if isinstance(source["imports"], list) else ():
        if one["resolves"] != "flow":
            continue
        base = one["module"].lstrip(".").replace(".", "/")
        for candidate in (f"{base}.py", f"{base}/__init__.py", *(f"{base}/{name}.py" for name in one["names"])):
            if candidate != ".py" and os.path.isfile(folder / candidate) and tree.inside(folder / candidate):
                yield candidate


def include_of(folder: Path, path: str, includes: Json) -> Path | None:
    """Where additional_includes would bring the file from: an include of its name, or of the folder it lies in."""
    first, _, rest = path.replace("\\", "/").removeprefix("./").partition("/")
    for include in includes if isinstance(includes, list) else ():
        target = Path(os.path.normpath(folder / include["path"]))
        if target.name == first and include["exists"] is True:
            return target / rest if rest else target
    return None
