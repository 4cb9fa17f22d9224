"""A flow folder as facts: the flow file, the code and templates it names, and what lies beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pfdoctor.collect.folder.dag import read_dag
from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import FLEX_FILES, FLOW_FILES, Gathered, wrong_type
from pfdoctor.collect.folder.ignore import hidden_files
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.image import read_image
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Dialect, YamlDocument, YamlError, read

_FLOW_KEYS = frozenset(
    "$schema id name display_name description type path inputs outputs nodes node_variants environment tags "
    "environment_variables additional_includes language message_format entry init sample properties "
    "template flow_type code".split()
)


def read_flow(tree: Tree, folder: Path, file: Path | None = None) -> Gathered:
    """The facts of the flow in a folder. `file` names the flow file where the folder has several or a .prompty.

    A flow file that cannot be read leaves every fact of its content unknown, and a problem in `documents`.
    """
    names = tree.listing(folder) or []
    definitions = [name for name in FLOW_FILES if name in names]
    if file is None:
        file = folder / definitions[0]
    kind = "prompty" if file.suffix == ".prompty" else "flex" if file.name in FLEX_FILES else "dag"
    name = tree.name(file)
    flow: dict[str, Json] = {
        "$file": name,
        "$at": {"": [1]},
        "name": folder.name or ".",
        "path": tree.name(folder),
        "file": name,
        "definition_files": definitions,
        "samples": _samples(tree, folder),
        "dotenv": _dotenv(tree, folder),
        "top_entries": names,
    }
    gathered = Gathered(flow)
    if kind == "prompty":
        from pfdoctor.collect.folder.prompty import read_prompty

        read_prompty(tree, file, gathered)
        return gathered
    document = _document(tree, file, gathered)
    if isinstance(document, Unknown):
        flow |= dict.fromkeys(_CONTENT, document.to_json())
        flow["kind"] = kind
        return gathered
    section = Section(document, (), document.value)
    # what the file says decides, not its name: promptflow serves either content from either file
    kind = "flex" if "entry" in section.value and "nodes" not in section.value else "dag"
    flow["kind"] = kind
    _common(tree, folder, section, gathered)
    if kind == "dag":
        read_dag(tree, folder, section, gathered)
    else:
        from pfdoctor.collect.folder.flex import read_flex

        read_flex(tree, folder, section, gathered)
    flow["ignored_files"] = hidden_files(tree, folder, list(_needed_files(flow)))
    return gathered


_CONTENT = (
    "type language schema_url message_format is_chat is_evaluation inputs outputs nodes nodes_with_variants "
    "chat_input_count chat_output_count chat_history_count environment environment_variables additional_includes "
    "flex prompty sources templates other_tools ignored_files unknown_keys"
).split()


def _document(tree: Tree, file: Path, gathered: Gathered) -> YamlDocument | Unknown:
    """The flow file's document, or why there is none; problems that promptflow would have are noted."""
    name = tree.name(file)

    def fail(problem: Problem) -> Unknown:
        gathered.documents.append(problem.fact(name, "flow"))
        return problem.unknown()

    text = tree.read(file)
    if isinstance(text, Problem):
        return fail(text)
    if text.problem is not None:
        return fail(text.problem)
    try:
        documents = read(text.text, Dialect.FLOW)
    except YamlError as error:
        return fail(Problem(error.code, error.detail, error.line))
    if len(documents) > 1:
        place = documents[1].place()
        return fail(
            Problem("several-documents", "holds several YAML documents; a flow is one", place[0] if place else 1)
        )
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        what = (
            "is empty" if value is None else f"holds a {'list' if isinstance(value, list) else 'text'}, not a mapping"
        )
        return fail(Problem("not-a-mapping", what, 1))
    return documents[0]


