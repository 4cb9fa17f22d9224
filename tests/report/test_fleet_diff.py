"""What counts as new, persisting, fixed, and not seen again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.report.audits import audit, endpoint, finding, unknown, unread
from typer.testing import CliRunner

from pfdoctor.cli.audit_diff import diff
from pfdoctor.report.fleet_diff import Difference, as_json, compare
from pfdoctor.report.fleet_markdown import render, render_difference

OLD = "connection-secrets-denied"
LATER = "2026-11-23T03:00:00Z"


def changed(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    """The difference between two audits that hold one endpoint each."""
    return compare(audit(before), audit(after, finished=LATER))


def counts(difference: Difference) -> tuple[int, int, int, int]:
    return len(difference.new), len(difference.persisting), len(difference.fixed), len(difference.not_seen)


def test_what_was_looked_at_again_and_not_found_is_fixed() -> None:
    assert counts(changed(endpoint("chat", finding()), endpoint("chat"))) == (0, 0, 1, 0)


def test_what_is_in_both_persists_whatever_case_azure_writes_the_id_in() -> None:
    after = endpoint("chat", finding(severity="warning"))
    after["id"] = after["id"].upper()
    difference = changed(endpoint("chat", finding()), after)
    assert counts(difference) == (0, 1, 0, 0)
    assert difference.persisting[0].why == "severity was error"


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (endpoint("other"), "the endpoint is not in the new audit"),
        (endpoint("chat", state="gone", deployments=[]), "the endpoint does not exist any more"),
        (unread("chat"), "the endpoint could not be read: may not read the endpoint"),
        (
            endpoint("chat", state="unknown", unknown=[unknown()]),
            "the rule could not be decided: may not read role assignments",
        ),
        (endpoint("chat", deployments=[]), "the deployment blue does not exist any more"),
    ],
)
def test_what_was_not_looked_at_again_is_not_fixed(after: dict[str, Any], why: str) -> None:
    difference = changed(endpoint("chat", finding()), after)
    assert counts(difference) == (0, 0, 0, 1)
    assert difference.not_seen[0].why == why


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (endpoint("chat"), None),
        (endpoint("other"), "the endpoint is new to the audit"),
        (unread("chat"), "the endpoint could not be read before: may not read the endpoint"),
        (
            endpoint("chat", state="unknown", unknown=[unknown()]),
            "the rule could not be decided before: may not read role assignments",
        ),
    ],
)
def test_what_is_new_says_whether_anything_broke(before: dict[str, Any], why: str | None) -> None:
    difference = changed(before, endpoint("chat", finding()))
    assert counts(difference) == (1, 0, 0, 0)
    assert difference.new[0].why == why


def test_the_same_finding_at_two_endpoints_is_two() -> None:
    before = audit(endpoint("a", finding()), endpoint("b"))
    after = audit(endpoint("a"), endpoint("b", finding()))
    assert counts(compare(before, after)) == (1, 0, 1, 0)


def test_audits_that_are_hard_to_compare_say_so() -> None:
    old, new = audit(endpoint("chat")), audit(endpoint("chat"), complete=False, finished="2026-11-20T03:00:00Z")
    new |= {"version": "0.2.0", "scope": {**new["scope"], "subscriptions": []}}
    said = " ".join(compare(old, new).notices)
    for part in ("may have other rules", "the new audit is not complete", "different scopes", "the wrong way round"):
        assert part in said


def test_json_has_its_schema(root: Path) -> None:
    schema = json.loads((root / "docs/schema/audit-diff.schema.json").read_text())
    before = audit(endpoint("a", finding()), endpoint("b", finding()), endpoint("c", finding()))
    after = audit(endpoint("a"), unread("b"), endpoint("c", finding(), finding("quota-too-small")))
    document = json.loads(as_json(compare(before, after), 1))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["summary"] == {
        "new": 1,
        "persisting": 1,
        "fixed": 1,
        "not_seen": 1,
        "worst_new": "error",
        "exit_code": 1,
    }


def test_the_audits_of_these_tests_have_the_schema_of_audits(root: Path) -> None:
    schema = root / "docs/schema/audit.schema.json"
    examples = audit(endpoint("a", finding()), unread("b"), endpoint("c", unknown=[unknown()], state="unknown"))
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(examples)


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs `audit diff` over two audits; gives its exit code and what it printed."""
    import typer

    app = typer.Typer()

    @app.callback()
    def group() -> None:
        pass

    app.command()(diff)

    def run(old: Any, new: Any, *flags: str) -> tuple[int, str]:
        for name, value in (("old.json", old), ("new.json", new)):
            (tmp_path / name).write_text(value if isinstance(value, str) else json.dumps(value))
        files = [str(tmp_path / "old.json"), str(tmp_path / "new.json")]
        result = CliRunner().invoke(app, ["diff", *files, *flags], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.return_value, result.output

    return run


def test_exit_codes(told: Callable[..., tuple[int, str]]) -> None:
    clean, broken, blind = (audit(one) for one in (endpoint("a"), endpoint("a", finding()), unread("a")))
    assert told(clean, broken)[0] == 1
    assert told(clean, broken, "--exit-zero")[0] == 0
    assert told(clean, broken, "--fail-on", "never")[0] == 0
    assert told(broken, broken)[0] == 0
    assert told(broken, clean)[0] == 0
    assert told(broken, blind)[0] == 0
    assert told(broken, blind, "--fail-on-unknown")[0] == 6
    suspected = audit(endpoint("a", finding(status="suspected")))
    assert told(clean, suspected)[0] == 0, "only what is proven counts"


@pytest.mark.parametrize(
    "content", ["no json", "[1]", '{"schema": "pfdoctor/report/v1"}', '{"schema": "pfdoctor/audit/v1"}']
)
def test_what_is_no_audit_is_said(told: Callable[..., tuple[int, str]], content: str) -> None:
    from pfdoctor.core.model import PfdoctorError

    with pytest.raises(PfdoctorError, match=r"old\.json"):
        told(content, audit(endpoint("a")))


@pytest.mark.parametrize(
    ("damage", "told_of"),
    [
        (lambda it: it.pop("rules"), "it has no 'rules'"),
        (lambda it: it.update(run=None), "run has the wrong type"),
        (lambda it: it.update(endpoints=[{"id": 3}]), r"endpoints\[0\] has no 'name'"),
        (lambda it: it["endpoints"][0].update(reason="odd"), r"endpoints\[0\]\.reason has the wrong type"),
        (lambda it: it["endpoints"][0]["findings"][0].update(severity="odd"), "severity is none of error, info, warn"),
        (lambda it: it["endpoints"][0]["findings"][0].pop("remedies"), r"findings\[0\] has no 'remedies'"),
    ],
)
def test_a_damaged_report_is_said_with_its_place(
    told: Callable[..., tuple[int, str]], damage: Callable[[Any], object], told_of: str
) -> None:
    from pfdoctor.core.model import PfdoctorError

    broken = audit(endpoint("a", finding()))
    damage(broken)
    with pytest.raises(PfdoctorError, match=rf"new\.json is damaged.*{told_of}"):
        told(audit(endpoint("a")), broken)


def test_what_a_rule_that_did_not_run_found_is_not_fixed() -> None:
    before, after = audit(endpoint("a", finding())), audit(endpoint("a"))
    after["rules"] = ["quota-too-small"]
    difference = compare(before, after)
    assert not difference.fixed
    assert [one.why for one in difference.not_seen] == ["the new audit did not run the rule"]
    assert "different rules" in difference.notices[0]
    (new,) = compare(after, before).new
    assert new.why == "the old audit did not run the rule"


def test_text_tells_the_news_and_counts_the_rest(told: Callable[..., tuple[int, str]]) -> None:
    before = audit(endpoint("a", finding()), endpoint("b", finding()), endpoint("c"))
    after = audit(endpoint("a", finding()), unread("b"), endpoint("c", finding("quota-too-small")))
    _, out = told(before, after)
    assert "error[quota-too-small]" in out
    assert "the endpoint could not be read" in out
    assert out.splitlines()[-1] == "1 new, 1 persisting, 0 fixed, 1 not seen again (-v lists what persists)"
    assert "Persisting" not in out
    assert "Persisting" in told(before, after, "--verbose")[1]


def test_markdown_puts_the_new_first() -> None:
    before = audit(endpoint("a", finding()), endpoint("b"))
    after = audit(endpoint("a", finding()), endpoint("b", finding("quota-too-small", severity="warning")))
    difference = compare(before, after)
    text = render(after, difference)
    assert text.index("## b in rg/ws") < text.index("## a in rg/ws")
    assert "### **new** · warning" in text
    assert "Since the last audit: 1 new, 1 persisting, 0 fixed." in text
    assert render(after).index("## a in rg/ws") < render(after).index("## b in rg/ws"), "without: the worst first"
    assert "## New" in render_difference(difference)
