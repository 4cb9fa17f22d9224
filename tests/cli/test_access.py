"""`pfdoctor access` over hand-made snapshots: what it prints, its exit codes and its errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.access_facts import (
    HIDDEN,
    LISTSECRETS,
    ME,
    REGISTRY,
    SECRETS_READER,
    WS,
    assignment,
    authorization,
    document,
    entry,
    live,
)

from pfdoctor.cli.main import main
from pfdoctor.simulator import Scenario, Simulator

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a snapshot of these cases; its path."""

    def write(*cases: dict[str, Any]) -> str:
        snapshot = {"schema": "pfdoctor/snapshot/v1", "version": "0", "cases": cases, "problems": [], "notices": []}
        path = tmp_path / "facts.json"
        path.write_text(json.dumps(snapshot), encoding="utf-8")
        return str(path)

    return write


def broken() -> dict[str, Any]:
    """The role was assigned to the client id."""
    facts = document()
    scope = facts["live"]["authorization"]["scopes"][0]
    scope["assigned"][0]["assignments"] = [assignment("metrics", WS)]
    scope["everyone"] = [assignment(SECRETS_READER, WS, "appid-endpoint")]
    return facts


def undecided() -> dict[str, Any]:
    """The registry's assignments could not be read."""
    facts = document()
    facts["live"]["authorization"]["scopes"][1]["assigned"] = HIDDEN
    return facts


def test_a_healthy_endpoint(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(document())]) == 0
    out = capsys.readouterr().out
    assert "system-assigned, object id oid-endpoint" in out
    assert "allowed         connection-secrets  workspace ws-chat" in out
    assert "5 operations of the endpoint: 4 allowed, 1 not applicable" in out
    assert "az role assignment" not in out


def test_what_is_missing_and_the_command_that_grants_it(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(broken())]) == 1
    out = capsys.readouterr().out
    assert "not allowed     connection-secrets" in out
    assert "its client id" in out
    assert "[ORPHAN_OR_OTHER_PRINCIPAL]" in out
    command = f'--role {SECRETS_READER} --scope "{WS}"'
    assert f"--assignee-object-id {ME} --assignee-principal-type ServicePrincipal {command}" in out
    assert f"action:\n    {LISTSECRETS}," in out


def test_json(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(broken(), undecided()), "--format", "json"]) == 1
    out = json.loads(capsys.readouterr().out)
    assert out["schema"] == "pfdoctor/access/v1"
    first, second = out["cases"]
    assert first["identity"] == {"principal_id": ME, "type": "system-assigned"}
    assert [one["role_id"] for one in first["missing_roles"]] == [SECRETS_READER]
    row = next(one for one in first["operations"] if one["key"] == "connection-secrets")
    assert (row["verdict"], row["missing"], row["near"]["principal_id"]) == ("NOT_ALLOWED", None, "appid-endpoint")
    row = next(one for one in second["operations"] if one["key"] == "image-pull")
    assert (row["verdict"], row["missing"]["code"]) == ("UNKNOWN", "assignments-unreadable")
    assert first["deployer"]["principal_id"] == "oid-caller"


@pytest.mark.parametrize("wanted", ["connection-secrets", LISTSECRETS.upper(), "connection-*"])
def test_one_operation(wanted: str, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(broken()), "--operation", wanted, "-f", "json"]) == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert [one["key"] for one in case["operations"]] == ["connection-secrets"]


def test_the_exit_code_counts_only_what_is_asked_for(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(broken()), "--operation", "image-pull"]) == 0
    assert "1 operation of the endpoint: 1 allowed" in capsys.readouterr().out


def test_what_runs_in_the_background_does_not_count(save: Save) -> None:
    facts = document()
    facts["live"]["authorization"]["scopes"][0]["assigned"][0]["assignments"].pop()
    assert main(["access", "--facts", save(facts)]) == 0


