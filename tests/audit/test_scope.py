"""Which endpoints a scope means: as asked of the simulator, and as filters say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.audits import running
from tests.fleet import fleet, subscription_of

from pfdoctor.audit.fleet import Endpoint, Shard, interleaved
from pfdoctor.audit.scope import Filter, Scope, matches
from pfdoctor.core.model import NoInputError, PfdoctorError


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Six endpoints in three subscriptions, of which two are below the management group ml; one has a tag."""
    scenario = fleet(6, subscriptions=3, per_workspace=1)
    data: Any = scenario.data
    data["managementGroups"] = {"ml": {"subscriptions": [subscription_of(0), subscription_of(1)]}}
    first = next(key for key in data["resources"] if key.endswith("/onlineEndpoints/chat-0000000"))
    data["resources"][first]["tags"] = {"Env": "prod"}
    with running(scenario, tmp_path_factory.mktemp("scope")) as fleet_:
        yield fleet_


def _found(tiny: Any, **scope: Any) -> list[int]:
    """The numbers of the endpoints that an inventory of the scope has."""
    report = tiny.audit(Scope(**scope), examine=_nothing)
    return sorted(int(one["name"].removeprefix("chat-")) for one in report["endpoints"])


def _nothing(facts: Any) -> Any:
    from pfdoctor.core.model import CaseResult

    return CaseResult(facts.case["name"], "deployment", (), (), {})


SCOPES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "all": ({}, [0, 1, 2, 3, 4, 5]),
    "subscription": ({"subscriptions": (subscription_of(1),)}, [1, 4]),
    "subscriptions": ({"subscriptions": (subscription_of(1), subscription_of(2))}, [1, 2, 4, 5]),
    "glob of subscriptions": ({"subscriptions": ("11111111-*-00000000000[02]",)}, [0, 2, 3, 5]),
    "management group": ({"management_groups": ("ml",)}, [0, 1, 3, 4]),
    "resource group": ({"resource_groups": ("rg-chat-000-0001",)}, [3]),
    "glob of resource groups": ({"resource_groups": ("RG-CHAT-*-0001",)}, [3, 4, 5]),
    "workspace": ({"workspaces": ("ws-chat-002-0000",)}, [2]),
    "workspace in full": (
        {
            "subscriptions": (subscription_of(2),),
            "resource_groups": ("rg-chat-002-0000",),
            "workspaces": ("ws-chat-002-0000",),
        },
        [2],
    ),
    "tag": ({"include": (Filter.parse("tag:env=pr*"),)}, [0]),
    "no such tag": ({"exclude": (Filter.parse("tag:env"),)}, [1, 2, 3, 4, 5]),
    "name and region": ({"include": (Filter.parse("name:*[13]"), Filter.parse("region:eastus2"))}, [1, 3]),
    "two names": ({"include": (Filter.parse("name:*1"), Filter.parse("name:*2"))}, [1, 2]),
}


@pytest.mark.parametrize("what", SCOPES)
def test_a_scope_means(what: str, tiny: Any) -> None:
    scope, expected = SCOPES[what]
    assert _found(tiny, **scope) == expected


def test_a_subscription_that_the_login_does_not_see_is_told(tiny: Any) -> None:
    report = tiny.audit(Scope(subscriptions=(subscription_of(77), subscription_of(1))), examine=_nothing)
    assert [one["problem"] for one in report["problems"]] == ["not-seen"]
    assert report["summary"]["problems"] == 1
    with pytest.raises(NoInputError, match="no subscription that the login sees is named 'nope'"):
        tiny.audit(Scope(subscriptions=("nope",)))


@pytest.mark.parametrize(("status", "problem", "code"), [(403, "forbidden", 4), (400, "refused", 6)])
def test_a_scope_that_cannot_be_listed_is_told(status: int, problem: str, code: int, tiny: Any) -> None:
    tiny.simulator.inject({"path": "ResourceGraph"}, {"kind": "status", "status": status})
    try:
        report = tiny.audit()
    finally:
        tiny.simulator.clear_faults()
    assert [one["problem"] for one in report["problems"]] == [problem]
    assert not report["run"]["complete"]
    assert report["summary"]["exit_code"] == code


_GRAPH = {"path": "ResourceGraph"}


def _row(number: int) -> dict[str, str]:
    place = f"{subscription_of(number)}/resourceGroups/rg-chat-{number:03d}-0000"
    workspace = f"providers/Microsoft.MachineLearningServices/workspaces/ws-chat-{number:03d}-0000"
    return {"id": f"/subscriptions/{place}/{workspace}/onlineEndpoints/chat-{number:07d}"}


