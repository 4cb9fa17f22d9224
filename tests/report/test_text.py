"""What a person reads: stored texts at 80 columns, and the corners that a stored text would not show."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pfdoctor.core.model import CaseResult, Evidence, Finding, Level, Origin, Remedy, Report, Severity, Status
from pfdoctor.report.style import Span, cells, coloured, plain, visible, wrap
from pfdoctor.report.summary import Gate
from pfdoctor.report.text import Layout, render

Golden = Callable[[str, str], None]


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("report.txt", Layout()),
        ("verbose.txt", Layout(verbose=True)),
        ("quiet.txt", Layout(quiet=True)),
        ("stat.txt", Layout(statistics=True)),
        ("narrow.txt", Layout(width=50)),
    ],
)
def test_the_report_is_the_stored_one(report: Report, golden: Golden, name: str, layout: Layout) -> None:
    golden(name, plain(render(report, Gate(), layout)))


def test_colour_changes_no_character(report: Report) -> None:
    lines = render(report, Gate(), Layout())
    styled = coloured(lines)
    assert "\x1b[" in styled
    assert re.sub(r"\x1b\[[0-9;]*m", "", styled) == plain(lines)


def test_only_what_cannot_be_broken_is_wider_than_the_report(report: Report) -> None:
    for line in plain(render(report, Gate(), Layout(width=60))).splitlines():
        assert cells(line) <= 60 or max(map(cells, line.split())) > 40, line


def _single(finding: Finding, **excerpts: str) -> Report:
    case = CaseResult(
        finding.case,
        "flow",
        (finding,),
        (),
        {finding.status: (finding.rule,)},
        excerpts={finding.origin.file: excerpts} if isinstance(finding.origin, Origin) else {},
    )
    return Report((case,), 1)


def _text(report: Report, *, verbose: bool = False) -> str:
    return plain(render(report, Gate(), Layout(verbose=verbose)))


def test_nothing_found() -> None:
    case = CaseResult("flows/chat", "flow", (), (), {Status.PASS: ("a", "b")})
    assert _text(Report((case,), 2)) == (
        "2 rules: 2 pass, 0 findings, 0 unknown, 0 not applicable · exit 0 (no findings)\n"
    )


def test_several_findings_of_one_rule_still_add_up(make_finding: Callable[..., Finding]) -> None:
    one = make_finding()
    two = make_finding(fingerprint="f" * 32)
    case = CaseResult("c", "flow", (one, two), (), {Status.LATENT: (one.rule,)})
    assert "1 rule: 0 pass, 1 fail with 2 findings (2 errors), 0 unknown" in _text(Report((case,), 1))


def test_severities_are_counted_in_their_plural(make_finding: Callable[..., Finding]) -> None:
    ones = tuple(make_finding(fingerprint=str(n), severity=Severity.INFO) for n in range(2))
    case = CaseResult("c", "flow", ones, (), {Status.LATENT: ("a", "b")})
    assert "2 findings (2 info)" in _text(Report((case,), 2))


@pytest.mark.parametrize(
    ("source", "column", "end", "shown", "marks"),
    [
        ("ab: cd", 5, 7, "ab: cd", "    ^^"),
        ("\tab: cd", 6, 8, "    ab: cd", "        ^^"),
        ("日本: cd", 5, 7, "日本: cd", "      ^^"),
        ("short", 90, 95, "short", ""),
        ("a: b", 4, None, "a: b", "   ^"),
        ("a: \x1b[31mred", 4, 5, "a: \\x1b[31mred", "   ^^^^"),
    ],
)
def test_the_value_is_underlined(
    make_finding: Callable[..., Finding], source: str, column: int, end: int | None, shown: str, marks: str
) -> None:
    text = _text(_single(make_finding(origin=Origin("f.yaml", 3, column, end)), **{"3": source}))
    lines = text.splitlines()
    index = next(index for index, line in enumerate(lines) if line.startswith("   3 | "))
    assert lines[index] == f"   3 | {shown}"
    assert lines[index + 1] == f"     | {marks}" if marks else not lines[index + 1].startswith("     |")


def test_a_long_source_line_is_shown_around_the_value(make_finding: Callable[..., Finding]) -> None:
    source = "x" * 200 + "HERE" + "y" * 200
    text = _text(_single(make_finding(origin=Origin("f.yaml", 3, 201, 205)), **{"3": source}))
    shown, marks = next(
        (line, after) for line, after in zip(text.splitlines(), text.splitlines()[1:], strict=False) if "HERE" in line
    )
    assert len(shown) <= 80
    assert shown.index("HERE") == marks.index("^^^^")


def test_much_evidence_is_cut_and_told(make_finding: Callable[..., Finding]) -> None:
    many = tuple(Evidence(f"declared.flow.inputs[{n}].name", "v" * 300) for n in range(9))
    report = _single(make_finding(evidence=many, origin=None))
    assert "… 3 more (--verbose)" in _text(report)
    assert "inputs[8]" in _text(report, verbose=True)
    assert "v" * 130 not in _text(report)


def test_a_finding_that_many_cases_share_is_shown_once(make_finding: Callable[..., Finding]) -> None:
    cases = tuple(
        CaseResult(f"c{n}", "flow", (make_finding(case=f"c{n}"),), (), {Status.LATENT: ("a",)}) for n in range(9)
    )
    text = _text(Report(cases, 1))
    assert text.count("error[") == 1
    assert "same in c1, c2, c3, c4, c5 and 3 more" in " ".join(text.split())


def test_the_worst_status_of_a_shared_finding_is_shown(make_finding: Callable[..., Finding]) -> None:
    weak = make_finding(case="a", status=Status.SUSPECTED)
    strong = make_finding(case="b", status=Status.CONFIRMED)
    cases = tuple(CaseResult(one.case, "flow", (one,), (), {one.status: (one.rule,)}) for one in (weak, strong))
    text = _text(Report(cases, 1))
    assert "confirmed · certain" in text
    assert "suspected" not in text


def test_no_input_can_drive_the_terminal(make_finding: Callable[..., Finding]) -> None:
    nasty = "x\x1b]0;title\x07\n::error::\u202egnp"
    shared = make_finding(
        message=nasty,
        case=nasty,
        origin=Origin(nasty, 1, 1, 2),
        evidence=(Evidence(f"declared.{nasty}", nasty, Origin(nasty)),),
    )
    problems = ({"path": nasty, "problem": "unreadable", "detail": nasty},)
    report = _single(shared, **{"1": nasty})._replace(problems=problems)
    text = _text(report)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert not re.search("^::error", text, re.MULTILINE)


def test_visible_names_what_it_hides() -> None:
    assert visible("a\tb\x00\u2066\udc80") == "a\\tb\\x00\\u2066\\udc80"


def test_wrapping_keeps_long_words_whole() -> None:
    lines = wrap([Span("see https://example.org/a/very/long/path now")], 20, "> ", "  ")
    assert plain(lines) == "> see\n  https://example.org/a/very/long/path\n  now\n"


def test_a_command_stays_on_one_line(make_finding: Callable[..., Finding]) -> None:
    command = 'az role assignment create --assignee 1 --role "Storage Blob Data Reader"  --scope /subscriptions/s1/rg'
    steps = f"{command}\nWhoever runs this needs a role of those that may assign roles, such as Owner or another."
    remedy = Remedy("Assign it", Level.REVIEW, steps=steps)
    lines = _text(_single(make_finding(remedies=(remedy,)))).splitlines()
    assert any(line.strip() == command for line in lines)
    assert max(map(len, (line for line in lines if "az role" not in line and "http" not in line))) <= 80


def test_rules_without_a_finding_of_their_own_are_accounted_for(make_finding: Callable[..., Finding]) -> None:
    case = CaseResult("c", "flow", (make_finding(),), (), {Status.LATENT: ("a", "b", "d")})
    text = " ".join(_text(Report((case,), 3)).split())
    assert "3 fail with 1 finding (1 error; 2 rules covered by a sharper one)" in text


def test_what_was_seen_of_a_live_case() -> None:
    case = CaseResult("c", "flow", (), (), {}, observed=(("endpoint", "Succeeded"),))
    report = Report((case,), 0)
    assert "  endpoint  Succeeded\n" in _text(report)
    assert plain(render(report, Gate(), Layout(quiet=True))) == ""