def test_undecided(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(undecided())
    assert main(["access", "--facts", path]) == 0
    assert "1 not decided" in capsys.readouterr().out
    assert main(["access", "--facts", path, "--fail-on-unknown"]) == 6


def test_a_file(save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.txt"
    assert main(["access", "--facts", save(document()), "-o", str(out)]) == 0
    assert capsys.readouterr().out == ""
    assert "connection-secrets" in out.read_text(encoding="utf-8")


def test_without_permissions_there_is_nothing_to_tell(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    facts = document()
    del facts["live"]["authorization"]
    assert main(["access", "--facts", save(facts)]) == 5
    assert "live.authorization" in capsys.readouterr().err
    facts["live"] = None
    assert main(["access", "--facts", save(facts)]) == 5


def test_an_operation_of_another_name(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--facts", save(document()), "--operation", "nothing"]) == 5
    assert "no operation is called nothing" in capsys.readouterr().err


def test_without_anything_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access"]) == 2
    assert "--endpoint NAME, or its snapshot by --facts FILE" in capsys.readouterr().err
    assert main(["access", "--facts", "x", "--endpoint", "chat"]) == 2


def test_nothing_of_a_name_drives_the_terminal(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    view = live(authorization=authorization(entry(WS), entry(REGISTRY)))
    view["identity"]["principal_id"] = "oid\x1b[2J"
    facts = document(view)
    facts["case"]["name"] = "chat\x1b]0;x"
    main(["access", "--facts", save(facts), "--color", "never"])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("value", [3, "x", [], {"scopes": 3}])
def test_facts_of_another_shape(value: Any, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["access", "--facts", save(document(live(authorization=value)))])
    assert code in (0, 2)
    assert "internal error" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scenario", "verdict", "reason", "code"),
    [
        ("healthy", "ALLOWED", "DIRECT", 0),
        ("healthy-through-group", "ALLOWED", "GROUP", 0),
        ("secret-role-missing", "NOT_ALLOWED", "ROLE_LACKS_ACTION", 1),
        ("secret-role-at-hub", "NOT_ALLOWED", "WRONG_SCOPE", 1),
        ("secret-blocked-by-lock", "BLOCKED", "LOCK", 1),
    ],
)
def test_a_simulated_endpoint(
    scenario: str,
    verdict: str,
    reason: str,
    code: int,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The flow's files, the live collection and the proof, all together."""
    scenarios = root / "examples" / "scenarios"
    with Simulator(Scenario.load(scenarios / f"{scenario}.yaml")) as azure:
        for name, value in azure.environment.items():
            monkeypatch.setenv(name, value)
        where = ["-e", "chat", "-w", "ws-chat", "-g", "rg-chat", "-s", "11111111-2222-3333-4444-555555555555"]
        flow = str(scenarios / "flows" / "describe")
        found = main(["access", flow, *where, "--credential", "managed-identity", "-f", "json", "--no-progress"])
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    row = next(one for one in case["operations"] if one["key"] == "connection-secrets")
    assert (row["verdict"], row["reason"], row["needed"], found) == (verdict, reason, True, code)


@pytest.mark.parametrize("unread", ["eligible", "everyone", "elsewhere"])
def test_why_something_is_not_allowed_is_open_where_what_would_tell_was_not_read(
    save: Save, capsys: pytest.CaptureFixture[str], unread: str
) -> None:
    facts = broken()
    facts["live"]["authorization"]["scopes"][0]["everyone"] = []
    place = facts["live"]["authorization"] if unread == "elsewhere" else facts["live"]["authorization"]["scopes"][0]
    place[unread] = HIDDEN
    assert main(["access", "--facts", save(facts), "--operation", "connection-secrets", "--format", "json"]) == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    (operation,) = case["operations"]
    assert (operation["verdict"], operation["reason"], operation["near"]) == ("NOT_ALLOWED", "REASON_UNREAD", None)
    assert operation["missing"]["code"] == "forbidden"
