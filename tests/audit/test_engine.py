"""Every endpoint of a fleet ends in the report, with as few requests as can be, whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.fleet import names

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.inventory import Inventory
from pfdoctor.audit.scope import Scope
from pfdoctor.audit.state import State

COUNT = 12
ILL = {"chat-0000000", "chat-0000006"}
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/audit.schema.json").read_text())


@pytest.fixture(autouse=True)
def calm(small: Any) -> Iterator[None]:
    small.simulator.requests.clear()
    yield
    small.simulator.clear_faults()


def test_every_endpoint_is_named_and_what_is_ill_is_found(undisturbed: dict[str, Any]) -> None:
    entries = {one["name"]: one for one in undisturbed["endpoints"]}
    assert sorted(entries) == list(names(COUNT))
    assert {name for name, one in entries.items() if one["state"] == "findings"} == ILL
    assert {one["state"] for name, one in entries.items() if name not in ILL} == {"healthy"}
    assert {finding["rule"] for name in ILL for finding in entries[name]["findings"]} == {"image-pull-denied"}
    assert undisturbed["run"]["complete"]


def test_the_report_is_what_its_schema_says(undisturbed: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(undisturbed)


def test_what_endpoints_share_is_read_once_and_three_requests_are_their_own(small: Any) -> None:
    small.audit()
    arm = [one for one in small.simulator.requests if "/onlineEndpoints/" in one.path]
    healthy = Counter(one.path.rpartition("/onlineEndpoints/")[2].partition("/")[0] for one in arm)
    assert {healthy[name] for name in names(COUNT) if name not in ILL} == {3}
    shared = Counter((one.path, one.query) for one in small.simulator.requests if "/onlineEndpoints/" not in one.path)
    again = {key: number for key, number in shared.items() if number > 1 and "ResourceGraph" not in key[0]}
    assert not {key for key in again if not key[0].startswith(("/msi/", "/metadata/"))}


def test_nothing_passes_for_healthy_where_azure_answers_no_more(small: Any) -> None:
    small.simulator.inject({"path": "^/subscriptions/.*onlineEndpoints"}, {"kind": "status", "status": 500})
    report = small.audit()
    assert {one["state"] for one in report["endpoints"]} == {"unknown"}
    assert {one["reason"]["code"] for one in report["endpoints"]} == {"server-error"}
    assert len(report["endpoints"]) == COUNT
    assert report["summary"]["exit_code"] == 6
    assert report["summary"]["exit_reason"] == f"not seen: {COUNT} endpoints"


def test_a_login_that_may_read_no_endpoint_has_to_be_another(small: Any) -> None:
    small.simulator.inject({"path": "/onlineEndpoints/"}, {"kind": "status", "status": 403, "message": "no"})
    report = small.audit()
    assert {one["state"] for one in report["endpoints"]} == {"unknown"}
    assert report["summary"]["exit_code"] == 4


def test_an_endpoint_without_permission_is_unknown_and_says_which(small: Any) -> None:
    small.simulator.inject(
        {"path": "onlineEndpoints/chat-0000003(/|\\?)"},
        {"kind": "status", "status": 403, "code": "AuthorizationFailed", "message": "no"},
    )
    report = small.audit()
    (entry,) = [one for one in report["endpoints"] if one["name"] == "chat-0000003"]
    assert entry["state"] == "unknown"
    assert entry["reason"]["permission"] == "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read"


def test_an_endpoint_whose_log_cannot_be_read_is_not_called_healthy(small: Any) -> None:
    small.simulator.inject({"path": "chat-0000003/.*getLogs"}, {"kind": "status", "status": 403, "message": "no"})
    (entry,) = [one for one in small.audit()["endpoints"] if one["name"] == "chat-0000003"]
    assert entry["state"] == "unknown"
    assert entry["reason"]["permission"].endswith("/getLogs/action")


def test_what_the_graph_lists_and_is_no_more_is_gone(small: Any, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    one = undisturbed["endpoints"][0]
    ghost = Endpoint(
        one["id"] + "-ghost", "ghost", one["workspace"], one["resource_group"], one["subscription"], None, {}
    )
    path = tmp_path / "state.jsonl"
    header = {"scope": Scope().to_json(), "shard": None, "started_at": "2026-01-01T00:00:00Z"}
    state = State(path, header)
    state.set_inventory(Inventory((ghost,), ()))
    state.close()
    report = small.audit(state=path)
    assert [entry["state"] for entry in report["endpoints"]] == ["gone"]
    assert report["summary"]["exit_code"] == 5


def test_a_bug_at_one_endpoint_costs_no_other(small: Any) -> None:
    def examine(_: Any) -> Any:
        raise ZeroDivisionError

    report = small.audit(examine=examine)
    assert {one["reason"]["code"] for one in report["endpoints"]} == {"internal-error"}
    assert report["summary"]["exit_code"] == 3


def test_a_throttled_subscription_loses_nothing(
    small: Any, undisturbed: dict[str, Any], compared: Callable[..., Any]
) -> None:
    settings = small.simulator.world.settings
    settings.throttle, settings.read_burst, settings.read_rate = True, 20.0, 400.0
    try:
        report = small.audit()
    finally:
        settings.throttle, settings.read_burst, settings.read_rate = False, 250.0, 25.0
    assert compared(report) == compared(undisturbed)
