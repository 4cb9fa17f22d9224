"""What sets a sharper answer apart from a general one, and a fact that is absent from one that stands elsewhere."""

from __future__ import annotations

import pytest

from pfdoctor import catalog
from pfdoctor.core import message
from pfdoctor.core.condition import Scope
from pfdoctor.core.diagnose import diagnose, judge
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.core.predicates import PREDICATES
from pfdoctor.core.rule import Catalogue

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalog.load_full()


def case(live: dict[str, Json], hits: tuple[str, ...] = ()) -> Facts:
    logs = [
        {
            "source": "blue inference-server",
            "complete": True,
            "looked_for": [],
            "hits": [{"symptom": name, "excerpt": name, "captures": {}, "line": 1} for name in hits],
        }
    ]
    return Facts(
        {"case": {"name": "chat/blue", "kind": "deployment"}, "live": live, "logs": logs, "origins": {}, "excerpts": {}}
    )


def refused(reason: str, **more: Json) -> dict[str, Json]:
    operation = {
        "key": "connection-secrets",
        "scope": WORKSPACE,
        "needed": True,
        "verdict": "NOT_ALLOWED",
        "reason": reason,
        "near": None,
        "proposal": None,
        "detail": "why",
        "principal_id": "p",
        "action": "connections/listsecrets/action",
    }
    return {"access": {"operations": [{**operation, **more}], "deployer": []}}


def test_of_a_placeholder_with_two_facts_the_first_that_is_there_is_shown(catalogue: Catalogue) -> None:
    text = "in {environment.file|environment.id}"
    paths = message.compile_message(text, catalogue.schema, None)
    assert sorted(paths) == ["environment.file", "environment.id"]

    def shown(**environment: Json) -> tuple[str, bool]:
        scope = Scope(case({"environment": environment}), "live")
        return message.render(text, paths, scope), message.is_complete(text, paths, scope)

    assert shown(file="env.yml", id="/e/7") == ("in env.yml", True)
    assert shown(file=None, id="/e/7") == ("in /e/7", True)
    assert shown(id="/e/7") == ("in /e/7", True)
    assert shown(file=None, id=None) == ("in the environment's file", True)
    assert shown()[1] is False


def test_what_a_text_tells_is_not_repeated_beside_its_proven_cause(catalogue: Catalogue) -> None:
    alone = diagnose(case({}, hits=("connection-secrets-denied",)), catalogue)
    assert "secrets-listing-refused" in [finding.rule for finding in alone.findings]
    proven = diagnose(case(refused("WRONG_SCOPE", near={"role": "r"}), hits=("connection-secrets-denied",)), catalogue)
    assert proven.findings[0].rule == "secrets-role-at-wrong-scope"
    assert "secrets-listing-refused" not in [finding.rule for finding in proven.findings]


def test_a_role_that_is_pending_is_told_without_an_error(catalogue: Catalogue) -> None:
    grant = {"role": "r", "scope": WORKSPACE, "age_seconds": 60}
    pending = refused("DIRECT", verdict="ALLOWED_PENDING", grant=grant)
    result = diagnose(case(pending, hits=("connection-secrets-denied",)), catalogue)
    assert [finding.rule for finding in result.findings if finding.status.counts] == ["secrets-role-pending"]


def test_a_list_of_which_a_part_was_seen_tells_no_predicate_that_something_is_absent(catalogue: Catalogue) -> None:
    rule = catalogue.rules["connection-not-in-workspace"]
    why = {"code": "cut", "detail": "the list was cut"}
    document = {
        "case": {"name": "chat/blue", "kind": "deployment"},
        "declared": {"needs": {"connections": [{"name": "aoai", "node": "n", "placeholder": False}]}},
        "live": {"connections": {"$incomplete": why, "items": [{"name": "search"}]}},
    }
    result = judge(Facts(document), catalogue, [rule])
    assert [finding.rule for finding in result.unknown] == [rule.id]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("same_resource", ("/Subscriptions/A/", "/subscriptions/a"), True),
        ("same_resource", ("East US 2", "eastus2"), True),
        ("same_resource", ("/a", "/b"), False),
        ("same_resource", (None, None), False),
        ("absent_from", ("Search", [{"name": "search"}, {"name": None}]), False),
        ("absent_from", ("aoai", [{"name": "search"}]), True),
        ("earlier", ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.5Z"), True),
        ("earlier", ("2026-01-01T00:00:00Z", None), False),
        ("earlier", ("soon", "2026-01-01T00:00:00Z"), False),
        ("an_hour_before", ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), True),
        ("an_hour_before", ("2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z"), False),
    ],
)
def test_predicates(name: str, arguments: tuple[Json, ...], expected: bool) -> None:
    assert PREDICATES[name](*arguments) is expected
