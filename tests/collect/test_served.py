"""Flows that promptflow-core served or refused (tests/fixtures/served.jsonl) against what `check` says about their files.

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

KNOWN_MISSES: dict[str, str] = {}


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