def _common(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """What DAG and flex flows share."""
    flow = gathered.flow
    flow["$at"] |= section.places("type", "language", "environment", "environment_variables", "message_format")
    flow["$at"][""] = [1]
    flow["type"] = section.text("type")
    flow["language"] = section.text("language")
    flow["schema_url"] = section.text("$schema")
    flow["message_format"] = section.get("message_format")
    flow["inputs"] = _inputs(section, gathered)
    flow["outputs"] = _outputs(section, gathered)
    inputs, outputs = flow["inputs"], flow["outputs"]
    flow["chat_input_count"] = _count(inputs, "is_chat_input")
    flow["chat_output_count"] = _count(outputs, "is_chat_output")
    flow["chat_history_count"] = _count(inputs, "is_chat_history")
    marked = bool(flow["chat_input_count"] or flow["chat_output_count"])
    flow["is_chat"] = flow["type"] == "chat" or marked
    flow["environment"] = _environment(tree, folder, section)
    variables = section.get("environment_variables")
    if variables is not None and not isinstance(variables, dict):
        wrong_type(gathered, section, "environment_variables", "a mapping of name to value")
    flow["environment_variables"] = _placed_map(section, "environment_variables")
    flow["additional_includes"] = _additional_includes(tree, folder, section)
    flow["unknown_keys"] = [key for key in section.value if key not in _FLOW_KEYS]
    flow["flex"] = flow["prompty"] = None
    flow["is_evaluation"] = flow["type"] == "evaluation"
    flow["nodes"] = flow["nodes_with_variants"] = None
    flow["sources"], flow["templates"], flow["other_tools"] = [], [], []


def _placed_map(section: Section, name: str) -> dict[str, Json] | None:
    """A free map of scalars, each with its place; null when it is absent or no mapping."""
    child = section.child(name)
    if child is None:
        return None
    return {"$at": child.places(*child.value), **child.value}


def _count(entries: Json, marker: str) -> Json:
    return sum(1 for entry in entries if entry[marker]) if isinstance(entries, list) else entries


def _inputs(section: Section, gathered: Gathered) -> Json:
    raw = section.get("inputs")
    if raw in (None, [], {}):
        return []
    if not isinstance(raw, dict):
        return wrong_type(gathered, section, "inputs", "a mapping of name to {type: …}").to_json()
    inputs: list[Json] = []
    marked = any(isinstance(body, dict) and body.get("is_chat_history") for body in raw.values())
    for name, body in raw.items():
        child = Section(section.document, (*section.path, "inputs", name), body if isinstance(body, dict) else {})
        if not isinstance(body, dict):
            parent = Section(section.document, (*section.path, "inputs"), raw)
            wrong_type(gathered, parent, name, "a mapping such as {type: string}")
        default = child.get("default")
        inputs.append(
            {
                "$at": child.places("type", "default", "is_chat_input", "is_chat_history"),
                "name": name,
                "type": child.get("type"),
                "has_default": default is not None,
                "default": default,
                "is_chat_input": bool(child.get("is_chat_input")),
                "is_chat_history": bool(child.get("is_chat_history")) or (name == "chat_history" and not marked),
                "placeholder": any_placeholder(default),
            }
        )
    return inputs


def _outputs(section: Section, gathered: Gathered) -> Json:
    raw = section.get("outputs")
    if raw in (None, [], {}):
        return []
    if not isinstance(raw, dict):
        return wrong_type(gathered, section, "outputs", "a mapping of name to {type: …, reference: …}").to_json()
    outputs: list[Json] = []
    for name, body in raw.items():
        child = Section(section.document, (*section.path, "outputs", name), body if isinstance(body, dict) else {})
        if not isinstance(body, dict):
            parent = Section(section.document, (*section.path, "outputs"), raw)
            wrong_type(gathered, parent, name, "a mapping such as {type: string, reference: ${node.output}}")
        outputs.append(
            {
                "$at": child.places("type", "reference"),
                "name": name,
                "type": child.get("type"),
                "reference": child.get("reference"),
                "has_reference": "reference" in child.value and child.get("reference") != "",
                "is_chat_output": bool(child.get("is_chat_output")),
                "evaluation_only": bool(child.get("evaluation_only")),
            }
        )
    return outputs


def _environment(tree: Tree, folder: Path, section: Section) -> Json:
    child = section.child("environment")
    named = child.text("python_requirements_txt") if child is not None else None
    present = tree.exists(folder / "requirements.txt")
    file = named if named is not None else "requirements.txt" if present else None
    named_exists = tree.existence(folder / named, tree.exists(folder / named)) if named is not None else None
    image = child.text("image") if child is not None else None
    return {
        "$at": child.places("image", "python_requirements_txt")
        | {"python_requirements": child.place("python_requirements_txt")}
        if child is not None
        else {},
        "image": read_image(image) if image is not None else None,
        "python_requirements": named,
        "python_requirements_exists": named_exists,
        "requirements_file": file if named is None or named_exists else None,
        "setup_script": child.text("setup_sh") if child is not None else None,
    }


def _additional_includes(tree: Tree, folder: Path, section: Section) -> Json:
    raw = section.get("additional_includes")
    includes: list[Json] = []
    for index, entry in enumerate(raw if isinstance(raw, list) else []):
        if not isinstance(entry, str):
            continue
        target = Path(os.path.normpath(folder / entry))
        inside = tree.inside(target)
        place = section.document.place("additional_includes", index)
        includes.append(
            {
                "$at": {"": list(place) if place else None},
                "path": entry,
                "exists": tree.existence(target, tree.exists(target))
                if inside
                else Unknown("outside-boundary", f"{entry} lies outside what may be read").to_json(),
                "outside": not str(target).startswith(str(folder) + os.sep),
                "outside_boundary": not inside,
                "resolved": tree.exists(folder / target.name),
            }
        )
    return includes


def _samples(tree: Tree, folder: Path) -> Json:
    """samples.json as the serving app reads it: json.loads of UTF-8 text, where a byte order mark is a fault."""
    path = folder / "samples.json"
    if not tree.exists(path):
        return None
    text = tree.read(path)
    if isinstance(text, Problem):
        return text.unknown().to_json()
    facts: dict[str, Json] = {"$file": tree.name(path), "$at": {"": [1]}, "problem": None, "detail": None, "line": None}
    if text.marked:
        return facts | {"problem": "invalid-json", "detail": "begins with a byte order mark", "line": 1}
    try:
        value = json.loads(text.text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        return facts | {"problem": "invalid-json", "detail": str(error), "line": line, "$at": {"": [line]}}
    if text.problem is not None:
        return facts | {"problem": "invalid-json", "detail": text.problem.detail, "line": 1}
    return facts | (
        {} if isinstance(value, list) else {"problem": "not-a-list", "detail": "samples are a list of objects"}
    )


_DOTENV_LINE = Pattern(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


def _dotenv(tree: Tree, folder: Path) -> Json:
    path = folder / ".env"
    if not tree.exists(path) or not os.path.isfile(path):
        return None
    text = tree.read(path)
    if isinstance(text, Problem):
        return text.unknown().to_json()
    return {"$file": tree.name(path), "$at": {"": [1]}, "variables": _DOTENV_LINE.findall(text.text)}


def _needed_files(flow: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Files that the flow cannot do without, with who needs them."""
    yield os.path.basename(flow["file"]), "the flow"
    for node in flow["nodes"] if isinstance(flow["nodes"], list) else ():
        if node["source_path"] and node["source_exists"] is True and not node["source_in_includes"]:
            yield node["source_path"], node["name"] or "a node"
    for source in flow["sources"] if isinstance(flow["sources"], list) else ():
        yield source["file"], "an import"
