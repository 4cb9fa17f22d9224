"""The permission proof by example: wildcards, scopes, conditions, every verdict and every reason code."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access_facts import (
    CALLER,
    LISTSECRETS,
    ME,
    ML,
    MY_CLIENT,
    NOW,
    OPENAI,
    REGISTRY,
    RG,
    ROLES,
    SECRETS_READER,
    STORAGE,
    SUB,
    WORKSPACE_ID,
    WS,
    assignment,
    authorization,
    deny,
    entry,
    lock,
    permission,
    role,
)
from tests.core import access_worlds as worlds

from pfdoctor.core.access.builtin_roles import ROLES as BUILT_IN
from pfdoctor.core.access.conditions import attributes, ignores
from pfdoctor.core.access.decide import Decision, Subject, decide
from pfdoctor.core.access.evaluate import Question, evaluate
from pfdoctor.core.access.near import CLIENT_ID
from pfdoctor.core.access.patterns import Match, is_misprint, match
from pfdoctor.core.access.propose import Need, Proposal, propose, smallest_set
from pfdoctor.core.access.scopes import contains, kind_of, normal
from pfdoctor.core.access.world import World

BLOB_READ = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
UAI = "Microsoft.ManagedIdentity/userAssignedIdentities"
HIDDEN = {"$unknown": {"code": "forbidden", "detail": "403", "permission": "Microsoft.Authorization/x/read"}}
OTHERS = {MY_CLIENT: CLIENT_ID, WORKSPACE_ID: "the workspace's own identity"}


def ask(facts: Any, action: str = LISTSECRETS, scope: str = WS, *, data: bool = False, now: str = NOW) -> Decision:
    subject = Subject(ME, "the endpoint's identity", OTHERS, eligible=True)
    return decide(Question(action, data, scope, ME), World(facts, now), subject)


def with_role(definition: dict[str, Any], scope: str = WS, **more: Any) -> dict[str, Any]:
    """The permissions of an identity that has this one role."""
    roles = {**ROLES, "it": definition}
    return authorization(entry(WS, assignment("it", scope, **more)), definitions=roles)


# ---------------------------------------------------------------------------------------------------------- wildcards


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "A.B/c/read", Match.EXACT),
        ("*/read", "A.B/c/read", Match.EXACT),
        ("*/read", "A.B/c/write", Match.NO),
        ("a.b/C/READ", "A.B/c/read", Match.EXACT),
        ("A.B/*", "A.B/c/d/read", Match.EXACT),
        ("A.B/*/read", "A.B/c/d/read", Match.EXACT),
        ("A.B/c", "A.B/c/read", Match.NO),
        ("A.B/c/*", "A.B/cd/read", Match.NO),
        ("A.B/*/*/read", "A.B/c/d/read", Match.EXACT),
        ("A.B/*/*/read", "A.B/c/read", Match.LENIENT),
        ("A.B/c/*/read", "A.B/c/read", Match.LENIENT),
        ("A.B/c/*/read", "A.B/cread", Match.NO),
        ("A.B/re*d", "A.B/read", Match.EXACT),
        ("A?B/read", "A.B/read", Match.NO),
        ("A.B/read", "AxB/read", Match.NO),
        (f"{UAI}/*/assign/action", f"{UAI}/assign/action", Match.LENIENT),
        (f"{ML}/*/read", f"{ML}/read", Match.LENIENT),
        (f"{ML}/metrics/*/write", f"{ML}/metrics/resource/write", Match.EXACT),
        ("", "A.B/read", Match.NO),
    ],
)
def test_wildcards(pattern: str, action: str, expected: Match) -> None:
    assert match(pattern, action) is expected


def test_a_hostile_pattern_takes_no_time() -> None:
    assert match("a*" * 200 + "b", "a" * 400) is Match.NO


@pytest.mark.parametrize(
    ("pattern", "misprint"),
    [
        ("Microsoft.MachineLearningService/workspaces/datastores/read", True),
        ("MachineLearningServices/workspaces/datastores/read", True),
        ("MachineLearningService/workspace/datastore/reader", True),
        (f"{ML}/datastores/reader", True),
        (f"{ML}/datastores/read", False),
        (f"{ML}/datastores/write", False),
        (f"{ML}/datasets/read", False),
        (f"{ML}/*/read", False),
        ("Microsoft.Storage/storageAccounts/datastores/read", False),
    ],
)
def test_misprints(pattern: str, misprint: bool) -> None:
    assert is_misprint(pattern, f"{ML}/datastores/read") is misprint


def test_scopes() -> None:
    assert contains(normal(f"{RG}/"), normal(WS.upper()))
    assert contains("/", normal(WS))
    assert not contains(normal(f"{RG}2"), normal(WS))
    assert not contains(normal(RG), normal(f"{RG}2/providers/x"))
    assert kind_of(WS) == "workspace"
    assert kind_of(f"{STORAGE}/blobServices/default/containers/c") == "container"
    assert (kind_of(SUB), kind_of(RG), kind_of(f"{WS}/connections/c")) == ("subscription", "resource-group", None)


# --------------------------------------------------------------------------------------------------------- conditions

_DELEGATE = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/"
    "roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{a, b})) AND ((!(ActionMatches{'Microsoft."
    "Authorization/roleAssignments/delete'})) OR (@Resource[x:y] ForAnyOfAnyValues:GuidEquals{a}))"
)


@pytest.mark.parametrize(
    ("condition", "action", "expected"),
    [
        (_DELEGATE, LISTSECRETS, True),
        (_DELEGATE, "Microsoft.Authorization/roleAssignments/write", False),
        (_DELEGATE, "microsoft.authorization/ROLEASSIGNMENTS/delete", False),
        (f"((!(ActionMatches{{'{BLOB_READ}'}} AND NOT SubOperationMatches{{'x'}})) OR (@Resource[a:b] Exists))",
         LISTSECRETS, True),
        (f"(NOT ActionMatches{{'{ML}/*'}}) OR @Resource[a:b] StringEquals 'c'", LISTSECRETS, False),
        (f"(NOT ActionMatches{{'{ML}/*'}}) OR @Resource[a:b] StringEquals 'c'", BLOB_READ, True),
        ("@Resource[a:b] StringEquals 'NOT (ActionMatches OR'", LISTSECRETS, False),
        (f"ActionMatches{{'{BLOB_READ}'}}", LISTSECRETS, False),
        # which of two operators side by side binds first is left open
        (f"!(ActionMatches{{'{BLOB_READ}'}}) OR @Resource[a:b] Exists AND @Resource[a:b] Exists", LISTSECRETS, False),
        (f"(!(ActionMatches{{'{BLOB_READ}'}})", LISTSECRETS, False),
        ("(" * 500 + f"!(ActionMatches{{'{BLOB_READ}'}})" + ")" * 500, LISTSECRETS, False),
        ("", LISTSECRETS, False),
    ],
)  # fmt: skip
def test_a_condition_that_does_not_concern_the_action(condition: str, action: str, expected: bool) -> None:
    assert ignores(condition, action) is expected


def test_attributes_of_a_condition() -> None:
    assert attributes(_DELEGATE) == [
        "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]",
        "@Resource[x:y]",
    ]


# ----------------------------------------------------------------------------------------------------------- verdicts

_REQUEST = "Microsoft.ContainerRegistry/registries/repositories/content/read"
_ELSEWHERE = f"{RG}/providers/{ML}/ws-other"
_BELOW = f"{WS}/connections/aoai"

NOT_ALLOWED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "NO_ASSIGNMENT": (authorization(entry(WS)), {}),
    "ROLE_LACKS_ACTION": (authorization(entry(WS, assignment("reader", WS))), {}),
    "WRONG_SCOPE": (authorization(entry(WS), elsewhere=[assignment(SECRETS_READER, _ELSEWHERE)]), {}),
    "ASSIGNED_BELOW_TARGET": (authorization(entry(WS), elsewhere=[assignment(SECRETS_READER, _BELOW)]), {}),
    "EXCLUDED_BY_NOTACTIONS": (with_role(role("most", permission("*", not_actions=[f"{ML}/connections/*"]))), {}),
    "CONTROL_PLANE_ROLE_FOR_DATA_ACTION": (
        authorization(entry(STORAGE, assignment("contributor", RG))),
        {"action": BLOB_READ, "scope": STORAGE, "data": True},
    ),
    "DATA_ROLE_FOR_CONTROL_ACTION": (
        authorization(
            entry(STORAGE, assignment("it", STORAGE)), definitions={"it": role("data", permission("", BLOB_READ))}
        ),
        {"action": "Microsoft.Storage/storageAccounts/listKeys/action", "scope": STORAGE},
    ),
    "CUSTOM_ROLE_NAMESPACE_TYPO": (
        with_role(
            role("ours", permission(LISTSECRETS.replace("Services", "Service")), kind="CustomRole")
        ),
        {},
    ),
    "PIM_ELIGIBLE_ONLY": (authorization(entry(WS, eligible=[assignment(SECRETS_READER, RG)])), {}),
    "OTHER_PRINCIPAL": (authorization(entry(WS, everyone=[assignment(SECRETS_READER, WS, "oid-somebody")])), {}),
    "ORPHAN_OR_OTHER_PRINCIPAL": (authorization(entry(WS, everyone=[assignment(SECRETS_READER, WS, MY_CLIENT)])), {}),
}  # fmt: skip


@pytest.mark.parametrize("reason", NOT_ALLOWED)
def test_reasons_of_not_allowed(reason: str) -> None:
    facts, question = NOT_ALLOWED[reason]
    found = ask(facts, **question)
    assert (found.verdict, found.reason) == ("NOT_ALLOWED", reason)
    assert (found.near is None) == (reason == "NO_ASSIGNMENT")
    assert found.proposal is not None
    assert found.grant is None
    assert found.detail.endswith(".")


@pytest.mark.parametrize(
    ("row", "who"),
    [
        (assignment(SECRETS_READER, WS, MY_CLIENT), "its client id"),
        (assignment(SECRETS_READER, WS, WORKSPACE_ID), "the workspace's own identity"),
        (assignment(SECRETS_READER, WS, "oid-old", principal_exists=False), "a principal that no longer exists"),
        (assignment("contributor", SUB, MY_CLIENT), "its client id"),
    ],
)
def test_granted_to_somebody_else(row: dict[str, Any], who: str) -> None:
    found = ask(authorization(entry(WS, everyone=[row])))
    assert found.near is not None
    assert (found.reason, found.near["principal"]) == ("ORPHAN_OR_OTHER_PRINCIPAL", who)
    assert row["principal_id"] in found.detail


@pytest.mark.parametrize("principal", [CALLER, WORKSPACE_ID])
def test_a_broad_role_of_somebody_else_says_nothing(principal: str) -> None:
    roles = {**ROLES, "b24988ac-6180-42a0-ab88-20f7382dd24c": ROLES["contributor"]}
    row = assignment("b24988ac-6180-42a0-ab88-20f7382dd24c", SUB, principal)
    assert ask(authorization(entry(WS, everyone=[row]), definitions=roles)).reason == "NO_ASSIGNMENT"


def test_nearest_misses_come_in_order() -> None:
    facts = authorization(
        entry(
            WS,
            assignment("reader", WS),
            eligible=[assignment(SECRETS_READER, WS)],
            everyone=[assignment(SECRETS_READER, WS, MY_CLIENT)],
        ),
        elsewhere=[assignment(SECRETS_READER, _ELSEWHERE), assignment(SECRETS_READER, _BELOW)],
    )
    order = []
    while (reason := ask(facts).reason) not in order:
        order.append(reason)
        if reason == "PIM_ELIGIBLE_ONLY":
            facts["scopes"][0]["eligible"] = []
        elif reason in ("ASSIGNED_BELOW_TARGET", "WRONG_SCOPE"):
            facts["elsewhere"].pop()
        elif reason == "ORPHAN_OR_OTHER_PRINCIPAL":
            facts["scopes"][0]["everyone"] = []
        else:
            facts["scopes"][0]["assigned"][0]["assignments"] = []
    assert order == [
        *("PIM_ELIGIBLE_ONLY", "ASSIGNED_BELOW_TARGET", "WRONG_SCOPE", "ORPHAN_OR_OTHER_PRINCIPAL"),
        *("ROLE_LACKS_ACTION", "NO_ASSIGNMENT"),
    ]


def test_of_roles_that_lack_the_action_the_nearest_is_named() -> None:
    rows = (assignment("metrics", WS), assignment("reader", RG), assignment("pull", WS))
    found = ask(authorization(entry(WS, *rows)))
    assert found.near is not None
    assert (found.reason, found.near["role"]) == ("ROLE_LACKS_ACTION", "Reader")


def test_allowed_directly() -> None:
    found = ask(authorization(entry(WS.upper(), assignment(SECRETS_READER.upper(), f"{RG.lower()}/", ME.upper()))))
    assert (found.verdict, found.reason, found.near, found.proposal) == ("ALLOWED", "DIRECT", None, None)
    assert found.grant is not None
    assert (found.grant["through"], found.grant["pattern"]) == ("direct", LISTSECRETS)
    assert found.grant["age_seconds"] == 5_140_800


def test_allowed_through_a_group() -> None:
    found = ask(authorization(entry(WS, assignment(SECRETS_READER, WS, "oid-team", principal_type="Group"))))
    assert found.grant is not None
    assert (found.verdict, found.reason, found.grant["through"]) == ("ALLOWED", "GROUP", "oid-team")
    assert "oid-team" in found.detail


def test_the_lenient_wildcard_of_managed_identity_operator() -> None:
    identity = f"{RG}/providers/{UAI}/id"
    found = ask(authorization(entry(identity, assignment("operator", identity))), f"{UAI}/assign/action", identity)
    assert (found.verdict, found.reason) == ("ALLOWED", "LENIENT_WILDCARD")
    assert "lone /" in found.detail


def test_a_lenient_not_action_leaves_it_open() -> None:
    found = ask(with_role(role("r", permission("*", not_actions=[f"{ML}/connections/*/listsecrets/action"]))))
    assert (found.verdict, found.reason) == ("UNKNOWN", "UNCERTAIN_WILDCARD")


def test_not_actions_take_out_of_their_own_element_only() -> None:
    elements = (permission("*", not_actions=[LISTSECRETS]), permission(LISTSECRETS))
    assert ask(with_role(role("r", *elements))).verdict == "ALLOWED"
    assert ask(with_role(role("r", elements[0]))).verdict == "NOT_ALLOWED"


def test_not_actions_are_no_deny() -> None:
    roles = {**ROLES, "most": role("most", permission("*", not_actions=["*/action"]))}
    rows = (assignment("most", WS), assignment(SECRETS_READER, WS))
    assert ask(authorization(entry(WS, *rows), definitions=roles)).verdict == "ALLOWED"


def test_owner_grants_no_data_action() -> None:
    facts = authorization(entry(OPENAI, assignment("contributor", SUB)))
    action = "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"
    found = ask(facts, action, OPENAI, data=True)
    assert (found.verdict, found.reason) == ("NOT_ALLOWED", "CONTROL_PLANE_ROLE_FOR_DATA_ACTION")
    assert found.proposal is not None
    assert found.proposal["role"] == "Cognitive Services OpenAI User"


def test_reader_can_pull_from_a_classic_registry_and_not_from_one_by_repository() -> None:
    facts = authorization(entry(REGISTRY, assignment("reader", REGISTRY), assignment("pull", REGISTRY)))
    assert ask(facts, "Microsoft.ContainerRegistry/registries/pull/read", REGISTRY).verdict == "ALLOWED"
    found = ask(facts, _REQUEST, REGISTRY, data=True)
    assert (found.verdict, found.reason) == ("NOT_ALLOWED", "CONTROL_PLANE_ROLE_FOR_DATA_ACTION")
    assert found.proposal is not None
    assert found.proposal["role"] == "Container Registry Repository Reader"


@pytest.mark.parametrize(
    ("created", "principal", "verdict"),
    [
        ("2026-03-01T11:49:59Z", ME, "ALLOWED"),
        ("2026-03-01T11:50:00Z", ME, "ALLOWED_PENDING"),
        ("2026-03-01T12:00:30.1234567+00:00", ME, "ALLOWED_PENDING"),
        ("2026-03-01T13:30:00+02:00", ME, "ALLOWED"),
        ("2026-03-01T11:00:00Z", "oid-team", "ALLOWED_PENDING"),
        ("2026-02-28T11:00:00Z", "oid-team", "ALLOWED"),
        ("yesterday", ME, "ALLOWED_PENDING"),
        (HIDDEN, ME, "ALLOWED_PENDING"),
        (None, ME, "ALLOWED"),
    ],
)
def test_freshness(created: Any, principal: str, verdict: str) -> None:
    row = assignment(SECRETS_READER, WS, principal, created_at=created)
    assert ask(authorization(entry(WS, row))).verdict == verdict


@pytest.mark.parametrize(
    ("created", "principal", "is_open"),
    [
        ("2026-03-01T11:55:00Z", ME, False),
        ("2026-03-01T11:55:00Z", "oid-team", False),
        # the members of a group come with a token, which may be a day old or new
        ("2026-03-01T07:00:00Z", "oid-team", True),
        (HIDDEN, ME, True),
        # no grant was made in two hours' time: one of the clocks is wrong
        ("2026-03-01T14:00:00Z", ME, True),
    ],
)
def test_whether_a_fresh_grant_is_surely_too_fresh(created: Any, principal: str, is_open: bool) -> None:
    found = ask(authorization(entry(WS, assignment(SECRETS_READER, WS, principal, created_at=created))))
    assert found.verdict == "ALLOWED_PENDING"
    assert (found.why_open is not None) is is_open
    assert found.grant is not None
    assert found.grant["age_seconds"] is None or found.grant["age_seconds"] >= 0


def test_a_condition_that_was_not_read_is_not_taken_for_one() -> None:
    found = ask(authorization(entry(WS, assignment(SECRETS_READER, WS, condition=HIDDEN))))
    assert (found.verdict, found.why_open is not None) == ("CONDITIONAL", True)


def test_an_update_makes_an_assignment_fresh_again() -> None:
    row = assignment(SECRETS_READER, WS, updated_at="2026-03-01T11:55:00Z")
    found = ask(authorization(entry(WS, row)))
    assert found.verdict == "ALLOWED_PENDING"
    assert "since 5 minutes" in found.detail


def test_data_actions_at_a_management_group_take_hours() -> None:
    group = "/providers/Microsoft.Management/managementGroups/mg"
    row = assignment("blobs", group, created_at="2026-03-01T11:00:00Z")
    facts = authorization(entry(STORAGE, row), definitions={"blobs": role("b", permission("", BLOB_READ))})
    assert ask(facts, BLOB_READ, STORAGE, data=True).verdict == "ALLOWED_PENDING"
    facts["definitions"]["blobs"]["type"] = "CustomRole"
    assert ask(facts, BLOB_READ, STORAGE, data=True).verdict == "ALLOWED"


def test_a_management_group_counts_only_where_a_list_of_the_scope_shows_it() -> None:
    row = assignment(SECRETS_READER, "/providers/Microsoft.Management/managementGroups/mg")
    assert ask(authorization(entry(WS, row))).verdict == "ALLOWED"
    assert ask(authorization(entry(WS), elsewhere=[row])).verdict == "NOT_ALLOWED"
    # what is listed for something below is above this, too
    assert ask(authorization(entry(_BELOW, row))).verdict == "ALLOWED"


@pytest.mark.parametrize("where", ["assignment", "definition"])
def test_conditions(where: str) -> None:
    condition = "@Resource[a:b] StringEquals 'c'"
    definition = role("r", permission(LISTSECRETS, condition=condition if where == "definition" else None))
    facts = with_role(definition, condition=condition if where == "assignment" else None)
    found = ask(facts)
    assert (found.verdict, found.reason) == ("CONDITIONAL", "CONDITION")
    assert "@Resource[a:b]" in found.detail
    assert found.grant is not None
    assert found.grant["condition"] == condition
    facts["scopes"][0]["assigned"][0]["assignments"].append(assignment(SECRETS_READER, WS))
    assert ask(facts).verdict == "ALLOWED"


def test_a_deny_wins_over_every_role() -> None:
    facts = authorization(entry(WS, assignment("contributor", WS), denies=[deny(RG, permission("*/action"))]))
    found = ask(facts)
    assert (found.verdict, found.reason) == ("DENIED", "DENY_ASSIGNMENT")
    assert found.blocked_by is not None
    assert (found.blocked_by["kind"], found.blocked_by["scope"]) == ("deny-assignment", RG)


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"applies_to_child_scopes": False}, "ALLOWED"),
        ({"applies_to_child_scopes": False, "scope": WS}, "DENIED"),
        ({"excluded_principals": [ME.upper()]}, "ALLOWED"),
        ({"excluded_principals": ["oid-team"]}, "ALLOWED"),
        ({"excluded_principals": ["oid-nobody-knows"]}, "UNKNOWN"),
        ({"excluded_principals": ["oid-person"]}, "DENIED"),
        ({"principals": ["oid-team"]}, "DENIED"),
        ({"principals": ["oid-person"]}, "ALLOWED"),
        ({"principals": ["oid-nobody-knows"]}, "UNKNOWN"),
        ({"condition": "@Resource[a:b] StringEquals 'c'"}, "CONDITIONAL"),
        ({"condition": _DELEGATE}, "DENIED"),
        ({"permissions": [permission("*/delete */write")]}, "ALLOWED"),
        ({"permissions": [permission("*", not_actions=["*/action"])]}, "ALLOWED"),
        ({"permissions": [permission("", "*")]}, "ALLOWED"),
        ({"permissions": [permission(f"{ML}/connections/*/listsecrets/action")]}, "UNKNOWN"),
        ({"scope": f"{RG}-2"}, "ALLOWED"),
        ({"principals": HIDDEN}, "UNKNOWN"),
        ({"permissions": HIDDEN}, "UNKNOWN"),
    ],
)
def test_deny_assignments(more: dict[str, Any], verdict: str) -> None:
    rows = (assignment("contributor", WS), assignment("reader", WS, "oid-team", principal_type="Group"))
    everyone = [assignment("reader", SUB, "oid-person", principal_type="User")]
    denies = [{**deny(RG, permission("*")), **more}]
    assert ask(authorization(entry(WS, *rows, everyone=everyone, denies=denies))).verdict == verdict


@pytest.mark.parametrize(
    ("level", "action", "data", "verdict"),
    [
        ("ReadOnly", LISTSECRETS, False, "BLOCKED"),
        ("ReadOnly", f"{ML}/onlineEndpoints/write", False, "BLOCKED"),
        ("ReadOnly", f"{ML}/connections/read", False, "ALLOWED"),
        ("ReadOnly", "Microsoft.X/y/write", True, "ALLOWED"),
        ("CanNotDelete", LISTSECRETS, False, "ALLOWED"),
        ("CanNotDelete", f"{ML}/onlineEndpoints/delete", False, "BLOCKED"),
        (HIDDEN, LISTSECRETS, False, "UNKNOWN"),
    ],
)
def test_locks(level: Any, action: str, data: bool, verdict: str) -> None:
    facts = with_role(role("all", permission("*", "*")))
    facts["scopes"][0]["locks"] = [lock(RG, level)]
    assert ask(facts, action, data=data).verdict == verdict


def test_a_lock_is_told_before_a_missing_role_and_names_both() -> None:
    found = ask(authorization(entry(WS, assignment("reader", WS), locks=[lock(RG)])))
    assert (found.verdict, found.reason) == ("BLOCKED", "LOCK")
    assert "ReadOnly lock keep at resource group rg-chat" in found.detail
    assert "Without the lock" in found.detail
    assert found.near is not None


# ----------------------------------------------------------------------------------------------------- what is unknown

_GRANTED = assignment(SECRETS_READER, WS)


@pytest.mark.parametrize(
    ("more", "rows", "verdict", "reason"),
    [
        ({"assigned": HIDDEN}, (), "UNKNOWN", "ASSIGNMENTS_UNREADABLE"),
        ({"assigned": []}, (), "UNKNOWN", "ASSIGNMENTS_UNREADABLE"),
        ({"assigned": [{"principal_id": ME, "assignments": HIDDEN}]}, (), "UNKNOWN", "ASSIGNMENTS_UNREADABLE"),
        # a witness is enough
        ({"assigned": HIDDEN, "everyone": [_GRANTED]}, (), "ALLOWED", "DIRECT"),
        ({"denies": HIDDEN}, (_GRANTED,), "UNKNOWN", "DENY_ASSIGNMENTS_UNREADABLE"),
        ({"locks": HIDDEN}, (_GRANTED,), "UNKNOWN", "LOCKS_UNREADABLE"),
        # no role grants it, whatever the denies and locks are
        ({"denies": HIDDEN, "locks": HIDDEN}, (), "NOT_ALLOWED", "NO_ASSIGNMENT"),
        ({"denies": {"$incomplete": HIDDEN["$unknown"], "items": [deny(WS, permission("*"))]}}, (), "DENIED",
         "DENY_ASSIGNMENT"),
        ({"assigned": HIDDEN, "locks": [lock(WS)]}, (), "BLOCKED", "LOCK"),
    ],
)  # fmt: skip
def test_what_is_unknown(more: dict[str, Any], rows: Any, verdict: str, reason: str) -> None:
    found = ask(authorization(entry(WS, *rows, **more)))
    assert (found.verdict, found.reason) == (verdict, reason)
    assert (verdict != "UNKNOWN") or found.missing


def test_a_refusal_names_the_permission() -> None:
    found = ask(authorization(entry(WS, assigned=HIDDEN)))
    assert "Microsoft.Authorization/x/read" in found.detail
    assert found.missing[0].permission == "Microsoft.Authorization/x/read"


def test_a_partial_list_of_assignments() -> None:
    partial = {"$incomplete": HIDDEN["$unknown"], "items": [_GRANTED]}
    facts = authorization(entry(WS, assigned=[{"principal_id": ME, "assignments": partial}]))
    assert ask(facts).verdict == "ALLOWED"
    partial["items"] = []
    assert ask(facts).verdict == "UNKNOWN"


@pytest.mark.parametrize("definitions", [HIDDEN, {}, {"$incomplete": HIDDEN["$unknown"], "entries": {}}])
def test_a_definition_that_was_not_read(definitions: Any) -> None:
    found = ask(authorization(entry(WS, _GRANTED), definitions=definitions))
    assert (found.verdict, found.reason) == ("UNKNOWN", "DEFINITION_UNREADABLE")


@pytest.mark.parametrize("facts", [HIDDEN, None, {}, authorization(entry(RG)), authorization(entry(STORAGE))])
def test_a_scope_that_was_not_read(facts: Any) -> None:
    assert ask(facts).verdict == "UNKNOWN"


def test_lists_of_something_below_are_complete_for_what_is_above() -> None:
    assert ask(authorization(entry(_BELOW))).verdict == "NOT_ALLOWED"
    assert ask(authorization(entry(_BELOW, locks=[lock(RG)]))).verdict == "BLOCKED"


@pytest.mark.parametrize(
    "facts", [{"scopes": [None, 3, {"scope": 4}]}, {"scopes": "x"}, "x", {"scopes": [{"scope": WS}]}]
)
def test_malformed_facts_decide_nothing(facts: Any) -> None:
    assert ask(facts).verdict == "UNKNOWN"


# --------------------------------------------------------------------------------------------------------- properties

_FINER = {
    "UNKNOWN": {"UNKNOWN", "NOT_ALLOWED", "BLOCKED", "DENIED", "CONDITIONAL", "ALLOWED_PENDING", "ALLOWED"},
    "NOT_ALLOWED": {"NOT_ALLOWED", "BLOCKED", "DENIED"},
    "BLOCKED": {"BLOCKED", "DENIED"},
    "DENIED": {"DENIED"},
    "CONDITIONAL": {"CONDITIONAL", "ALLOWED_PENDING", "ALLOWED"},
    "ALLOWED_PENDING": {"ALLOWED_PENDING", "ALLOWED"},
    "ALLOWED": {"ALLOWED"},
}


def _verdict(world: worlds.World) -> str:
    question = Question(world.action, world.data, world.target, worlds.ME)
    return evaluate(question, World(world.facts["authorization"], world.facts["now"])).verdict


@settings(max_examples=500)
@given(seed=st.integers(0, 10**9), choice=st.randoms(use_true_random=False))
def test_learning_never_turns_a_verdict_round(seed: int, choice: random.Random) -> None:
    world = worlds.random_world(random.Random(seed))
    verdict = _verdict(world)
    for container, key, values in world.holes:
        container[key] = choice.choice(values)
        learnt = _verdict(world)
        assert learnt in _FINER[verdict]
        verdict = learnt


@settings(max_examples=300)
@given(seed=st.integers(0, 10**9), order=st.randoms(use_true_random=False))
def test_neither_case_nor_order_matters(seed: int, order: random.Random) -> None:
    world = worlds.random_world(random.Random(seed))
    verdict = _verdict(world)
    other = copy.deepcopy(world)
    _scramble(other.facts, order)
    other.target, other.action = other.target.upper(), other.action.lower()
    assert _verdict(other) == verdict


def _scramble(value: Any, order: random.Random) -> None:
    """Shuffles every list, and changes the case of every id, scope, role and pattern."""
    if isinstance(value, list):
        order.shuffle(value)
        for index, one in enumerate(value):
            if isinstance(one, str):
                value[index] = order.choice((one.upper(), one.lower()))
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(one, dict | list):
            _scramble(one, order)
        elif key in ("scope", "principal_id", "role_id") and isinstance(one, str):
            value[key] = order.choice((one.upper(), one.lower()))


# ---------------------------------------------------------------------------------------------------------- proposals


@pytest.mark.parametrize(
    ("action", "data", "expected"),
    [
        (LISTSECRETS, False, "Azure Machine Learning Workspace Connection Secrets Reader"),
        (f"{ML}/metadata/secrets/read", False, "Azure Machine Learning Workspace Connection Secrets Reader"),
        ("Microsoft.KeyVault/vaults/secrets/getSecret/action", True, "Key Vault Secrets User"),
        ("Microsoft.ContainerRegistry/registries/pull/read", False, "AcrPull"),
        (_REQUEST, True, "Container Registry Repository Reader"),
        (BLOB_READ, True, "Storage Blob Data Reader"),
        (BLOB_READ.replace("read", "write"), True, "Storage Blob Data Contributor"),
        (f"{ML}/datastores/read", False, "Reader"),
        (f"{ML}/datastores/listsecrets/action", False, "AzureML Data Scientist"),
        (f"{ML}/metrics/resource/write", False, "AzureML Metrics Writer (preview)"),
        ("Microsoft.CognitiveServices/accounts/OpenAI/responses/write", True, "Cognitive Services OpenAI User"),
        ("Microsoft.CognitiveServices/accounts/ContentSafety/text:analyze/action", True, "Cognitive Services User"),
        ("Microsoft.Search/searchServices/indexes/documents/read", True, "Search Index Data Reader"),
        ("Microsoft.Insights/Telemetry/Write", True, "Monitoring Metrics Publisher"),
        ("Microsoft.MachineLearningServices/registries/assets/read", False, "Reader"),
        (f"{UAI}/assign/action", False, "Managed Identity Operator"),
        ("Microsoft.Resources/deployments/write", False, "Azure AI Inference Deployment Operator"),
        ("Microsoft.Authorization/roleAssignments/write", False, "Role Based Access Control Administrator"),
        (f"{ML}/onlineEndpoints/write", False, "AzureML Data Scientist"),
    ],
)
def test_the_smallest_role(action: str, data: bool, expected: str) -> None:
    found = propose(Need(action, data, WS))
    assert found is not None
    assert (found.role, found.scope) == (expected, WS)


def test_nothing_is_proposed_for_an_action_of_nobody() -> None:
    assert propose(Need("Microsoft.CognitiveServices/accounts/Nothing/x/action", True, WS)) is not None
    assert propose(Need("Contoso.Widgets/things/spin/action", True, WS)) is None


def _names(found: list[Proposal]) -> set[tuple[str, str]]:
    return {(one.role, one.scope) for one in found}


def test_the_smallest_set_of_roles() -> None:
    reader = "Azure Machine Learning Workspace Connection Secrets Reader"
    secrets = [Need(LISTSECRETS, False, WS), Need(f"{ML}/metadata/secrets/read", False, WS.upper())]
    assert _names(smallest_set(secrets)) == {(reader, WS)}
    reading = Need(f"{ML}/datastores/read", False, WS)
    assert _names(smallest_set([*secrets, reading])) == {(reader, WS), ("Reader", WS)}
    keys = Need(f"{ML}/datastores/listsecrets/action", False, WS)
    assert _names(smallest_set([*secrets, reading, keys])) == {("AzureML Data Scientist", WS)}
    above, below = Need(BLOB_READ, True, STORAGE), Need(BLOB_READ, True, f"{STORAGE}/blobServices/default/containers/c")
    assert _names(smallest_set([below, above])) == {("Storage Blob Data Reader", STORAGE)}
    assert _names(smallest_set([*secrets, below])) == {(reader, WS), ("Storage Blob Data Reader", below.scope)}
    assert smallest_set([]) == []


def test_built_in_roles_are_as_azure_writes_them() -> None:
    by_name = {one.name: one for one in BUILT_IN}
    assert len(by_name) == len({one.guid for one in BUILT_IN}) == len(BUILT_IN)
    secrets_reader = by_name["Azure Machine Learning Workspace Connection Secrets Reader"]
    assert secrets_reader.guid == SECRETS_READER
    assert secrets_reader.actions == (LISTSECRETS, f"{ML}/metadata/secrets/read")
    assert all(pattern == "*" or "/" in pattern for one in BUILT_IN for pattern in one.actions + one.data_actions)
