"""Flows that promptflow-core served or refused (tests/fixtures/served.jsonl), against what `check` says of their files.

An error on a flow that was served fine is a false alarm. A flow that failed has an error, or stands in KNOWN_MISSES.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

import pytest

from pfdoctor import catalog
from pfdoctor.collect.folder import collect
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Json, Severity

_VALUE = "what the node returns is known only when it runs"
_NO_FLOW_FILE = "without a file of a known name nothing says that the folder is a flow"
_LONE_PROMPTY = "a warning: a .prompty that no deployment serves may be read by something else than promptflow"
_IMAGE = "a warning at most: the image may hold the package"
_VALUE_SENT = "a warning: what the input holds is known only on a request"

KNOWN_MISSES = {
    "A14": _VALUE,
    "A15": _VALUE,
    "A19": _VALUE,
    "A2.27": _VALUE,
    "A4.20": "a requirement or the image may hold the module",
    "A4.21": "a warning: without `provider`, the class of the connection decides whether the node needs a deployment",
    "A4.22": "a warning: without `provider`, the class of the connection decides whether the node needs a deployment",
    "A4.24": "with a connection to OpenAI the node works, and no file says of which class the connection is",
    "A5.56": _NO_FLOW_FILE,
    "A5.57": _NO_FLOW_FILE,
    "A5.58": _NO_FLOW_FILE,
    "B1.39": "what a module does when it is imported is not followed",
    "B2.26": _IMAGE,
    "B2.27": _IMAGE,
    "B2.34": _IMAGE,
    "B2.35": _IMAGE,
    "B2.41": "which names a module of the standard library defines is not known",
    "B3.28": "what a function does with its parameter is not followed",
    "B3.47": "files that a literal input names are not looked for",
    "B3.49": "files that a literal input names are not looked for",
    "B4.26": "the prompt flow runtime image holds the package of the tool",
    "B6.10": "the values that inputs of package tools may have are not in the table of tools",
    "B6.15": "the arguments of calls in a template are not judged",
    "B6.21": "a requirement or the image may hold the module",
    "C2.12": _VALUE_SENT,
    "C2.13": _VALUE_SENT,
    "C2.22": _VALUE_SENT,
    "C2.37": "the definitions of functions for a model are not judged",
    "D1.35": "what a function without an annotation returns is known only when it runs",
    "D1.36": _IMAGE,
    "D1.71": "no fact says whether a variable is read when the module is imported or when it is called",
    "D2.2": _NO_FLOW_FILE,
    "D2.4": _NO_FLOW_FILE,
    "D2.5": _NO_FLOW_FILE,
    "D2.16": _LONE_PROMPTY,
    "D2.17": _LONE_PROMPTY,
    "D2.18": _LONE_PROMPTY,
    "D2.20": "a variable of the environment may give the endpoint",
    "D2.21": "without a key the identity of the endpoint signs in, which the lab did not have",
    "D2.26": _LONE_PROMPTY,
    "D2.31": "which parameters the API takes depends on the version of openai",
    "D2.33": "the inputs of a prompty are known by name only",
    "D2.34": "the inputs of a prompty are known by name only",
    "D2.35": "the inputs of a prompty are known by name only",
    "D2.37": "the sample of a prompty is not read",
    "D2.39": "a .prompty without roles may be read by something else than promptflow",
    "D3.25": "of the parameters of a prompty only the key is known",
    "D3.28": _LONE_PROMPTY,
    "D3.32": _LONE_PROMPTY,
    "D2.12": _LONE_PROMPTY,
    "D3.34": _LONE_PROMPTY,
    "D3.33": _LONE_PROMPTY,
    "D3.26": _LONE_PROMPTY,
    "D2.30": _LONE_PROMPTY,
    "D2.29": _LONE_PROMPTY,
    "D2.13": _LONE_PROMPTY,
}
"""Experiments that failed and get no error, by id, and why."""


@cache
def experiments(root: Path) -> list[dict[str, Json]]:
    lines = (root / "tests" / "fixtures" / "served.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def errors(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rules with an error-level finding, by experiment."""
    rules = catalog.load()
    found: dict[str, list[str]] = {}
    for experiment in experiments(root):
        folder = tmp_path_factory.mktemp("served")
        for name, content in experiment["files"].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else base64.b64decode(content["base64"]))
        found[experiment["id"]] = [
            finding.rule
            for facts in collect([folder / "flow"]).cases
            for finding in diagnose(facts, rules).findings
            if finding.severity is Severity.ERROR
        ]
    return found


def test_no_error_on_a_flow_that_was_served(root: Path, errors: dict[str, list[str]]) -> None:
    """Not even where only some requests were answered: an error says that none is."""
    served = {one["id"]: one["name"] for one in experiments(root) if one["served"] != "fails"}
    offenders = [(key, name, errors[key]) for key, name in served.items() if errors[key]]
    assert not offenders


def test_an_error_on_every_flow_that_failed(root: Path, errors: dict[str, list[str]]) -> None:
    failed = [one for one in experiments(root) if one["served"] == "fails"]
    missed = {one["id"]: (one["name"], one["excerpt"]) for one in failed if not errors[one["id"]]}
    assert {key: about for key, about in missed.items() if key not in KNOWN_MISSES} == {}
    assert sorted(set(KNOWN_MISSES) - set(missed)) == [], "found now: take them out of KNOWN_MISSES"
