"""An audit that was cut goes on, and parts make a whole: the report is that of one undisturbed run."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.audit.fleet import Shard
from pfdoctor.core.model import PfdoctorError

COUNT = 12


def _report(path: Path) -> Any:
    return json.loads(path.read_text())


def test_killed_at_random_moments_and_resumed(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any], compared: Callable[..., Any], waited: Callable[..., None]
) -> None:
    state, output = tmp_path / "state.jsonl", tmp_path / "report.json"
    arguments = ("--resume", str(state), "--max-concurrency", "3", "--format", "json", "--output", str(output))
    moments = sorted(random.Random(5).sample(range(1, COUNT - 3), 2))
    small.simulator.requests.clear()
    begun = []
    for done in moments:
        before = len(small.simulator.requests)
        process = small.begin(*arguments)
        waited(state, done)
        process.kill()
        process.communicate()
        begun.append(small.simulator.requests[before:])
    before = len(small.simulator.requests)
    assert small.command(*arguments).returncode == 1
    begun.append(small.simulator.requests[before:])
    assert compared(_report(output))["endpoints"] == compared(undisturbed)["endpoints"]
    asked: Counter[tuple[str, str, str]] = Counter()
    for run in begun:
        asked.update({(one.method, one.path, one.query) for one in run if one.path.startswith("/subscriptions/")})
    repeated = {key for key, number in asked.items() if number > 1}
    # three endpoints are in flight when one is killed; an ill one has some ten requests
    own = {path.partition("/deployments")[0] for _, path, _ in repeated if "/onlineEndpoints/" in path}
    assert len(own) <= 3 * len(moments)
    assert len([key for key in repeated if "/onlineEndpoints/" not in key[1]]) <= 3 * 12 * len(moments)


def test_interrupted_it_says_how_to_go_on(small: Any, tmp_path: Path, waited: Callable[..., None]) -> None:
    state = tmp_path / "state.jsonl"
    process = small.begin("--resume", str(state), "--max-concurrency", "2")
    waited(state, 2)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"go on with --resume {state}" in told
    assert "Traceback" not in told
    assert time.monotonic() - begun < 10
    assert small.command("--resume", str(state), "--quiet").returncode == 1


def test_a_line_that_was_cut_off_is_read_again(
    small: Any, tmp_path: Path, undisturbed: dict[str, Any], compared: Callable[..., Any]
) -> None:
    state = tmp_path / "state.jsonl"
    small.audit(state=state)
    data = state.read_bytes()
    cut = data.rindex(b'{"kind": "endpoint"') + 40
    state.write_bytes(data[:cut])
    small.simulator.requests.clear()
    assert compared(small.audit(state=state)) == compared(undisturbed)
    own = {
        one.path.rpartition("/onlineEndpoints/")[2].partition("/")[0]
        for one in small.simulator.requests
        if "/onlineEndpoints/" in one.path
    }
    assert len(own) == 1


def test_the_state_of_another_audit_is_refused(small: Any, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    small.audit(state=state)
    with pytest.raises(PfdoctorError, match="state of another audit: its shard"):
        small.audit(state=state, shard=Shard(1, 2))
    other = tmp_path / "notes.txt"
    other.write_text("buy milk\n")
    with pytest.raises(PfdoctorError, match="no state file"):
        small.audit(state=other)
    assert other.read_text() == "buy milk\n"


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
