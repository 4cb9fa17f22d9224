"""The JSON report: valid by its published schema, and the same bytes for the same input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pfdoctor.core.model import CaseResult, Evidence, Finding, Json, Origin, Report, Status, Unknown
from pfdoctor.report.json import encode, render
from pfdoctor.report.summary import Gate


@pytest.fixture
def validator(root: Path) -> Any:
    schema = json.loads((root / "docs" / "schema" / "report.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_is_valid_and_says_what_the_summary_says(report: Report, validator: Any) -> None:
    document = json.loads(render(report, Gate()))
    validator.validate(document)
    assert document["summary"]["exit_code"] == 1
    assert document["summary"]["outcomes"] == {"pass": 1, "fail": 3, "unknown": 2, "not-applicable": 1}
    assert [(one["rule"], one["cases"]) for one in document["findings"]] == [
        ("timeout-default", ["deploy/deployment.yml"]),
        ("inference-config-missing", ["deploy/deployment.yml", "flows/chat"]),
        ("port-mismatch", ["flows/chat"]),
    ]


@pytest.mark.parametrize("empty", [Report((), 0), Report((CaseResult("c", "flow", (), (), {}),), 3)])
def test_little_is_valid_too(empty: Report, validator: Any) -> None:
    validator.validate(json.loads(render(empty, Gate())))


def test_the_order_of_what_comes_in_does_not_matter(report: Report) -> None:
    expected = render(report, Gate())
    for seed in range(5):
        shuffle = random.Random(seed).sample
        cases = [
            case._replace(
                findings=tuple(shuffle(case.findings, len(case.findings))),
                unknown=tuple(shuffle(case.unknown, len(case.unknown))),
                outcomes={status: tuple(shuffle(ids, len(ids))) for status, ids in reversed(case.outcomes.items())},
            )
            for case in report.cases
        ]
        text = render(report._replace(cases=tuple(sorted(cases, key=lambda case: case.name, reverse=True))), Gate())
        assert text == expected


def test_one_finding_a_line(report: Report) -> None:
    lines = render(report, Gate()).splitlines()
    assert sum(line.startswith('{"rule": ') and '"fingerprint"' in line for line in lines) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan")}, '{"a": "nan"}'),
        ([float("-inf"), 1.5], '["-inf", 1.5]'),
        ("file-\udc80", '"file-\\udc80"'),
        ("日本", '"日本"'),
        (Unknown("c", "d"), '{"$unknown": {"code": "c", "detail": "d"}}'),
    ],
)
def test_values_that_json_cannot_hold(value: Json, text: str) -> None:
    assert encode(value) == text
    json.loads(encode(value))


def test_no_place(make_finding: Callable[..., Finding], validator: Any) -> None:
    ones = (
        make_finding(origin=None, evidence=(Evidence("declared.flow", {"x": 1}),)),
        make_finding(origin=Origin("f"), fingerprint="3" * 32),
        make_finding(origin=Origin("f", 2), fingerprint="4" * 32),
    )
    case = CaseResult("c", "flow", ones, (), {Status.LATENT: ("a",)})
    document = json.loads(render(Report((case,), 1), Gate()))
    validator.validate(document)
    assert [(one["path"], one["line"]) for one in document["findings"]] == [(None, None), ("f", None), ("f", 2)]
