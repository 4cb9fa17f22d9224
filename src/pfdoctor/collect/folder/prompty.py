"""A .prompty file as facts: its front matter and its template."""

from __future__ import annotations

import re
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.flow import Gathered
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.folder.template import read_template
from pfdoctor.core.model import Json
from pfdoctor.yaml_document import Dialect, YamlDocument, YamlError, read

_FRONT_MATTER = re.compile(r"\A\s*---\s*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)

_EMPTY: dict[str, Json] = {
    "type": None,
    "language": None,
    "schema_url": None,
    "is_evaluation": False,
    "inputs": [],
    "outputs": [],
    "nodes": None,
    "nodes_with_variants": None,
    "chat_input_count": 0,
    "chat_output_count": 0,
    "chat_history_count": 0,
    "environment": None,
    "environment_variables": None,
    "additional_includes": [],
    "flex": None,
    "sources": [],
    "templates": [],
    "other_tools": [],
    "ignored_files": [],
    "unknown_keys": [],
}


def read_prompty(tree: Tree, file: Path, gathered: Gathered) -> None:
    """Adds the facts of a .prompty flow to `gathered`."""
    flow = gathered.flow
    flow |= {**_EMPTY, "kind": "prompty", "is_chat": None, "prompty": None}
    text = tree.read(file)
    if isinstance(text, Problem):
        gathered.documents.append(text.fact(tree.name(file), "prompty"))
        flow["prompty"] = text.unknown().to_json()
        return
    match = _FRONT_MATTER.match(text.text)
    if match is None:
        problem = Problem("not-a-mapping", "has no front matter between two lines of ---", 1)
        gathered.documents.append(problem.fact(tree.name(file), "prompty"))
        flow["prompty"] = problem.unknown().to_json()
        return
    offset = text.text.count("\n", 0, match.start(1))
    # blank lines keep the places of the front matter those of the file
    try:
        documents = read("\n" * offset + match[1], Dialect.FLOW)
    except YamlError as error:
        gathered.documents.append(Problem(error.code, error.detail, error.line).fact(tree.name(file), "prompty"))
        flow["prompty"] = Problem(error.code, error.detail).unknown().to_json()
        return
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        problem = Problem("not-a-mapping", "its front matter is no mapping", 1)
        gathered.documents.append(problem.fact(tree.name(file), "prompty"))
        flow["prompty"] = problem.unknown().to_json()
        return
    _front_matter(documents[0], flow)
    body = text.text[match.end() :]
    template = read_template("\n" * text.text.count("\n", 0, match.end()) + body, file.name)
    template["$file"] = tree.name(file)
    flow["templates"] = [template]


def _front_matter(document: YamlDocument, flow: dict[str, Json]) -> None:
    section = Section(document, (), document.value)
    model = section.child("model")
    inputs = section.child("inputs")
    configuration = model.child("configuration") if model is not None else None
    flow["is_chat"] = (model.text("api") if model is not None else None) in (None, "chat")
    flow["prompty"] = {
        "$at": section.places("model", "inputs"),
        "api": model.text("api") if model is not None else None,
        "has_model": model is not None,
        "configuration": {"$at": configuration.places(*configuration.value), **configuration.value}
        if configuration is not None
        else None,
        "inputs": list(inputs.value) if inputs is not None else [],
    }
