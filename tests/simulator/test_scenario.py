"""Scenario files: reading, merging, dumping, and what is said about a bad one."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulator.conftest import BLUE, CHAT, DEV, ENDPOINT, GROUP, SCENARIOS, WORKSPACE, Client

from pfdoctor.simulator import Scenario, ScenarioError, Simulator


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_dump_loads_as_the_same_world(file: Path) -> None:
    dump = Scenario.load(file).world().dump()
    assert Scenario.from_mapping(dump).world().dump() == dump
    assert Scenario.from_mapping(yaml.safe_load(yaml.safe_dump(dump))).world().dump() == dump


_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("grant"), st.sampled_from([CHAT, DEV]), st.sampled_from(["Reader", "AcrPull", "Owner"])),
        st.tuples(st.just("version"), st.integers(8, 12).map(str), st.sampled_from(["a:1", "b:2"])),
        st.tuples(st.just("endpoint"), st.sampled_from(["one", "two"]), st.sampled_from(["Key", "AADToken"])),
        st.tuples(st.just("revoke"), st.just(""), st.just("")),
        st.tuples(st.just("delete"), st.sampled_from([BLUE, ENDPOINT]), st.just("")),
    ),
    max_size=8,
)


@given(acts=_ACTS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_done_a_dump_loads_as_the_same_world(healthy: Scenario, acts: list[tuple[str, str, str]]) -> None:
    world = healthy.world()
    for act, one, other in acts:
        if act == "grant":
            world.grant(one, other, GROUP)
        elif act == "version":
            world.add(f"{WORKSPACE}/environments/promptflow-chat/versions/{one}", {"properties": {"image": other}})
        elif act == "endpoint":
            world.add(f"{WORKSPACE}/onlineEndpoints/{one}", {"properties": {"authMode": other}})
        elif act == "revoke":
            world.revoke(next(iter(world.access.assignments.values())))
        else:
            resource = world.store.get(one)
            if resource is not None:
                world.remove(resource)
    dump = world.dump()
    assert Scenario.from_mapping(dump).world().dump() == dump


def test_one_file_extends_another(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "variables: {image: crchat.azurecr.io/other:1}\n"
        "roleAssignments: {chat-image: !remove, chat-secrets: {scope: '${endpoint}'}}\n"
        "resources:\n"
        "  ${environment}: {properties: {image: '${image}', inferenceConfig: !remove }}\n"
        "  ${endpoint}: {properties: {traffic: !replace {}}}\n"
    )
    client = Client(simulator)
    environment = client.get(f"{WORKSPACE}/environments/promptflow-chat/versions/7").json["properties"]
    assert (environment["image"], environment["inferenceConfig"]) == ("crchat.azurecr.io/other:1", None)
    assert client.get(ENDPOINT).json["properties"]["traffic"] == {}
    scopes = {row.scope for row in simulator.world.access.of([CHAT])}
    assert ENDPOINT in scopes
    assert not any(scope.endswith("/crchat") for scope in scopes)


def test_every_answer_bears_the_simulated_time(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("clock: 2041-03-02T09:00:00Z\n")
    client = Client(simulator)

    def told() -> list[float]:
        replies = [client.get(ENDPOINT), client.get(f"{WORKSPACE}/nothing/x"), client.get("/metadata/endpoints")]
        return [parsedate_to_datetime(one.headers["Date"]).timestamp() for one in replies]

    for ahead in (0, 600):
        simulator.advance(ahead)
        begun = int(simulator.world.clock.now())
        assert all(begun <= one <= simulator.world.clock.now() for one in told())


def test_times_may_be_relative(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("settings: {propagation: 600}\nroleAssignments: {chat-secrets: {createdOn: -3m}}\n")
    chat = Client(simulator, CHAT)
    assert chat.post(f"{WORKSPACE}/connections/aoai/listsecrets").status == 403
    simulator.advance(7 * 60 + 5)
    assert chat.post(f"{WORKSPACE}/connections/aoai/listsecrets").status == 200


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("tenant: [\n", 2, "not YAML"),
        ("a\n", 1, "a scenario is a mapping"),
        ("resorces: {}\n", 1, "no section 'resorces'"),
        (
            "\nvariables: {a: b}\nresources:\n  ${nothing}: {}\n",
            4,
            "the variable ${nothing} is not defined; there are: a",
        ),
        ("resources:\n  a/b: {}\n", 2, "'a/b' is no resource id"),
        ("resources:\n  /subscriptions/s: 3\n", 2, "must be a mapping, not int"),
        ("resources:\n  a: 1\n  a: 2\n", 3, "stands here twice"),
        ("settings:\n  speed: 3\n", 2, "no setting 'speed'; there are: propagation"),
        ("settings:\n  propagation: long\n", 2, "must be a number"),
        ("roleAssignments:\n  a:\n    role: Reader\n", 2, "a needs a principal"),
        (
            "roleAssignments:\n  a:\n    principal: x\n    role: Reader\n    scope: /subscriptions/s\n",
            3,
            "no principal 'x'; there are: none",
        ),
        (
            "principals: {x: {}}\nroleAssignments:\n  a:\n    principal: x\n    role: Raeder\n    scope: /s\n",
            5,
            "no role 'Raeder'",
        ),
        ("locks:\n  a: {level: Frozen}\n", 2, "level must be ReadOnly or CanNotDelete"),
        ("logs:\n  /subscriptions/s: {}\n", 2, "there is no resource /subscriptions/s"),
        ("faults:\n  - {match: {}, fault: boom}\n", 2, "no fault 'boom'"),
        ("clock: noon\n", 1, "'noon' is no time"),
        ("tenant: !secret x\n", 1, "the tag !secret is not known"),
    ],
)
def test_a_bad_scenario_is_told_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as raised:
        Scenario.load(file)
    assert str(raised.value).startswith(f"{file}:{line}: ")
    assert problem in str(raised.value)


def test_files_that_extend_each_other_or_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="in a circle"):
        Scenario.load(tmp_path / "a.yaml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        Scenario.load(tmp_path / "c.yaml")


def test_the_command_serves_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "pfdoctor.simulator", str(SCENARIOS / "healthy.yaml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        exported = dict(shlex.split(process.stdout.readline())[1].split("=", 1) for _ in range(8))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
    assert exported["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"
    assert exported["ARM_CLOUD_METADATA_URL"].startswith("https://127.0.0.1:")


def test_a_port_that_is_taken_leaves_nothing_open(healthy: Scenario) -> None:
    with Simulator(healthy) as first, pytest.raises(OSError, match="in use"):
        Simulator(healthy, port=int(first.arm.rpartition(":")[2])).start()


def test_the_command_says_what_is_wrong_with_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("resorces: {}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pfdoctor.simulator", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{file}:1: no section 'resorces'")
