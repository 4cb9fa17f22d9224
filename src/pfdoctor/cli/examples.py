"""Runs the examples of a rule, and checks that the facts they state are facts that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

from pfdoctor import catalog
from pfdoctor.core.example import ExampleResult, run_examples
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Catalogue, Rule


def run(rule: Rule, catalogue: Catalogue) -> Iterator[ExampleResult]:
    """Each example of the rule, run; one that states a fact which no collector could observe fails, too."""
    for example, result in zip(rule.wording.tests, run_examples(rule, catalogue), strict=True):
        fault = result.fault or _impossible(example)
        yield ExampleResult(result.rule, result.name, fault)


def _impossible(example: dict[str, Json]) -> str | None:
    for view in ("facts", "live"):
        for error in _validator().iter_errors(_known(example.get(view, {}))):
            where = ".".join(map(str, error.absolute_path))
            return f"{view}: {where or 'the facts'}: {error.message}"
    return None


@cache
def _validator() -> Json:
    # imported here: see pyproject.toml, jsonschema is for rules only
    from jsonschema import Draft202012Validator

    schema = json.loads((catalog.rules_directory() / catalog.SCHEMA_FILE).read_text("utf-8"))
    return Draft202012Validator({"$ref": "#/$defs/view", "$defs": schema["$defs"]})


def _known(value: Json) -> Json:
    """The value as the schema describes it: without the wrappers for what could not be observed."""
    if isinstance(value, list):
        return [_known(element) for element in value]
    if not isinstance(value, dict):
        return value
    if "$unknown" in value:
        return None
    if "$incomplete" in value:
        return _known(value["items"] if "items" in value else value.get("entries", {}))
    return {key: _known(element) for key, element in value.items()}
