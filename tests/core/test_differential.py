"""The differential: which cause comes first, what follows from what, and what is ruled out."""

from __future__ import annotations

from pfdoctor import catalog
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json, Status

CATALOGUE = catalog.load_full()


def result_of(*symptoms: str | dict[str, Json], **views: Json) -> CaseResult:
    """What a log with these symptoms, a line each, comes to."""
    hits = [
        {"symptom": one, "excerpt": one, "captures": {}, "line": line}
        if isinstance(one, str)
        else {"excerpt": one["symptom"], "line": line, **one}
        for line, one in enumerate(symptoms, start=1)
    ]
    log = {"source": "app.log", "complete": False, "looked_for": [], "hits": hits, "errors": []}
    return diagnose(Facts({"case": {"name": "app.log", "kind": "log"}, "logs": [log], **views}), CATALOGUE)


MODULE = {"symptom": "module-not-found", "captures": {"module": "langchain"}}


def test_the_root_comes_before_what_follows_from_it() -> None:
    result = result_of("probe-failed", "worker-failed-to-boot", MODULE)
    assert result.findings[0].rule == "module-missing"
    groups = {group.symptom: group.follows for group in result.differentials}
    assert groups["module-not-found"] == ()
    assert groups["probe-failed"] == groups["worker-failed-to-boot"] == ("module-not-found",)
    assert result.differentials[0].symptom == "module-not-found"


def test_a_consequence_alone_is_what_there_is_to_say() -> None:
    result = result_of("probe-failed")
    assert result.findings[0].rule == "probe-failed"
    assert result.differentials[0].follows == ()


def test_without_facts_causes_are_suspected_and_say_what_would_decide() -> None:
    (group,) = result_of(MODULE).differentials
    suspected = [cause for cause in group.causes if cause.status is Status.SUSPECTED]
    assert "import-not-provided" in [cause.rule for cause in suspected]
    assert all(cause.next_step is not None and cause.next_step.startswith("pfdoctor ") for cause in suspected)


def test_with_files_a_suspect_is_proven_or_ruled_out() -> None:
    declared = {
        "flow": {"kind": "dag", "file": "flow.dag.yaml", "nodes": []},
        "graph": {"references": []},
        "needs": {
            "modules": [
                {"module": "langchain", "distribution": "langchain", "file": "a.py", "provided": None, "guarded": False}
            ]
        },
        "dockerfile": None,
    }
    (group,) = result_of(MODULE, declared=declared).differentials
    statuses = {cause.rule: cause.status for cause in group.causes}
    assert statuses["environment-shadowing"] is Status.PASS
    ruled_out = next(cause for cause in group.causes if cause.rule == "environment-shadowing")
    assert ruled_out.evidence


def test_what_nothing_explains_is_said() -> None:
    live: dict[str, Json] = {"access": {"operations": []}, "deployment": None, "endpoint": None, "identity": None}
    result = result_of(MODULE, declared={"needs": {"modules": []}, "flow": None}, live=live)
    (group,) = result.differentials
    assert group.explained


def test_a_log_without_a_symptom_gives_nothing() -> None:
    result = result_of()
    assert (result.findings, result.differentials) == ((), ())


def test_the_lines_of_a_log_are_excerpts() -> None:
    result = result_of(MODULE)
    assert result.excerpts["app.log"]["1"] == "module-not-found"
    assert str(result.findings[0].origin) == "app.log:1"
