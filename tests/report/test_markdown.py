"""Markdown, read back by another program: what is quoted stays text, and what does not fit is said."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.report.audits import audit, endpoint, finding, unknown, unread

from pfdoctor.report.fleet_markdown import render as render_audit
from pfdoctor.report.markdown import render_document
from pfdoctor.report.markdown_text import MOST_BYTES, Block, code, code_cell, joined, link, prose, table
from pfdoctor.report.style import visible

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = (
    "a | b",
    "\\|",
    "`x` ``y``",
    "<script>alert(1)</script>",
    "<!-- hidden -->",
    "![x](http://evil.example/beacon.png)",
    "[click](javascript:alert(1))",
    "@octocat and @org/team",
    "fixes #12, GH-7",
    "&lt;b&gt; &#64;",
    "# title",
    "- item",
    "1. item",
    "2026) item",
    "    indented",
    "_emphasis_ *strong* ~~gone~~ snake_case",
    "a\nb\n\n---\n| x |",
    "$math$",
    "\u202egnp.exe",
    "",
    "`",
    "\\`|`",
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("|\\`<>[]()*_~#-+=!&@1. a\n$", max_size=20)


def shown(text: str) -> str:
    """The characters that a reader of HTML sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", text)).replace("\u200b", "")


def nasty(test: Any) -> Any:
    for text in NASTY:
        test = example(text)(test)
    return test


@nasty
@given(TEXTS)
def test_prose_is_text_and_nothing_else(text: str) -> None:
    read = READER.render(f"x {prose(text)} x").strip()
    assert re.findall(r"<[^>]*>", read) == ["<p>", "</p>"]
    assert " ".join(shown(read).split()) == " ".join(f"x {visible(text)} x".replace("\u200b", "").split())


@nasty
@given(TEXTS)
def test_prose_at_the_start_of_a_line_begins_nothing(text: str) -> None:
    read = READER.render(prose(text)).strip()
    assert re.findall(r"<[^>]*>", read) in ([], ["<p>", "</p>"])


@nasty
@given(TEXTS)
def test_code_is_code(text: str) -> None:
    read = READER.render(f"x {code(text)} x").strip()
    assert re.findall(r"<[^>]*>", read) == ["<p>", "<code>", "</code>", "</p>"]
    if text.strip():
        assert shown(read) == f"x {visible(text)} x".replace("\u200b", "")


@nasty
@given(TEXTS)
def test_a_cell_stays_in_its_cell(text: str) -> None:
    read = READER.render(table(("a", "b"), [(prose(text), code_cell(text))]))
    rows = re.findall(r"<tr>(.*?)</tr>", read, re.DOTALL)
    assert len(rows) == 2
    assert [len(re.findall(r"<t[hd]>", row)) for row in rows] == [2, 2]
    cells = [shown(cell).strip() for cell in re.findall(r"<td>(.*?)</td>", rows[1], re.DOTALL)]
    told = " ".join(visible(text).replace("\u200b", "").split())
    assert [" ".join(cell.split()) for cell in cells] == [told, told]


@pytest.mark.parametrize("text", ["@octocat", "see @org/team", "#12", "GH-7"])
def test_nobody_is_summoned(text: str) -> None:
    assert not re.search(r"@\w|#\d|GH-\d", shown_with_marks(prose(text)))


