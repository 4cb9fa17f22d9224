"""What `pfdoctor audit` says to whoever called it: scopes as they are typed, and the report as it is read."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.audits import running
from tests.fleet import fleet, subscription_of
from tests.report.audits import audit, endpoint, finding, unknown, unread

from pfdoctor.audit.report import AuditReport
from pfdoctor.audit.text import render
from pfdoctor.report.style import plain

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Six endpoints in three subscriptions, two of them below the management group ml; the first may not pull."""
    scenario = fleet(6, subscriptions=3, per_workspace=1, ill_every=6)
    data: Any = scenario.data
    data["managementGroups"] = {"ml": {"subscriptions": [subscription_of(0), subscription_of(1)]}}
    with running(scenario, tmp_path_factory.mktemp("said")) as fleet_:
        yield fleet_


NOTHING: list[tuple[list[str], int, str]] = [
    (
        ["-s", "nope"],
        5,
        f"no subscription that the login sees is named 'nope'; there are: Contoso ({subscription_of(0)})",
    ),
    (["-g", "rg-none*"], 5, "no endpoint in the scope: 6 endpoints are there, but none is left by --resource-group"),
    (["--include", "tag:env=x"], 5, "6 endpoints are there, but none is left by --include tag:env=x"),
    (["--management-group", "none"], 5, "the login sees no managed online endpoint in this scope"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), NOTHING)
def test_a_scope_without_an_endpoint_says_why(arguments: list[str], code: int, told: str, several: Any) -> None:
    ran = several.command(*arguments, "--quiet")
    assert (ran.returncode, ran.stdout) == (code, "")
    assert told in ran.stderr


def test_a_subscription_that_cannot_be_seen_is_told_and_not_green(several: Any) -> None:
    ran = several.command("-s", subscription_of(77), "-s", subscription_of(1))
    assert ran.returncode == 6
    assert f"not listed[not-seen] /subscriptions/{subscription_of(77)}" in ran.stdout
    assert "exit 6 (not seen: 1 part of the scope)" in " ".join(ran.stdout.split())
    assert several.command("-s", subscription_of(77), "-q").returncode == 4
    assert several.command("-s", subscription_of(77), "-s", subscription_of(1), "--exit-zero").returncode == 0


def test_every_format_at_once(several: Any, tmp_path: Path) -> None:
    kinds = ("text", "json", "jsonl", "markdown", "sarif", "junit", "openmetrics")
    pairs = [one for kind in kinds for one in ("--format", kind, "--output", str(tmp_path / kind))]
    ran = several.command(*pairs, "--management-group", "ml")
    assert (ran.returncode, ran.stdout) == (1, "")
    texts = {kind: (tmp_path / kind).read_text() for kind in kinds}
    assert "4 endpoints: 1 with findings, 0 unknown, 3 healthy" in texts["text"]
    assert len(json.loads(texts["json"])["endpoints"]) == len(texts["jsonl"].splitlines()) == 4
    assert texts["markdown"].startswith("# pfdoctor audit: ")
    (result,) = json.loads(texts["sarif"])["runs"][0]["results"]
    assert result["ruleId"] == "image-pull-denied"
    assert texts["junit"].count("<testsuite ") == 4
    assert texts["openmetrics"].endswith("# EOF\n")


