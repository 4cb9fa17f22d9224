"""An audit that was cut goes on, and parts make a whole: the report is that of one undisturbed run."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pfdoctor.audit.fleet import Shard
from pfdoctor.audit.inventory import Inventory
from pfdoctor.audit.state import State
from pfdoctor.cloud.reading import Reading
from pfdoctor.core.model import PfdoctorError, Source

pytestmark = pytest.mark.once

COUNT = 12
_SKIP = re.compile(r"&?(?:%24|\$)skip[^&]*")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/audit.schema.json").read_text())


def _report(path: Path) -> Any:
    return json.loads(path.read_text())


def test_killed_at_ten_random_moments_and_resumed(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any], compared: Callable[..., Any]
) -> None:
    """Only what was in flight is asked again: three requests at the service, and three answers on their way.

    So nothing but the last six readings of a killed run is asked for more often than in a run that nobody disturbs.
    """
    seed = random.randrange(1_000_000)
    moments = random.Random(seed)
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    arguments = ("--resume", str(state), "--max-concurrency", "3", "--format", "json", "--output", str(output))
    log = small.simulator.requests
    log.clear()
    small.audit()
    once = Counter(_readings(log))
    log.clear()
    asked: Counter[tuple[str, str, str]] = Counter()
    small.simulator.inject({"path": "^/(subscriptions|providers)/"}, {"kind": "slow", "seconds": 0.03})
    for _ in range(10):
        process = small.begin(*arguments)
        enough = len(log) + moments.randint(1, 24)
        while len(log) < enough and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        time.sleep(0.1)  # what was in flight is answered to nobody
        assert process.returncode == -signal.SIGKILL, f"seed {seed}: it was done before it was killed"
        asked.update(_readings(log)[:-6])
        log.clear()
    small.simulator.clear_faults()
    assert small.command(*arguments).returncode == 1
    asked.update(_readings(log))
    assert compared(_report(output))["endpoints"] == compared(undisturbed)["endpoints"], f"seed {seed}"
    assert not {one: number for one, number in asked.items() if number > max(1, once[one])}, f"seed {seed}"
    assert not state.exists(), "a whole audit leaves nothing that the next would take for its beginning"


def _readings(log: Any) -> list[tuple[str, str, str]]:
    """What was asked of Azure Resource Manager, by the order of the answers; a list of pages stands at its last."""
    arm = [one for one in list(log) if one.path.startswith(("/subscriptions/", "/providers/"))]
    pages = [(one.method, one.path, one.query) for one in arm]
    followed = {(*page[:2], _SKIP.sub("", page[2])) for page in pages if _SKIP.search(page[2])}
    return [(*page[:2], _SKIP.sub("", page[2])) for page in pages if page not in followed]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cut_by_a_signal_it_reports_what_it_has_and_says_how_to_go_on(
    number: signal.Signals, small: Any, tmp_path: Path, waited: Callable[..., None]
) -> None:
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    arguments = ("--max-concurrency", "2", "--format", "json", "--output", str(output))
    small.simulator.inject({"path": "chat-000000[6-9]|chat-000001"}, {"kind": "slow", "seconds": 2.5})
    process = small.begin(*arguments, "--resume", str(state))
    waited(state, 2)
    process.send_signal(number)
    begun = time.monotonic()
    _, told = process.communicate(timeout=30)
    took = time.monotonic() - begun
    small.simulator.clear_faults()
    assert process.returncode == 130
    assert took < 1.0, told
    report = _report(output)
    jsonschema.validate(report, SCHEMA)
    entries = {one["name"]: one for one in report["endpoints"]}
    assert sorted(entries) == [f"chat-{number:07d}" for number in range(COUNT)]
    unread = [one for one in entries.values() if one["reason"] is not None]
    assert len(unread) >= COUNT - 6
    assert {(one["state"], one["reason"]["detail"]) for one in unread} == {("unknown", "not read: interrupted")}
    assert (report["summary"]["exit_code"], report["summary"]["exit_reason"]) == (130, "interrupted")
    assert not report["run"]["complete"]
    assert f"go on with: pfdoctor audit {' '.join(arguments)} --resume {state}" in told
    assert "Traceback" not in told
    assert small.command(*arguments, "--resume", str(state)).returncode == 1
    assert _report(output)["run"]["complete"]


def test_a_state_that_nobody_named_is_named_when_the_audit_is_cut(small: Any, waited: Callable[..., None]) -> None:
    small.simulator.inject({"path": "chat-000000[6-9]|chat-000001"}, {"kind": "slow", "seconds": 2.5})
    process = small.begin("--max-concurrency", "2", "--shard", "1/1", state_home="cut")
    folder = small.folder / "cut/pfdoctor"
    for _ in range(600):
        if any(folder.glob("audit-*.jsonl")):
            break
        time.sleep(0.05)
    (state,) = folder.glob("audit-*.jsonl")
    waited(state, 1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    small.simulator.clear_faults()
    assert f"go on with: pfdoctor audit --max-concurrency 2 --shard 1/1 --resume {state}" in told
    ran = small.command("--max-concurrency", "2", "--shard", "1/1", "--resume", str(state))
    assert ran.returncode == 1
    assert "going on with the audit of 20" in ran.stderr
    assert not state.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cut_before_it_has_begun_it_still_reports(number: signal.Signals, small: Any, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    environment = small.variables()
    kill = f"os.kill(os.getpid(), {int(number)})"
    begin = (
        "import os, pfdoctor.cli.own_rules as rules; load = rules.load;"
        f"rules.load = lambda of: ({kill}, {kill}, load(of))[2];"
        "from pfdoctor.cli.main import run; run()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", begin, "audit", "--format", "json", "--output", str(output)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (130, "pfdoctor: interrupted: 0 endpoints are done\n")
    report = _report(output)
    jsonschema.validate(report, SCHEMA)
    assert report["summary"]["exit_code"] == 130
    assert [one["problem"] for one in report["problems"]] == ["interrupted"]
    assert not report["run"]["complete"]


def test_a_group_that_is_ended_tells_its_report(small: Any, tmp_path: Path, waited: Callable[..., None]) -> None:
    """As `timeout` does it: the process, and at once the group that it is in, with the processes that it began."""
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    small.simulator.inject({"path": "chat-000000[6-9]|chat-000001"}, {"kind": "slow", "seconds": 2.5})
    process = small.begin("--format", "json", "--output", str(output), "--resume", str(state), start_new_session=True)
    waited(state, 2)
    process.send_signal(signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    begun = time.monotonic()
    _, told = process.communicate(timeout=30)
    small.simulator.clear_faults()
    assert process.returncode == 130, told
    assert time.monotonic() - begun < 1.5
    assert len(_report(output)["endpoints"]) == COUNT


def test_a_state_that_nobody_went_on_with_is_removed(small: Any) -> None:
    folder = small.folder / "state" / "pfdoctor"
    folder.mkdir(parents=True, exist_ok=True)
    old, young = folder / "audit-20260101T000000-1.jsonl", folder / "audit-20260102T000000-1.jsonl"
    for path, days in ((old, 31), (young, 29)):
        path.write_text("{}\n")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    try:
        small.command("--credential", "environment")
        assert not old.exists()
        assert young.exists()
    finally:
        young.unlink()


def test_two_audits_cannot_write_one_state(small: Any, tmp_path: Path, waited: Callable[..., None]) -> None:
    state = tmp_path / "state.jsonl"
    small.simulator.inject({"path": "chat-"}, {"kind": "slow", "seconds": 2.5})
    process = small.begin("--resume", str(state))
    waited(state, 1, kind='{"kind": "inventory"')
    ran = small.command("--resume", str(state))
    process.kill()
    process.communicate()
    small.simulator.clear_faults()
    assert ran.returncode == 2
    assert "another audit is at work" in ran.stderr
    assert small.command("--resume", str(state)).returncode == 1, "a lock ends with whoever held it"


def test_a_line_that_was_cut_off_is_made_again(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any], compared: Callable[..., Any]
) -> None:
    state = tmp_path / "state.jsonl"
    small.audit(state=state)
    data = state.read_bytes()
    cut = data.rindex(b'{"kind": "endpoint"') + 40
    state.write_bytes(data[:cut])
    small.simulator.requests.clear()
    assert compared(small.audit(state=state)) == compared(undisturbed)
    own = [one.path for one in small.simulator.requests if "/onlineEndpoints/" in one.path]
    # metrics are those of the last hour, whichever that is
    assert not [one for one in own if not one.endswith("/metrics")], "only examined again"


def test_what_was_read_of_an_endpoint_is_read_back_between_what_is_written(tmp_path: Path) -> None:
    """Lines longer than what is read ahead, and further ones written before the next endpoint asks for its own."""
    header: dict[str, Any] = {"scope": {}, "shard": None, "started_at": "2026-01-01T00:00:00Z"}
    source = Source("/endpoint", "2024-10-01", 200, None, "2026-01-01T00:00:00Z")
    readings = {
        f"endpoint {number}": (("GET", f"url {number}", ""), Reading({"words": [f"{number}"] * 1500}, source))
        for number in range(12)
    }
    path = tmp_path / "state.jsonl"
    state = State(path, header)
    for name, (key, reading) in readings.items():
        state.keep_own(name, key, reading)
    state.close()
    again = State(path, header)
    for name, (key, reading) in readings.items():
        assert again.own(name) == {key: reading}
        again.close_session(1, 0, 1.0)
    again.close()


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header: dict[str, Any] = {"scope": {}, "shard": None, "started_at": "2026-01-01T00:00:00Z"}
    path = tmp_path / "state.jsonl"
    state = State(path, header)
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:20])

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.raises(PfdoctorError, match="No space left on device"):
            state.set_inventory(Inventory((), ()))
    state.close_session(3, 0, 1.0)
    state.close()
    again = State(path, header)
    assert (again.requests, again.inventory) == (3, None)
    again.close()


def test_the_state_of_another_audit_is_refused(small: Any, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    small.audit(state=state)
    with pytest.raises(PfdoctorError, match="state of an audit with another shard"):
        small.audit(state=state, shard=Shard(1, 2))
    other = tmp_path / "notes.txt"
    other.write_text("buy milk\n")
    with pytest.raises(PfdoctorError, match="no state file"):
        small.audit(state=other)
    assert other.read_text() == "buy milk\n"


def test_a_state_of_rules_that_were_edited_is_refused(small: Any, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    rule = own / "count-zero.yaml"
    text = (Path(__file__).parents[1] / "cli/rules/deployment/count-zero.yaml").read_text()
    rule.write_text(text)
    # nobody is logged in: there is a state, and nothing in it
    command = ("--rules", "own", "--resume", "state.jsonl", "--credential", "environment")
    small.folder, before = tmp_path, small.folder
    try:
        assert small.command(*command).returncode == 4
        assert small.command(*command).returncode == 4
        rule.write_text(text.replace("severity: warning", "severity: error", 1))
        ran = small.command(*command)
    finally:
        small.folder = before
    assert ran.returncode == 2
    assert "is the state of an audit with another set of rules" in ran.stderr


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (0, lambda text: text.replace("started_at", "begun_at")),
        (1, lambda text: text.replace('"location"', '"place"')),
        (2, lambda text: text[:100] + "\n"),
        (2, lambda _: "\n"),
        (2, lambda _: "[]\n"),
        (2, lambda text: text.replace('"key"', '"kex"')),
        (-2, lambda text: text.replace('"state": "', '"state": "un')),
    ],
)
def test_a_state_that_somebody_edited_is_said_with_its_line(
    small: Any, tmp_path: Path, line: int, made: Callable[[str], str]
) -> None:
    state = tmp_path / "state.jsonl"
    small.audit(state=state)
    lines = state.read_text().splitlines(keepends=True)
    assert lines[-2].startswith('{"kind": "endpoint"')
    lines[line] = made(lines[line])
    state.write_text("".join(lines))
    with pytest.raises(PfdoctorError, match=f"is damaged: line {line % len(lines) + 1} "):
        small.audit(state=state)
    assert state.read_text() == "".join(lines)


def test_a_disk_that_fills_up_cuts_the_audit_and_loses_no_endpoint(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    ran = small.command(*("--resume", str(state), "--format", "json", "--output", str(output)), preexec_fn=_little_room)
    assert ran.returncode == 2, ran.stderr
    assert "cannot write the state file" in ran.stderr
    assert "internal error" not in ran.stderr
    assert f"go on with: pfdoctor audit --resume {state}" in ran.stderr
    report = _report(output)
    assert {one["id"] for one in report["endpoints"]} == {one["id"] for one in undisturbed["endpoints"]}
    assert report["summary"]["states"]["unknown"]
    assert report["summary"]["exit_reason"] == "the state cannot be written"
    assert small.command("--resume", str(state)).returncode == 1, "with room again, it goes on"


def _little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize(("path", "told"), [("/dev/null", "is no file that can hold"), ("nowhere/x", "cannot open")])
def test_what_can_hold_no_state_is_said(small: Any, path: str, told: str) -> None:
    ran = small.command("--resume", path)
    assert ran.returncode == 2
    assert told in ran.stderr


def test_without_a_place_for_the_state_a_name_is_asked_for(small: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    process = small.begin(state_home=str(file))
    assert "Name a file with --resume" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_shards_merge_to_the_whole(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any], compared: Callable[..., Any]
) -> None:
    parts = []
    for number in (1, 2):
        part = tmp_path / f"part-{number}.json"
        part.write_text(json.dumps(small.audit(shard=Shard(number, 2))))
        parts.append(str(part))
    output = tmp_path / "whole.json"
    assert small.command("merge", *parts, "-o", str(output)).returncode == 1
    assert compared(_report(output)) == compared(undisturbed)
    assert _report(output)["run"]["complete"]


@pytest.mark.parametrize(("second", "told"), [("2026-01-02T02:00:00Z", True), ("2026-01-01T09:00:00Z", False)])
def test_parts_of_different_nights_are_told(small: Any, tmp_path: Path, second: str, told: bool) -> None:
    parts = [tmp_path / f"part-{number}.json" for number in (1, 2)]
    for number, at in ((1, "2026-01-01T02:00:00Z"), (2, second)):
        report = small.audit(shard=Shard(number, 2))
        report["run"] |= {"started_at": at, "finished_at": at}
        parts[number - 1].write_text(json.dumps(report))
    ran = small.command("merge", *map(str, parts))
    assert ("from 2026-01-01T02:00:00Z to 2026-01-02T02:00:00Z: is one of an earlier run?" in ran.stderr) is told


def test_a_missing_shard_is_told(small: Any, tmp_path: Path) -> None:
    part = tmp_path / "part.json"
    part.write_text(json.dumps(small.audit(shard=Shard(2, 2))))
    ran = small.command("merge", str(part))
    assert "shard 1/2: no part is this shard" in ran.stdout
    assert "incomplete" in ran.stdout
    twice = small.command("merge", str(part), str(part))
    assert twice.returncode == 2
    assert "give each part once" in twice.stderr


def test_no_secret_gets_into_the_state(small: Any, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    secret = "Ab3" + "x9Qz7Lk2" * 5
    identifier = undisturbed["endpoints"][0]["id"]
    store = small.simulator.world.store
    deployment = store.get(f"{identifier}/deployments/blue").body["properties"]
    connection = store.get(identifier.rpartition("/onlineEndpoints/")[0] + "/connections/aoai").body["properties"]
    deployment["environmentVariables"]["OPENAI_API_KEY"] = secret
    connection["metadata"]["api_key"] = secret
    state = tmp_path / "state.jsonl"
    try:
        report = small.audit(state=state)
    finally:
        del deployment["environmentVariables"]["OPENAI_API_KEY"], connection["metadata"]["api_key"]
    assert secret not in state.read_text()
    assert secret not in json.dumps(report)
    assert state.stat().st_mode & 0o077 == 0