def shown_with_marks(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", READER.render(text)))


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    assert link("x", "https://example.org/a?b=c#d") == "[x](https://example.org/a?b=c#d)"
    for address in ("javascript:alert(1)", "https://example.org/a b", "https://example.org/)[y](z", ""):
        assert link("x", address) == "x"


def test_what_does_not_fit_is_counted() -> None:
    text = joined((Block("x" * 200, 1) for _ in range(100)), most=2000)
    assert len(text.encode()) <= 2000
    shown_blocks = text.count("x" * 200)
    assert f"{100 - shown_blocks} more findings are in the JSON report" in text


def test_nothing_is_cut_that_fits() -> None:
    assert "Cut here" not in joined([Block("x", 1), Block("y", 1)])


def test_an_audit_of_many_endpoints_fits_a_job_summary() -> None:
    long = finding(message="x" * 2000)
    text = render_audit(audit(*(endpoint(f"e{number}", long) for number in range(700))))
    assert len(text.encode()) <= MOST_BYTES
    left_out = re.search(r"([\d,]+) more findings are in the JSON", text)
    assert left_out is not None
    assert text.count("### error") + int(left_out[1].replace(",", "")) == 700


def test_an_audit_names_every_endpoint_that_is_not_healthy() -> None:
    text = render_audit(
        audit(
            endpoint("fine"),
            endpoint("sick", finding(), finding("quota-too-small", severity="info")),
            unread("dark"),
            endpoint("dim", state="unknown", unknown=[unknown()]),
        )
    )
    assert text.startswith("# pfdoctor audit: 1 error, 1 note\n")
    assert "4 endpoints: 1 with findings, 2 unknown, 1 healthy, 0 gone." in text
    assert "| sick | rg/ws | findings | 1 | 0 | 1 | 0 |" in text
    assert "| dim | rg/ws | unknown | 0 | 0 | 0 | 1 |" in text
    assert "unknown: may not read the endpoint (takes Microsoft.X/read)" in text
    assert "fine" not in text
    assert "| may not read role assignments (takes Microsoft.Authorization/roleAssignments/read) |" in text


def test_a_hundred_endpoints_that_were_not_reached_are_one_section() -> None:
    reason = {"code": "interrupted", "detail": "not read: interrupted", "permission": None}
    half = endpoint("half", finding(), reason=reason)
    dark = [endpoint(f"e{number:03}", state="unknown", reason=reason, deployments=[]) for number in range(120)]
    text = render_audit(audit(half, *dark))
    assert text.count("\n## ") == 2
    (section,) = [one for one in text.split("\n## ") if one.startswith("120 endpoints: unknown: not read: interrupted")]
    assert "rg/ws/e000, rg/ws/e001, " in section
    assert "and 20 more" in section


def test_an_incomplete_audit_says_so() -> None:
    assert "**This audit is not complete**" in render_audit(audit(endpoint("a"), complete=False))


@pytest.mark.parametrize("text", NASTY)
def test_hostile_content_does_not_change_the_shape_of_a_report(text: str) -> None:
    plain, hostile = (_report(one) for one in ("plain", text))
    tags = [re.findall(r"</?(\w+)", READER.render(render_document(one))) for one in (plain, hostile)]
    assert [tag for tag in tags[0] if tag != "code"] == [tag for tag in tags[1] if tag != "code"]


def test_each_command_of_a_fix_can_be_copied() -> None:
    steps = "Read both logs.\naz ml one --name _a_\naz ml two --name b\nThen come back.\n"
    remedy = {"title": "Read the log", "level": "manual", "edits": [], "steps": steps}
    text = render_audit(audit(endpoint("a", finding(remedies=[remedy]))))
    assert "- fix (manual): Read the log: Read both logs. Then come back.\n" in text
    assert "  - `az ml one --name _a_`\n  - `az ml two --name b`\n" in text


def test_the_headline_tells_what_is_proven_from_what_is_not() -> None:
    guess = finding("quota-too-small", status="suspected")
    assert render_audit(audit(endpoint("a", finding(), guess))).startswith("# pfdoctor audit: 1 error, 1 not proven\n")


def test_what_the_log_shows_stands_with_its_cause() -> None:
    text = render_document(_report("plain"))
    assert "| x plain | `r` confirmed |\n| b | follows from `worker-crashed` |\n| c | none of the rules" in text


def _report(text: str) -> dict[str, Any]:
    remedy = {"title": f"x {text}", "level": "review", "edits": [f"x {text}"], "steps": f"x {text}", "actions": []}
    evidence = {"path": f"x {text}", "value": text, "file": None, "line": None, "source": None}
    one = finding(title=f"x {text}", message=f"x {text}", path=f"x {text}", evidence=[evidence], remedies=[remedy])
    missing = [{"fact": "f", "code": "c", "detail": f"x {text}", "permission": None, "command": None}]
    return {
        "summary": {
            "cases": 1,
            "rules": 2,
            "left_out": 0,
            "findings": 1,
            "problems": 1,
            "worst": "error",
            "outcomes": {"pass": 0, "fail": 1, "unknown": 1, "not-applicable": 0},
            "by_severity": {"error": 1, "warning": 0, "info": 0},
            "exit_code": 1,
            "exit_reason": "findings",
        },
        "findings": [one | {"case": f"x {text}", "missing": missing}],
        "not_checked": [{"rule": "r", "cases": ["c"], "missing": missing}],
        "problems": [{"path": f"x {text}", "problem": "missing", "detail": f"x {text}"}],
        "notices": [f"x {text}"],
        "cases": [
            {
                "name": f"x {text}",
                "differentials": [
                    {"title": f"x {text}", "causes": [{"rule": "r", "status": "confirmed"}], "follows": []},
                    {"title": "b", "causes": [{"rule": "r", "status": "pass"}], "follows": ["worker-crashed"]},
                    {"title": "c", "causes": [], "follows": []},
                ],
            }
        ],
    }
