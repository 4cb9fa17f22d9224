"""flow.flex.yaml as facts: the entry, resolved in the code of the folder without importing it."""

from __future__ import annotations

import ast
import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import Gathered
from pfdoctor.collect.folder.python_versions import parse
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.folder.sources import local_modules, read_sources
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

# a dash is no Python name, but importlib takes it for a module's: seen to be served
_ENTRY = Pattern(r"[A-Za-z_][\w.-]*:[A-Za-z_]\w*\Z")


def read_flex(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """Adds the facts of a flex flow: `flex` and the sources behind its entry."""
    flow = gathered.flow
    entry = section.get("entry")
    well_formed = isinstance(entry, str) and _ENTRY.match(entry) is not None
    module, _, attribute = entry.partition(":") if isinstance(entry, str) else ("", "", "")
    # `code` names the folder of the code; promptflow puts it on the path
    code = section.text("code") or "."
    base = Path(os.path.normpath(folder / code))
    file = _module_file(tree, base, module) if well_formed and tree.inside(base) else None
    path = os.path.relpath(base / file, folder).replace(os.sep, "/") if file else None
    flow["sources"] = read_sources(tree, folder, {path: "entry"}, gathered) if path else []
    facts: dict[str, Json] = {
        "$at": section.places("entry"),
        "entry": entry,
        "module": module or None,
        "attribute": attribute or None,
        "well_formed": well_formed,
        "module_file": path,
        "module_exists": file is not None if well_formed else None,
        "attribute_exists": None,
        "target": None,
        "assigned": False,
        "annotations": [],
        "annotations_deferred": False,
        "suggestion": None,
        "init_defaults": [str(name) for name, one in section.children("init") if one.get("default") is not None],
        "sample_init": _sample_init(section),
    }
    facts["unknown_inputs"] = []
    if path is not None:
        facts |= _attribute(flow["sources"], path, attribute)
        facts |= _entry(tree, folder / path, attribute)
        facts["unknown_inputs"] = _unknown_inputs(facts["target"], flow["inputs"])
    elif well_formed:
        close = difflib.get_close_matches(module, sorted(local_modules(tree, base)), n=1)
        facts["suggestion"] = close[0] if close else None
    flow["flex"] = facts


def _sample_init(section: Section) -> list[str]:
    """The arguments in `sample.init`, which the app takes when the deployment gives none."""
    sample = section.child("sample")
    init = sample.child("init") if sample is not None else None
    return [str(name) for name in init.value] if init is not None else []


def _module_file(tree: Tree, folder: Path, module: str) -> str | None:
    base = module.replace(".", "/")
    for candidate in (f"{base}.py", f"{base}/__init__.py"):
        if os.path.isfile(folder / candidate) and tree.exists(folder / candidate):
            return candidate
    return None


def _attribute(sources: Json, file: str, attribute: str) -> dict[str, Json]:
    """Whether the file defines the attribute as a function or class."""
    items = sources["items"] if isinstance(sources, dict) else sources
    source = next((one for one in items if one["file"] == file), None)
    if source is None or not isinstance(source["functions"], list):
        unknown = Unknown("unreadable", f"{file} could not be parsed").to_json()
        return {"attribute_exists": unknown, "target": unknown}
    target = next((one for one in source["functions"] if one["name"] == attribute), None)
    if target is not None:
        return {"attribute_exists": True, "target": target}
    close = difflib.get_close_matches(attribute, [one["name"] for one in source["functions"]], n=1)
    return {"attribute_exists": False, "suggestion": close[0] if close else None}


def _entry(tree: Tree, path: Path, attribute: str) -> dict[str, Json]:
    """What only the parsed module tells: how the attribute is bound, and the annotations that promptflow reads."""
    text = tree.read(path)
    module = parse(text.text).tree if not isinstance(text, Problem) else None
    if module is None:
        unknown = Unknown("unreadable", f"{path.name} could not be parsed").to_json()
        return dict.fromkeys(("assigned", "annotations", "annotations_deferred"), unknown)
    deferred = any(
        isinstance(one, ast.ImportFrom)
        and one.module == "__future__"
        and any(n.name == "annotations" for n in one.names)
        for one in module.body
    )
    facts: dict[str, Json] = {"annotations_deferred": deferred, "annotations": list(_annotations(module, attribute))}
    return facts | _binding(module, attribute)


def _unknown_inputs(target: Json, inputs: Json) -> list[str]:
    """The inputs of the flow file that the entry function cannot take."""
    if not isinstance(target, dict) or target.get("kind") != "function" or target["accepts_any_keyword"]:
        return []
    taken = {one["name"] for one in target["parameters"]}
    return [one["name"] for one in inputs if one["name"] not in taken] if isinstance(inputs, list) else []


def _binding(module: ast.Module, attribute: str) -> dict[str, Json]:
    """Overrides `attribute_exists` and `target` where the name is bound by an assignment or an import."""
    elsewhere = Unknown("bound-elsewhere", f"{attribute} is imported, or bound in a way that is not parsed").to_json()
    for statement in ast.walk(module):
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(one, ast.Name) and one.id == attribute for one in targets):
                is_function = isinstance(statement.value, ast.Lambda)
                return {"attribute_exists": True, "target": elsewhere, "assigned": not is_function}
        elif isinstance(statement, ast.ImportFrom):
            names = [alias.asname or alias.name for alias in statement.names]
            if attribute in names:
                return {"attribute_exists": True, "target": elsewhere, "assigned": elsewhere, "annotations": elsewhere}
            if "*" in names and not _defines(module, attribute):
                return dict.fromkeys(("attribute_exists", "target", "assigned", "annotations"), elsewhere)
    return {}


