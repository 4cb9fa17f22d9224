"""A .prompty file as facts: its front matter and its template."""

from __future__ import annotations

import re
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import Gathered
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.folder.template import read_template
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Dialect, YamlDocument, YamlError, read

# three or more dashes, wherever they stand, up to the last such line: as promptflow-core 1.18.5 divides the file
# (promptflow/core/_flow.py); a line of dashes in the template is therefore taken for its end, and was seen to crash
_FRONT_MATTER = Pattern(r"-{3,}\n(.*)-{3,}\n", re.DOTALL)

_MODEL_KEYS = ("api", "configuration", "parameters", "response")

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

    def fail(problem: Problem) -> None:
        gathered.documents.append(problem.fact(tree.name(file), "prompty"))
        flow["prompty"] = problem.unknown().to_json()

    flow |= {**_EMPTY, "kind": "prompty", "is_chat": None, "prompty": None}
    text = tree.read(file)
    if isinstance(text, Problem):
        return fail(text)
    content = text.text.replace("\r\n", "\n")
    match = _FRONT_MATTER.search(content)
    if match is None:
        return fail(Problem("not-a-mapping", "has no front matter between two lines of ---", 1))
    offset = content.count("\n", 0, match.start(1))
    # blank lines keep the places of the front matter those of the file
    try:
        documents = read("\n" * offset + match[1], Dialect.FLOW)
    except YamlError as error:
        return fail(Problem(error.code, error.detail, error.line))
    if len(documents) > 1:
        return fail(Problem("several-documents", "has a line of dashes in its template", offset + 1))
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        return fail(Problem("not-a-mapping", "has a front matter that is no mapping", 1))
    _front_matter(documents[0], flow)
    body = content[match.end() :]
    template = read_template("\n" * content.count("\n", 0, match.end()) + body, file.name)
    template |= {"$file": tree.name(file), "$at": {"": [1]}}
    template["used_as"] = ["prompty"]
    flow["templates"] = [template]
    return None


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
        "has_parameters": model is not None and "parameters" in model.value,
        "unknown_model_keys": [key for key in model.value if key not in _MODEL_KEYS] if model is not None else [],
        "configuration": {"$at": configuration.places(*configuration.value), **configuration.value}
        if configuration is not None
        else None,
        "inputs": list(inputs.value) if inputs is not None else [],
    }
