"""OpenMetrics, read back by a parser of its own, made after the specification's grammar."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
from tests.report.audits import audit, endpoint, finding, unread

from pfdoctor.report.openmetrics import render_audit, render_document

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'{NAME}="(?:[^"\\\n]|\\[\\n"])*"'
PAIR = re.compile(rf'({NAME})="((?:[^"\\\n]|\\[\\n"])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)?\}})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
SUFFIXES = {"gauge": "", "counter": "_total"}


class Metrics(NamedTuple):
    """What was read: types of families, and the samples by name and labels."""

    types: dict[str, str]
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]


def parse(text: str) -> Metrics:
    """Reads OpenMetrics text; asserts what the specification demands of it."""
    assert text.endswith("# EOF\n")
    lines = text.splitlines()
    assert lines.count("# EOF") == 1
    found = Metrics({}, {})
    family, described = "", set[str]()
    for line in lines[:-1]:
        assert line, "no empty lines"
        if line.startswith("# "):
            _, keyword, name, rest = line.split(" ", 3)
            if keyword == "TYPE":
                assert name not in found.types, "a family stands in one piece"
                found.types[name], family, described = rest, name, set()
            assert name == family, "metadata comes with its family"
            assert keyword in {"TYPE", "UNIT", "HELP"} - described
            assert keyword != "UNIT" or name.endswith(f"_{rest}")
            described.add(keyword)
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        assert match[1] == family + SUFFIXES[found.types[family]]
        pairs = [(name, unescaped(value)) for name, value in PAIR.findall(match[2] or "")]
        assert len({name for name, _ in pairs}) == len(pairs)
        key = (match[1], frozenset(pairs))
        assert key not in found.samples, "one value a series"
        found.samples[key] = float(match[3])
    return found


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)


WHERE = {"subscription": "11111111-2222-3333-4444-555555555555", "resource_group": "rg", "workspace": "ws"}


def test_an_audit_in_figures() -> None:
    shared = finding()
    read = parse(
        render_audit(
            audit(
                endpoint("a", shared, {**shared, "case": "a/green"}, finding("quota-too-small", severity="warning")),
                endpoint("b", finding()),
                endpoint("c"),
                unread("d"),
                endpoint("e", state="gone"),
            )
        )
    )
    assert read.value("pfdoctor_findings", severity="error", rule="connection-secrets-denied", **WHERE) == 2
    assert read.value("pfdoctor_findings", severity="warning", rule="quota-too-small", **WHERE) == 1
    assert read.value("pfdoctor_endpoints", state="unknown") == 1
    assert read.value("pfdoctor_endpoints", state="healthy") == 1
    assert read.value("pfdoctor_score") == 0.25
    assert read.value("pfdoctor_checks", verdict="unknown") == 10
    assert read.value("pfdoctor_audit_last_success_timestamp_seconds") == 1795316400
    assert read.value("pfdoctor_audit_duration_seconds") == 120.5
    assert read.value("pfdoctor_audit_arm_requests_total") == 5000


def test_an_incomplete_audit_was_no_success_and_none_has_no_score() -> None:
    names = {name for name, _ in parse(render_audit(audit(complete=False))).samples}
    assert "pfdoctor_audit_last_success_timestamp_seconds" not in names
    assert "pfdoctor_score" not in names
    assert "pfdoctor_audit_duration_seconds" in names


def test_what_is_suspected_is_not_counted() -> None:
    read = parse(render_audit(audit(endpoint("a", finding(status="suspected")))))
    assert not [name for name, _ in read.samples if name == "pfdoctor_findings"]


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nend", "a,b}", "ü 😀", "\\n"])
def test_labels_survive(name: str) -> None:
    one = endpoint("a", finding(), workspace=name)
    read = parse(render_audit(audit(one)))
    labels = {**WHERE, "workspace": name}
    assert read.value("pfdoctor_findings", severity="error", rule="connection-secrets-denied", **labels) == 1


def test_a_single_report_in_figures() -> None:
    source: dict[str, Any] = {"id": endpoint("chat")["id"], "api_version": None}
    outcomes = {"pass": 3, "fail": 1, "unknown": 2, "not-applicable": 4}
    report = {"findings": [finding(source=source), finding("node-cycle")], "summary": {"outcomes": outcomes}}
    read = parse(render_document(report))
    assert read.value("pfdoctor_findings", severity="error", rule="connection-secrets-denied", **WHERE) == 1
    nowhere = dict.fromkeys(WHERE, "")
    assert read.value("pfdoctor_findings", severity="error", rule="node-cycle", **nowhere) == 1
    assert read.value("pfdoctor_checks", verdict="not-applicable") == 4
