"""The examples in a rule (`tests:`): each states facts and what the rule must come to; tests and documentation in one.

In an example a key left out is unknown and null is observed absent. `symptoms` says which traces were seen (with what
they captured, where that matters) or absent, and is empty where no log was given;
`remedied: true` asks that after the first remedy that applies, simulated, the rule no longer fires; `derive: true` that
what follows from the stated facts is derived, where otherwise an example states derived facts itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pfdoctor.core.action import Action, SetFact, render_value
from pfdoctor.core.condition import Scope, evaluate
from pfdoctor.core.derive import derive
from pfdoctor.core.derive.hits import derive_hits
from pfdoctor.core.derive.unexplained import derive_unexplained
from pfdoctor.core.diagnose import judge
from pfdoctor.core.facts import FactPath, Facts
from pfdoctor.core.firing import firing
from pfdoctor.core.model import CaseResult, Json, Status
from pfdoctor.core.rule import Catalogue, Rule
from pfdoctor.core.simulation import simulate


class ExampleResult(NamedTuple):
    """One example and what came of it; `fault` is None when it holds."""

    rule: str
    name: str
    fault: str | None


def run_examples(rule: Rule, catalogue: Catalogue) -> Iterator[ExampleResult]:
    """Each example of the rule, run."""
    for example in rule.wording.tests:
        yield ExampleResult(rule.id, example["name"], _fault(rule, example, catalogue))


def facts_of(example: dict[str, Json], view: str = "declared") -> Facts:
    """The facts document that an example states; `facts` are those of the view that the rule looks at."""
    symptoms = example.get("symptoms", {})
    hits = [
        {"symptom": name, "excerpt": name, "captures": state if isinstance(state, dict) else {}}
        for name, state in symptoms.items()
        if state != "absent"
    ]
    absent = [name for name, state in symptoms.items() if state == "absent"]
    logs = [
        {"source": "example", "looked_for": [], "hits": [], **log} for log in copy.deepcopy(example.get("logs", []))
    ]
    if hits:
        logs.append({"source": "example", "complete": False, "looked_for": [], "hits": hits})
    if absent:
        logs.append({"source": "example", "complete": True, "looked_for": absent, "hits": []})
    document: dict[str, Json] = {
        "case": {"name": "example", "kind": "example", "file": "example"},
        "logs": logs,
        "origins": {},
        "excerpts": {},
    }
    if "symptoms" in example or "logs" in example:
        document["hits"] = derive_hits(logs)
        document["unexplained"] = derive_unexplained(logs)
    if "facts" in example or "live" not in example:
        document[view] = copy.deepcopy(example.get("facts", {}))
    if "live" in example:
        document["live"] = copy.deepcopy(example["live"])
    if "clock" in example:
        document["clock"] = {"now": example["clock"]}
    return Facts(document)


def outcome(rule: Rule, facts: Facts, catalogue: Catalogue) -> tuple[Status, CaseResult]:
    """What the rule alone comes to; where nothing it looks at is there, it does not apply."""
    result = judge(facts, catalogue, [rule])
    status = next((status for status, ids in result.outcomes.items() if ids), Status.NOT_APPLICABLE)
    return status, result


def _fault(rule: Rule, example: dict[str, Json], catalogue: Catalogue) -> str | None:
    stated = facts_of(example, rule.views[0])
    complete = derive if example.get("derive") else _as_stated
    facts = complete(stated)
    status, result = outcome(rule, facts, catalogue)
    if str(status) != example["expect"]:
        missing = "; ".join(f"{one.path}: {one.reason.detail}" for found in result.unknown for one in found.missing)
        return f"expected {example['expect']}, came to {status}" + (f" ({missing})" if missing else "")
    messages = [finding.message for finding in result.findings]
    if "message" in example and example["message"] not in messages:
        return f"expected the message {example['message']!r}, said {messages}"
    if "findings" in example and len(messages) != example["findings"]:
        return f"expected {example['findings']} findings, came to {messages}"
    if example.get("remedied"):
        return _remedy_fault(rule, stated, complete)
    return None


def _as_stated(facts: Facts) -> Facts:
    return facts


def _remedy_fault(rule: Rule, stated: Facts, complete: Callable[[Facts], Facts]) -> str | None:
    remedied = stated
    for _ in range(20):
        scope = next(firing(rule, complete(remedied)), None)
        if scope is None:
            return None
        spec = next(
            (
                spec
                for spec in rule.wording.remedies
                if spec.actions and (spec.only_if is None or evaluate(spec.only_if, scope).truth)
            ),
            None,
        )
        if spec is None:
            return "no remedy with actions applies"
        for action in spec.actions:
            remedied = simulate(_rendered(action, spec.texts, scope), remedied, scope.view, scope.item)
    return "the rule still fires after its remedy"


def _rendered(action: Action, texts: dict[str, FactPath], scope: Scope) -> Action:
    """The action with the placeholders of a value to set filled in."""
    if not isinstance(action, SetFact):
        return action
    return action._replace(value=render_value(action.value, action.fact, texts, scope))
