"""What placeholders become: values, forms of them, and words where there is none."""

from __future__ import annotations

import pytest

from pfdoctor import catalog
from pfdoctor.core.condition import Scope
from pfdoctor.core.facts import Facts, FactsError
from pfdoctor.core.message import compile_message, is_complete, named, render
from pfdoctor.core.model import Unknown

WORKSPACE = {
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws",
    "name": "ws",
    "resource_group": None,
    "location": Unknown("forbidden", "may not be read").to_json(),
}
LIVE = {
    "workspace": WORKSPACE,
    "endpoint": {"file": None, "deployments": [{"name": "blue", "traffic": 50.0}, {"name": "green"}]},
    "latency": {"timeout_ms": 90000, "observed_p95_ms": 850.4},
}
SCHEMA = catalog.load_full().schema


def said(text: str) -> str:
    facts = Facts({"case": {"name": "c", "kind": "k"}, "live": LIVE})
    return render(text, compile_message(text, SCHEMA, None), Scope(facts, "live", seen={}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{workspace.id:name}", "ws"),
        ("{workspace.id:place}", "workspaces/ws"),
        ("{endpoint.deployments:name}", "blue, green"),
        ("{latency.timeout_ms:ms} and {latency.observed_p95_ms:ms}", "90 s and 850 ms"),
        ("{workspace.resource_group|'not set'}", "not set"),
        ("{workspace.resource_group|<group>}", "<group>"),
        ("{workspace.resource_group|workspace.name|<group>}", "ws"),
        ("{workspace.resource_group}", "(none)"),
        ("name in {endpoint.file}", "name in the endpoint's file"),
        # what nobody could look at is not null, but may be left for a person to replace
        ("{workspace.location|'not set'}", "(unknown)"),
        ("{workspace.location|<region>}", "<region>"),
        ('{"<input>": <value>}', '{"<input>": <value>}'),
    ],
)
def test_what_a_placeholder_becomes(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "complete"), [("{workspace.location}", False), ("{workspace.location|<region>}", True)]
)
def test_a_word_to_replace_leaves_no_gap(text: str, complete: bool) -> None:
    scope = Scope(Facts({"case": {"name": "c", "kind": "k"}, "live": LIVE}), "live", seen={})
    assert is_complete(text, compile_message(text, SCHEMA, None), scope) is complete


@pytest.mark.parametrize("text", ["{workspace.nmae}", "{workspace.id:shrot}"])
def test_what_names_no_fact_or_form_is_refused(text: str) -> None:
    with pytest.raises(FactsError):
        compile_message(text, SCHEMA, None)


def test_who_reads_the_rule_sees_what_is_filled_in() -> None:
    assert named("-w {live.workspace.name|<workspace>}") == "-w <workspace>"
    assert named("{a.b:name|c} is {d|'not set'}", "*") == "*a.b* or *c* is *d*"
