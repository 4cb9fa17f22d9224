"""The role that `permissions` prints, held against the simulator: with it nothing is refused, and all of it is used."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pfdoctor import catalog
from pfdoctor.cli.main import main
from pfdoctor.cli.needed import needed
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure import permissions as table
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Status
from pfdoctor.core.rule import Catalogue, Symptom
from pfdoctor.simulator import Scenario, Simulator
from pfdoctor.simulator.rbac import Permission, Role

pytestmark = pytest.mark.once

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-chat"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-chat"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/chat"
DEPLOYMENT = f"{ENDPOINT}/deployments/blue"
INSIGHTS = f"{GROUP}/providers/Microsoft.Insights/components/aichat"
TARGET = Target(SUBSCRIPTION, "rg-chat", "ws-chat", "chat")
STATUS = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/eastus2"
    "/mfeOperationsStatus/odidp:x:y"
)
ROLE = "pfdoctor"
SYMPTOMS: dict[str, Symptom] = {}
"""None: what the logs hold is not what is asked here."""


class Run(NamedTuple):
    """What a collection came to: what was refused, operations that facts lack, what was asked, statuses of calls."""

    refused: list[str]
    lacking: set[str]
    asked: list[str]
    calls: set[int]
    facts: Facts


@pytest.fixture(scope="module")
def rich(root: Path) -> Iterator[Simulator]:
    """One endpoint that makes the collector read everything that it ever reads.

    Its identity is user-assigned, a search service goes by Entra ID, Application Insights was deleted, a vault is
    referred to, and the deployment failed in an operation that has to be asked for. The caller has one role, a custom
    one at the subscription.
    """
    data = copy.deepcopy(dict(Scenario.load(root / "examples/scenarios/healthy-user-assigned.yaml").data))
    del data["resources"][INSIGHTS]
    data["resources"][f"{WORKSPACE}/connections/search"]["properties"]["authType"] = "AAD"
    deployment = data["resources"][DEPLOYMENT]["properties"]
    deployment["environmentVariables"]["SECRET"] = "${{keyvault:https://kvchat.vault.azure.net/secrets/one}}"
    data["roles"] = {ROLE: {"actions": []}}
    others = {name: one for name, one in data["roleAssignments"].items() if one["principal"] not in {"ml-team", "dev"}}
    scope = f"/subscriptions/{SUBSCRIPTION}"
    data["roleAssignments"] = {**others, "doctor": {"principal": "dev", "role": ROLE, "scope": scope}}
    with pytest.MonkeyPatch.context() as patch, Simulator(Scenario.from_mapping(data)) as simulator:
        for name, value in simulator.environment.items():
            patch.setenv(name, value)
        uri = f"{resolve_cloud(None, os.environ).resource_manager}{STATUS}?api-version=2023-04-01-preview"
        resource = simulator.world.store.get(DEPLOYMENT)
        assert resource is not None
        resource.properties.update({"provisioningState": "Failed", "properties": {"AzureAsyncOperationUri": uri}})
        yield simulator


def grant(simulator: Simulator, actions: list[str]) -> None:
    """Make these the actions of the caller's only role."""
    access = simulator.world.access
    role = access.role(ROLE)
    assert role is not None
    access.roles[role.id] = Role(role.id, ROLE, (Permission.of({"actions": actions}),), custom=True)


def run(simulator: Simulator, actions: list[str], *, auth: str = "Key", probe: bool = False) -> Run:
    """Collect as a caller who holds these actions."""
    grant(simulator, actions)
    endpoint = simulator.world.store.get(ENDPOINT)
    assert endpoint is not None
    endpoint.properties["authMode"] = auth
    simulator.requests.clear()
    cloud = resolve_cloud(None, os.environ)
    how = Collection(deployment="blue", probe=probe, symptoms=SYMPTOMS)
    (facts,) = collect_now(TARGET, cloud, lambda: make_credential("default", cloud, os.environ, simulator.ca_file), how)
    return Run(
        [f"{one.method} {one.path}" for one in simulator.requests if one.status == 403],
        set(_lacking(facts)),
        [one.path for one in simulator.requests],
        {one.status for one in simulator.requests if one.path.startswith("/online/")},
        facts,
    )


