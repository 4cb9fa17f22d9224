"""For a rule with `each`, what a symptom captured must match the item at hand."""

from __future__ import annotations

import pytest

from pfdoctor import catalog
from pfdoctor.core.captures import agrees
from pfdoctor.core.diagnose import symptom_state
from pfdoctor.core.facts import Facts, Found
from pfdoctor.core.model import Json, SymptomState
from pfdoctor.core.rule import Rule

UNKNOWN = {"$unknown": {"code": "not-looked", "detail": "nobody did"}}
SCOPE = "/subscriptions/A/resourceGroups/B"


@pytest.mark.parametrize(
    ("captures", "item", "expected"),
    [
        ({}, {"name": "a"}, True),
        ({"name": "a"}, {"name": "a"}, True),
        ({"name": "a"}, {"name": "b"}, False),
        ({"name": "a"}, {"name": "A"}, False),
        ({"name": "a", "other": "z"}, {"name": "a"}, True),
        ({"name": "a", "line": "3"}, {"name": "a", "line": 3}, True),
        ({"name": "a", "line": "3"}, {"name": "a", "line": 4}, False),
        ({"name": "a"}, {"name": None}, False),
        ({"name": "a"}, {"name": UNKNOWN}, True),
        ({"scope": SCOPE}, {"scope": SCOPE.lower() + "/"}, True),
        ({"action": "Microsoft.X/y/READ"}, {"action": "microsoft.x/Y/read"}, True),
        ({"key": "A"}, {"key": "A", "value": "x"}, True),
        ({"key": "A"}, {"key": "B", "value": "x"}, False),
        ({"name": "a"}, {"key": "B", "value": {"name": "b"}}, False),
        ({"name": "a"}, "a", True),
        ({"module": "a.b"}, {"module": "a"}, True),
        ({"module": "a"}, {"module": "a.b"}, True),
        ({"module": "ab"}, {"module": "a"}, False),
        ({"file": "n1.py"}, {"file": "flows/chat/n1.py"}, True),
        ({"file": "/var/azureml-app/chat/n1.py"}, {"file": "chat/n1.py"}, True),
        ({"file": "/var/azureml-app/chat/xn1.py"}, {"file": "n1.py"}, False),
    ],
)
def test_agreement(captures: dict[str, Json], item: Json, expected: bool) -> None:
    assert agrees(captures, item) is expected


def _rule() -> Rule:
    return next(rule for rule in catalog.load_full().rules.values() if rule.each is not None and rule.symptoms)


def _facts(rule: Rule, *, complete: bool, captures: dict[str, str]) -> Facts:
    hit = {"symptom": rule.symptoms[0], "excerpt": "", "captures": captures}
    log = {"source": "x", "complete": complete, "looked_for": list(rule.symptoms), "hits": [hit]}
    return Facts({"case": {"name": "n", "kind": "flow"}, "logs": [log]})


@pytest.mark.parametrize(
    ("complete", "captured", "state"),
    [
        (False, "a", SymptomState.SEEN),
        (True, "a", SymptomState.SEEN),
        (False, "b", SymptomState.NOT_LOOKED),
        (True, "b", SymptomState.ABSENT),
    ],
)
def test_a_symptom_of_another_item_is_none_of_this(complete: bool, captured: str, state: SymptomState) -> None:
    rule = _rule()
    facts = _facts(rule, complete=complete, captures={"name": captured})
    assert symptom_state(rule, facts, Found("declared.flow.nodes[0]", {"name": "a"})) is state
    assert symptom_state(rule, facts) is SymptomState.SEEN
