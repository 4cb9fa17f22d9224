"""`pfdoctor audit` as it is called: what is refused, what is estimated, and the help."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from multiprocessing import active_children
from pathlib import Path
from typing import Any, cast

import pytest
from tests.report.audits import audit, endpoint, finding

from pfdoctor.cli.audit_examiner import Examiner
from pfdoctor.cli.audit_progress import Estimate, duration
from pfdoctor.cli.main import main


def test_an_estimate_follows_the_pace_of_the_last_minute() -> None:
    estimate = Estimate()
    assert estimate.seconds(0.0, 0, 1000) is None
    assert estimate.seconds(2.0, 240, 1000) is None
    assert estimate.seconds(10.0, 250, 1000) == 30.0
    paced = [estimate.seconds(float(now), 250 + now, 1000) for now in range(11, 100)]
    assert paced[-1] == pytest.approx(1000 - 250 - 99)


def test_an_estimate_that_comes_to_nothing_goes_away() -> None:
    estimate = Estimate()
    assert estimate.seconds(0.0, 0, 100) is None
    assert estimate.seconds(10.0, 50, 100) == 10.0
    assert estimate.seconds(30.0, 50, 100) == 30.0, "while nothing comes, it grows"
    assert estimate.seconds(71.0, 50, 100) is None, "and after a minute it would be a guess"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1.0, "about 5 s left"), (64.0, "about 65 s left"), (600.0, "about 10 min left"), (9000.0, "about 2.5 h left")],
)
def test_a_duration_is_no_more_exact_than_it_can_be(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shard", "3/2"], "it is I/N"),
        (["--include", "prod"], "is no filter"),
        (["merge", "nowhere.json"], "cannot read nowhere.json"),
        (["--format", "yaml"], "it is one of text, json, jsonl"),
        # what would keep the report from being told is told before an hour is spent on it
        (["--format", "json", "--output", "nowhere/audit.json"], "there is no folder nowhere"),
        (["--format", "json", "--output", "."], "it is a folder"),
        (["-f", "json", "-o", "a", "-f", "text", "-o", "./a"], "two formats go to a"),
        (["--shard", "1/" + "9" * 5000], "it is I/N"),
        (["--since", "nowhere.json", "--format", "markdown"], "cannot read nowhere.json"),
        (["--since", "nowhere.json"], "--since is for --format markdown"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_part_that_is_no_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "part.json"
    file.write_text("[]")
    assert main(["audit", "merge", str(file)]) == 2
    assert "is no report of pfdoctor audit --format json" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_one_output_that_is_full_leaves_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part, after = tmp_path / "part.json", tmp_path / "after.md"
    part.write_text(json.dumps(audit(endpoint("a", finding()))))
    arguments = ["-f", "json", "-o", "/dev/full", "-f", "markdown", "-o", str(after)]
    assert main(["audit", "merge", str(part), *arguments]) == 2
    assert "cannot write /dev/full: No space left on device" in capsys.readouterr().err
    assert "1 error" in after.read_text()


def test_a_worker_that_is_killed_costs_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfdoctor.cli.audit_examiner._PATIENCE", 0.3)
    parent = os.getpid()

    def examine(read: Any) -> Any:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return read

    async def both(examiner: Examiner) -> list[Any]:
        return [await examiner(cast("Any", name)) for name in ("first", "second")]

    with Examiner(examine, lambda: None) as examiner:
        assert asyncio.run(both(examiner)) == ["first", "second"]
    assert not active_children()
