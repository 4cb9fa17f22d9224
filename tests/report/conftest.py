"""A small report with one of everything that a report can hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pfdoctor.core.model import (
    CaseResult,
    Confidence,
    Evidence,
    Finding,
    Level,
    Missing,
    Origin,
    Remedy,
    Report,
    Severity,
    Status,
    Unknown,
)

GOLDEN = Path(__file__).parent / "golden"

NO_DEPLOYMENT = Unknown(
    "not-in-files", "no deployment definition among the files", collect_command="pfdoctor check --live"
)
UNREADABLE = Unknown("unreadable", "requirements.txt could not be read")


def finding(rule: str = "inference-config-missing", **changes: object) -> Finding:
    """A finding that is an error with everything; `changes` replaces parts of it."""
    parts: dict[str, object] = {
        "rule": rule,
        "title": "Custom environment has no complete inference_config",
        "category": "environment",
        "status": Status.LATENT,
        "severity": Severity.ERROR,
        "confidence": Confidence.CERTAIN,
        "message": "the environment pf has no inference_config with all three routes, and the deployment blue has no "
        "scoring script",
        "case": "deploy/deployment.yml",
        "subject": "environment deploy/deployment.yml pf",
        "fingerprint": "0" * 32,
        "origin": Origin("deploy/deployment.yml", 6, 3, 14),
        "evidence": (
            Evidence("declared.environment.inference_config", None, Origin("deploy/deployment.yml", 6, 3)),
            Evidence("declared.deployment.kind", "managed", Origin("deploy/deployment.yml", 1)),
        ),
        "remedies": (
            Remedy(
                "Add inference_config with the prompt flow serving routes",
                Level.SAFE,
                ("deploy/deployment.yml:6: set inference_config: {liveness_route: {port: 8080, path: /health}}",),
                None,
                ({"set": {"fact": "environment.inference_config", "value": {}}},),
            ),
            Remedy(
                "Use the image as the flow's base image", Level.MANUAL, (), "Set environment.image in flow.dag.yaml."
            ),
        ),
        "related": (Origin("deploy/environment.yml", 1, 1),),
        "help_uri": "https://example.org/docs/rules/inference-config-missing.md",
    }
    return Finding(**{**parts, **changes})  # type: ignore[arg-type]  # the caller knows the fields


def undecided(rule: str, reason: Unknown, case: str = "deploy/deployment.yml") -> Finding:
    missing = (Missing("declared.deployment.kind", reason),)
    return finding(rule, status=Status.UNKNOWN, message="", case=case, missing=missing, fingerprint=rule)


@pytest.fixture
def make_finding() -> Callable[..., Finding]:
    return finding


@pytest.fixture
def report() -> Report:
    """Two cases that share a finding, an unproven one, unknown rules, a problem and a notice."""
    error = finding()
    warning = finding(
        "timeout-default",
        title="Timeout left at its default",
        category="deployment",
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        status=Status.CONFIRMED,
        message="request_timeout_ms is not set",
        origin=None,
        evidence=(),
        remedies=(),
        related=(),
        fingerprint="1" * 32,
    )
    suspected = finding(
        "port-mismatch",
        severity=Severity.WARNING,
        status=Status.SUSPECTED,
        message="the port 5000 is not the one that the image listens on",
        origin=Origin("flows/chat/Dockerfile", 2, 8, 12),
        case="flows/chat",
        evidence=(Evidence("declared.flow.nodes", [{"name": "a"}, {"name": "b"}]),),
        missing=(Missing("declared.environment.image", UNREADABLE),),
        remedies=(),
        related=(),
        fingerprint="2" * 32,
    )
    first = CaseResult(
        name="deploy/deployment.yml",
        kind="deployment",
        findings=(error, warning),
        unknown=(undecided("model-missing", NO_DEPLOYMENT), undecided("requirements-missing", UNREADABLE)),
        outcomes={
            Status.CONFIRMED: ("timeout-default",),
            Status.LATENT: ("inference-config-missing",),
            Status.UNKNOWN: ("model-missing", "requirements-missing"),
            Status.PASS: ("port-mismatch", "node-cycle"),
            Status.NOT_APPLICABLE: ("kubernetes-only",),
        },
        joins=(
            {
                "from": "deploy/deployment.yml",
                "what": "environment",
                "to": "deploy/environment.yml",
                "how": "azureml:pf:3 is its name and version",
            },
        ),
        excerpts={"deploy/deployment.yml": {"6": "  environment: pf"}},
    )
    second = CaseResult(
        name="flows/chat",
        kind="flow",
        findings=(finding(case="flows/chat"), suspected),
        unknown=(undecided("model-missing", NO_DEPLOYMENT, "flows/chat"),),
        outcomes={
            Status.LATENT: ("inference-config-missing",),
            Status.SUSPECTED: ("port-mismatch",),
            Status.UNKNOWN: ("model-missing",),
            Status.PASS: ("node-cycle", "timeout-default", "requirements-missing"),
            Status.NOT_APPLICABLE: ("kubernetes-only",),
        },
        excerpts={"flows/chat/Dockerfile": {"2": "EXPOSE 5000"}},
    )
    problems = ({"path": "flows/old", "problem": "unreadable", "detail": "cannot be listed: Permission denied"},)
    return Report((second, first), 7, problems, ("Azure Machine Learning retires prompt flow on 2027-04-20.",))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with a stored one; UPDATE_GOLDEN=1 stores it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text("utf-8")

    return compare