@pytest.mark.parametrize(
    ("pages", "code", "told"),
    [
        ([[[_row(0)], "a"], [[_row(1)], "b"], [[_row(2)], "a"]], "page-loop", "the same page again after 3 rows"),
        ([[[_row(0)], "a"], [[_row(1), _row(2)], "a"]], "page-loop", "the same page again after 3 rows"),
        ([[[_row(0), _row(1), _row(2), {"id": 7}, "row", {}], None]], "wrong-type", "3 rows of it without the id"),
        ([[[_row(0), _row(0), _row(1), _row(2)], None, "true"]], "truncated", "has more than the 4 rows"),
    ],
)
def test_a_list_that_may_go_on_is_told(pages: list[Any], code: str, told: str, tiny: Any) -> None:
    for number, (rows, token, *cut) in enumerate(pages, start=1):
        body = {"data": rows, "resultTruncated": (cut or ["false"])[0], **({"$skipToken": token} if token else {})}
        tiny.simulator.inject({**_GRAPH, "nth": number}, {"kind": "wrong-type", "body": body})
    report = tiny.audit(Scope(), examine=_nothing)
    tiny.simulator.clear_faults()
    (problem,) = report["problems"]
    assert (problem["problem"], told in problem["detail"]) == (code, True)
    assert report["summary"]["endpoints"] == 3
    assert report["summary"]["exit_code"] == 6


def test_a_misspelt_name_is_told_beside_an_unknown_id(tiny: Any) -> None:
    unknown = "99999999-2222-3333-4444-555555555555"
    with pytest.raises(NoInputError, match="is named 'typo'"):
        tiny.audit(Scope(subscriptions=(unknown, "typo")))


def test_a_name_that_no_endpoint_is_due_to_is_told(tiny: Any) -> None:
    ran = tiny.command(
        "-g", "rg-chat-000-0000", "-g", "rg-typo", "--include", "region:east*", "--include", "region:we*"
    )
    assert ran.returncode == 0
    assert "no endpoint in the scope is of --resource-group rg-typo" in ran.stderr
    assert "is of --include region:we*" in ran.stderr
    assert ran.stderr.count("note:") == 2


def test_a_name_with_the_characters_of_a_glob_means_itself() -> None:
    assert matches("[Prod] chat*", ["[prod] CHAT*"])
    assert not matches("prod", ["[prod] chat"])


def test_an_audit_that_could_not_list_a_part_is_not_green(tiny: Any) -> None:
    """Resource Graph answers; the workspace that is named in full does not."""
    full, expected = SCOPES["workspace in full"]
    tiny.simulator.inject({"path": "/onlineEndpoints\\?"}, {"kind": "status", "status": 403})
    try:
        report = tiny.audit(Scope(**full), examine=_nothing)
    finally:
        tiny.simulator.clear_faults()
    assert [int(one["name"].removeprefix("chat-")) for one in report["endpoints"]] == expected
    assert [one["problem"] for one in report["problems"]] == ["forbidden"]
    assert report["summary"]["exit_code"] == 6
    assert report["summary"]["exit_reason"] == "not seen: 1 part of the scope"


@pytest.mark.parametrize("text", ["", "prod", "colour:red", "tag:", "name:"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(PfdoctorError, match="is no filter"):
        Filter.parse(text)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(PfdoctorError, match="it is I/N"):
        Shard.parse(text)


def _endpoint(number: int, subscription: int = 0) -> Endpoint:
    identifier = f"/subscriptions/{subscription_of(subscription)}/e{number}"
    return Endpoint(identifier, f"e{number}", "w", "g", subscription_of(subscription), None, {})


def test_each_endpoint_is_in_one_shard_and_none_is_far_larger() -> None:
    endpoints = [_endpoint(number) for number in range(1000)]
    held = [[one for one in endpoints if Shard(part, 4).holds(one)] for part in (1, 2, 3, 4)]
    assert sorted(one for part in held for one in part) == sorted(endpoints)
    assert all(200 < len(part) < 300 for part in held)


def test_subscriptions_take_turns() -> None:
    endpoints = [_endpoint(number, number % 3) for number in range(6)]
    assert [one.subscription[-1] for one in interleaved(endpoints)] == ["0", "1", "2", "0", "1", "2"]
    assert [one.subscription[-1] for one in interleaved(endpoints, lanes=2)] == ["0", "1", "0", "1", "2", "2"]


def test_a_report_is_read_by_a_machine_line_by_line(tiny: Any) -> None:
    ran = tiny.command("--format", "jsonl")
    lines = [json.loads(one) for one in ran.stdout.splitlines()]
    assert {one["kind"] for one in lines} == {"endpoint"}
    assert sorted(one["name"] for one in lines) == [f"chat-{number:07d}" for number in range(6)]
    assert ran.returncode == 0