def _defines(module: ast.Module, name: str) -> bool:
    return any(isinstance(one, _DEFINITIONS) and one.name == name for one in module.body)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)


def _annotations(module: ast.Module, attribute: str) -> Iterator[dict[str, Json]]:
    """Annotations of the entry function, or of __init__ and __call__ of the entry class, bases in the file included."""
    definitions = {one.name: one for one in module.body if isinstance(one, _DEFINITIONS)}
    target = definitions.get(attribute)
    if isinstance(target, _FUNCTIONS):
        yield from _of_function(target, target.name, definitions, skip_first=False)
    elif isinstance(target, ast.ClassDef):
        for name in ("__init__", "__call__"):
            method = _method(target, name, definitions)
            if method is not None:
                yield from _of_function(method, f"{attribute}.{name}", definitions, skip_first=True)


def _method(
    owner: ast.ClassDef, name: str, definitions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    seen: set[str] = set()
    queue = [owner]
    while queue:
        current = queue.pop(0)
        seen.add(current.name)
        for one in current.body:
            if isinstance(one, _FUNCTIONS) and one.name == name:
                return one
        for base in current.bases:
            parent = definitions.get(base.id) if isinstance(base, ast.Name) else None
            if isinstance(parent, ast.ClassDef) and parent.name not in seen:
                queue.append(parent)
    return None


def _of_function(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    name: str,
    definitions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef],
    *,
    skip_first: bool,
) -> Iterator[dict[str, Json]]:
    arguments = [*function.args.posonlyargs, *function.args.args][1 if skip_first else 0 :] + function.args.kwonlyargs
    pairs = [(one.arg, one.annotation) for one in arguments]
    if not name.endswith("__init__"):
        pairs.append(("return", function.returns))
    for parameter, annotation in pairs:
        if annotation is not None:
            yield {
                "of": name,
                "name": parameter,
                "annotation": ast.unparse(annotation),
                "own_class": _own_class(annotation, definitions),
            }


def _own_class(
    annotation: ast.expr, definitions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
) -> str | None:
    """What kind of class of this file the annotation names, if any."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).rpartition(".")[2] == "Optional":
        annotation = annotation.slice
    found = definitions.get(annotation.id) if isinstance(annotation, ast.Name) else None
    if not isinstance(found, ast.ClassDef):
        return None
    decorators = [ast.unparse(one).partition("(")[0].rpartition(".")[2] for one in found.decorator_list]
    if found.bases or found.keywords or decorators not in ([], ["dataclass"]):
        return "other"
    return "dataclass" if decorators else "plain"