def _lacking(facts: Facts) -> Iterator[str]:
    """The operations for want of which something is unknown, in lower case."""

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for mark in ("$unknown", "$incomplete"):
                if node.get(mark, {}).get("permission"):
                    yield node[mark]["permission"].lower()
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    yield from walk(facts.document["live"])
    for log in facts.document["logs"]:
        if "(that takes " in (log["cut"] or ""):
            yield log["cut"].partition("(that takes ")[2].rstrip(")").lower()


_PRINTED: dict[tuple[str, ...], dict[str, Any]] = {}


def printed(capsysbinary: pytest.CaptureFixture[bytes], *arguments: str) -> dict[str, Any]:
    """The role as az takes it."""
    if arguments not in _PRINTED:
        assert main(["permissions", "--format", "json", *arguments]) == 0
        _PRINTED[arguments] = json.loads(capsysbinary.readouterr().out)
    return _PRINTED[arguments]


def test_with_the_role_nothing_is_refused_and_nothing_unknown(
    rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    done = run(rich, printed(capsysbinary)["Actions"])
    assert (done.refused, done.lacking) == ([], set())


@pytest.mark.parametrize("auth", ["Key", "AMLToken", "AADToken"])
def test_with_the_role_for_probing_the_endpoint_can_be_called(
    rich: Simulator, auth: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    done = run(rich, printed(capsysbinary, "--probe")["Actions"], auth=auth, probe=True)
    assert (done.refused, done.lacking) == ([], set())
    assert done.calls > {401}, "beyond the one call that shows no key"


def test_every_operation_of_the_role_is_used(rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    actions = printed(capsysbinary)["Actions"]
    whole = run(rich, actions)
    # whoever knows the address of an operation may read how it ended in the simulator: the reading alone is seen
    assert STATUS in whole.asked
    catalogue = catalog.load()
    operations = {one.name: one for one in needed("diagnose", catalogue.rules.values(), probe=False)}
    before = undecided(whole, catalogue)
    surplus, untold = [], {}
    for name in actions:
        done = run(rich, _without(actions, name))
        if name.lower() not in done.lacking:
            surplus.append(name)
        # and the rules that it leaves open are those that were named before
        more = undecided(done, catalogue) - before - set(operations[name].rules)
        if more and not operations[name].base:
            untold[name] = more
    assert surplus == [table.OPERATION]
    assert untold == {}


def undecided(done: Run, catalogue: Catalogue) -> set[str]:
    return set(diagnose(done.facts, catalogue).outcomes.get(Status.UNKNOWN, ()))


@pytest.mark.parametrize(
    ("auth", "operation"), [("Key", table.KEYS), ("AMLToken", table.TOKEN), ("AADToken", table.SCORE)]
)
def test_every_operation_of_probing_is_used(
    rich: Simulator, auth: str, operation: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    actions = printed(capsysbinary, "--probe")["Actions"]
    done = run(rich, _without(actions, operation), auth=auth, probe=True)
    if auth == "AADToken":
        assert done.calls == {401}
    else:
        assert operation.lower() in done.lacking


def _without(actions: list[str], one: str) -> list[str]:
    return [other for other in actions if other != one]


def test_an_audit_with_its_role_is_refused_nothing(
    rich: Simulator, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    actions = printed(capsysbinary, "--command", "audit")["Actions"]

    def audited(actions: list[str]) -> dict[str, Any]:
        grant(rich, actions)
        rich.requests.clear()
        target = tmp_path / "audit.json"
        named = ("-s", SUBSCRIPTION, "--no-progress", "--resume", str(tmp_path / f"{len(actions)}.jsonl"))
        main(["audit", *named, "--format", "json", "--output", str(target)])
        report: dict[str, Any] = json.loads(target.read_text("utf-8"))
        return report

    report = audited(actions)
    assert [one.path for one in rich.requests if one.status == 403] == []
    assert report["problems"] == []
    (endpoint,) = report["endpoints"]
    assert [one for one in endpoint["unknown"] if one["permission"]] == []
    without = audited(_without(actions, table.SUBSCRIPTION))
    assert [one["problem"] for one in without["problems"]] == ["not-seen"]


def test_the_role_of_access_proves_as_much_as_every_right(
    rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    def proven(actions: list[str]) -> list[tuple[str, str]]:
        grant(rich, actions)
        main(["access", "-e", ENDPOINT, "--format", "json"])
        (case,) = json.loads(capsysbinary.readouterr().out)["cases"]
        return [(one["key"], one["verdict"]) for one in case["operations"]]

    actions = printed(capsysbinary, "--command", "access")["Actions"]
    assert proven(actions) == proven(["*"])
    assert len(actions) < len(printed(capsysbinary)["Actions"])


def test_what_is_missing_is_told_before_a_run(rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    actions = printed(capsysbinary)["Actions"]
    named = ["--check", "-e", ENDPOINT, "--format", "json"]
    grant(rich, actions)
    assert main(["permissions", *named]) == 0
    assert json.loads(capsysbinary.readouterr().out)["lacking"] == []
    grant(rich, _without(_without(actions, table.USAGES), table.VAULT))
    assert main(["permissions", *named]) == 1
    lacking = {one["permission"]: one for one in json.loads(capsysbinary.readouterr().out)["lacking"]}
    assert set(lacking) == {table.USAGES, table.VAULT}
    assert lacking[table.USAGES]["held"] is False
    assert "deployment-out-of-quota" not in lacking[table.VAULT]["rules"]
    assert "quota-too-small" in lacking[table.USAGES]["rules"]
    # a role at the vault itself is not seen from the group
    assert (lacking[table.VAULT]["held"], lacking[table.VAULT]["scope"]) == (None, GROUP)


def test_check_says_it_to_a_person(rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    grant(rich, ["*/read"])
    assert main(["permissions", "--check", "-e", ENDPOINT]) == 1
    out = capsysbinary.readouterr().out.decode()
    assert f"missing  {table.LOGS}" in out
    assert "1 of 28 operations are missing" in out


def test_check_tells_what_is_missing_from_what_is_not_seen(
    rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    grant(rich, _without(printed(capsysbinary)["Actions"], table.VAULT))
    assert main(["permissions", "--check", "-e", ENDPOINT]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert f"not seen  {table.VAULT}" in out
    assert "0 of 28 operations are missing; of 1 it is not known" in out


def test_check_that_could_not_ask_says_so(rich: Simulator, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rich.inject({"path": "Microsoft.Authorization/permissions"}, {"kind": "status", "status": 400})
    try:
        assert main(["permissions", "--check", "-e", ENDPOINT, "--format", "json"]) == 6
    finally:
        rich.clear_faults()
    lacking = json.loads(capsysbinary.readouterr().out)["lacking"]
    assert {one["held"] for one in lacking} == {None}


def test_the_role_of_selfcheck_is_small_and_rules_can_be_chosen(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert printed(capsysbinary, "--command", "selfcheck")["Actions"] == [table.WORKSPACE, table.SUBSCRIPTION]
    chosen = printed(capsysbinary, "--select", "quota-too-small")["Actions"]
    assert {table.USAGES, table.VM_SIZES} < set(chosen)
    assert table.ASSIGNMENTS not in chosen


def test_apply_may_write_what_remedies_write_and_nothing_else(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    more = set(printed(capsysbinary, "--command", "apply")["Actions"]) - set(printed(capsysbinary)["Actions"])
    assert more <= {name for names in (*table.WRITES.values(), *table.WRITES_OF_FACT.values()) for name in names}
    assert more >= set(table.WRITES["assign_role"])
    one = printed(capsysbinary, "--command", "apply", "--select", "connection-secrets-denied")["Actions"]
    writes = [name for name in one if not name.endswith(("/read", "/getLogs/action"))]
    assert writes == sorted(table.WRITES["assign_role"])


def test_every_format_holds_every_operation(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    actions = printed(capsysbinary)["Actions"]
    for form, quote in (("table", ""), ("bicep", "'"), ("terraform", '"')):
        assert main(["permissions", "--format", form]) == 0
        text = capsysbinary.readouterr().out.decode()
        assert [one for one in actions if f"{quote}{one}{quote}" not in text] == []
        assert text.count("{") == text.count("}")


def test_the_table_names_facts_of_the_schema_and_operations_once(root: Path) -> None:
    schema = catalog.load().schema
    for fact in (*table.BY_FACT, *table.DERIVED):
        schema.compile(fact.replace("scopes[].exists", "scopes"))
    sources = [one for one in (root / "src/pfdoctor/collect/azure").glob("*.py") if one.name != "permissions.py"]
    typed = [one.name for one in sources if any(f'/{verb}"' in one.read_text() for verb in ("read", "action"))]
    assert typed == ["arm_id.py"]