def test_shards_of_a_matrix_are_joined(several: Any, tmp_path: Path) -> None:
    """Of one endpoint, one of two parts has none: that is no failure, and the whole is as it would be."""
    scope = ("--workspace", "ws-chat-000-0000", "--format", "json", "--output")
    parts = [str(tmp_path / f"part-{number}.json") for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        assert several.command(*scope, part, "--shard", f"{number}/2", "--fail-on", "never").returncode == 0
    assert sorted(len(json.loads(Path(one).read_text())["endpoints"]) for one in parts) == [0, 1]
    whole, joined = tmp_path / "whole.json", tmp_path / "joined.json"
    several.command(*scope, str(whole))
    merged = several.command("merge", *parts, "--format", "json", "--output", str(joined))
    assert merged.returncode == 1
    documents = [json.loads(one.read_text()) for one in (whole, joined)]
    assert len({json.dumps([one["id"] for one in document["endpoints"]]) for document in documents}) == 1
    assert documents[0]["summary"] == documents[1]["summary"]
    diff = several.command("diff", str(whole), str(joined))
    assert diff.returncode == 0
    assert "0 new, 1 persisting, 0 fixed" in diff.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_on_a_terminal_a_bar_tells_how_far_it_is(several: Any) -> None:
    import pty

    several.simulator.inject({"path": "/onlineEndpoints/"}, {"kind": "slow", "seconds": 0.15})
    terminal, theirs = pty.openpty()
    process = several.begin("--max-concurrency", "2", terminal=theirs)
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # what a terminal ends with when nobody writes to it any more
        while piece := os.read(terminal, 65536):
            drawn += piece
    os.close(terminal)
    several.simulator.clear_faults()
    assert process.wait(60) == 1
    text = drawn.decode()
    assert "listing endpoints" in text
    assert re.search(r"[1-5]/6", text)
    assert "1 with findings · 0 unknown" in text


def _text(*entries: dict[str, Any], width: int = 100, **how: Any) -> str:
    document = audit(*entries)
    head = {key: value for key, value in document.items() if key != "endpoints"}
    return plain(render(AuditReport(head, lambda: iter(document["endpoints"])), width, **how))


def test_the_worst_and_the_most_frequent_come_first() -> None:
    text = _text(
        endpoint("a", finding("quota-too-small", severity="warning")),
        endpoint("b", finding("node-cycle", "b/blue"), finding(deployment="b/blue")),
        endpoint("c", finding(deployment="c/blue"), subscription="9" * 8),
        endpoint("d", finding("image-pull-denied", "d/blue", status="suspected")),
    )
    order = [
        "error[connection-secrets-denied]",
        "error[node-cycle]",
        "error[image-pull-denied]",
        "warning[quota-too-small]",
    ]
    assert sorted(order, key=text.index) == order
    assert "· 2 findings" in text
    assert "  c/blue in rg/ws · 99999999" in text, "with several subscriptions, which"
    table = text[text.index("severity  findings  rule") :]
    assert "error            2  connection-secrets-denied" in table
    assert "error            1  image-pull-denied (1 suspected)" in table


def test_of_many_endpoints_with_one_finding_the_message_is_told_of_a_few() -> None:
    text = _text(*(endpoint(f"e{number:02}", finding(deployment=f"e{number:02}/blue")) for number in range(30)))
    assert text.count("chat may not read the secrets") == 5
    assert all(f"  e{number:02}/blue in rg/ws" in text for number in range(30))


def test_what_was_not_seen_is_said_by_its_reason() -> None:
    half = endpoint(
        "h", finding(), reason={"code": "log-unread", "detail": "the log may not be read", "permission": "a/b"}
    )
    text = _text(
        half, *(unread(f"u{number}") for number in range(6)), endpoint("k", state="unknown", unknown=[unknown()])
    )
    assert "unknown 6 endpoints: may not read the endpoint; that needs Microsoft.X/read" in text
    assert "ws/u0, ws/u1, ws/u2, ws/u3 and 2 more" in text
    assert "seen in part 1 endpoint: the log may not be read; that needs a/b" in text
    assert "unknown 1 endpoint: may not read role assignments" in text


def test_quiet_and_statistics() -> None:
    entries = (endpoint("a", finding()), unread("b"))
    assert "unknown" not in _text(*entries, quiet=True)
    assert _text(*entries, quiet=True, statistics=True).splitlines() == [
        "severity  findings  rule",
        "error            1  connection-secrets-denied",
        "",
    ]
