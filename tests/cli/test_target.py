"""Which endpoint the person means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pfdoctor.cli.target import Given, Where, resolve
from pfdoctor.core.model import PfdoctorError

WORKSPACE = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    monkeypatch.chdir(tmp_path)


def test_flags() -> None:
    assert resolve(Given("s1", "rg", "ws", "chat", "blue")) == Where("s1", "rg", "ws", "chat", "blue")


@pytest.mark.parametrize("tail", ["", "/deployments/blue"])
def test_a_resource_id_says_it_all(tail: str) -> None:
    where = resolve(Given(endpoint=f"{WORKSPACE}/onlineendpoints/chat{tail}"))
    assert where == Where("s1", "rg", "ws", "chat", "blue" if tail else None)


def test_the_id_of_a_workspace() -> None:
    assert resolve(Given(workspace=WORKSPACE, endpoint="chat")) == Where("s1", "rg", "ws", "chat")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        PfdoctorError, match=r"endpoint chat, give --subscription \(-s\) and --workspace \(-w\), or --from"
    ):
        resolve(Given(resource_group="rg", endpoint="chat"))


def test_flags_that_contradict_an_id() -> None:
    with pytest.raises(PfdoctorError, match="--resource-group other contradicts the resource id, which says rg"):
        resolve(Given(resource_group="other", endpoint=f"{WORKSPACE}/onlineEndpoints/chat"))


def test_what_is_no_id() -> None:
    with pytest.raises(PfdoctorError, match="neither a name nor a resource id"):
        resolve(Given(endpoint="a/b"))
    with pytest.raises(PfdoctorError, match="neither a name nor a resource id"):
        resolve(Given(endpoint=WORKSPACE))


def test_the_subscription_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "s9")
    assert resolve(Given(None, "rg", "ws", "chat")).subscription == "s9"


def test_what_az_says(tmp_path: Path) -> None:
    folder = tmp_path / "azure"
    folder.mkdir()
    (folder / "config").write_text("[defaults]\ngroup = rg\nworkspace = ws%1\n")
    profile = {"subscriptions": [{"id": "s1", "isDefault": False}, {"id": "s2", "isDefault": True}]}
    (folder / "azureProfile.json").write_text(json.dumps(profile), "utf-8-sig")
    assert resolve(Given(endpoint="chat", from_az_config=True)) == Where("s2", "rg", "ws%1", "chat")
    assert resolve(Given(workspace="mine", endpoint="chat", from_az_config=True)).workspace == "mine"


def test_the_workspace_file_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"subscription_id": "s1", "resource_group": "rg", "workspace_name": "ws"}
    (tmp_path / "config.json").write_text(json.dumps(content))
    below = tmp_path / "flows" / "chat"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert resolve(Given(endpoint="chat", from_az_config=True)) == Where("s1", "rg", "ws", "chat")


def test_a_broken_config_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "azure"
    folder.mkdir()
    (folder / "config").write_text("group = without a section\n")
    with pytest.raises(PfdoctorError, match=r"cannot read .*config: MissingSectionHeaderError"):
        resolve(Given(endpoint="chat", from_az_config=True))


def test_where_the_az_config_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PfdoctorError) as told:
        resolve(Given(endpoint="chat", from_az_config=True))
    assert f"there is no {tmp_path / 'config'} and no {tmp_path / 'azureProfile.json'}" in str(told.value)


def test_a_workspace_of_the_environment_asks_for_nothing() -> None:
    assert not Given(workspace="ws", meant=False).any
    assert Given(workspace="ws").any
    assert Given(endpoint="chat", meant=False).any
