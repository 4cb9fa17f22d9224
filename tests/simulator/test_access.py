"""What the simulator enforces: roles, groups, denies, conditions, locks, and when a grant takes effect."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from tests.simulator.conftest import CHAT, DEV, ENDPOINT, GROUP, SUBSCRIPTION, WORKSPACE, Client

from pfdoctor.simulator import Simulator
from pfdoctor.simulator.rbac import action_matches

ROLES = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
LIST_SECRETS = f"{WORKSPACE}/connections/aoai/listsecrets"
OTHER = "60785ef2-0000-4000-8000-0000000000ff"


def put_assignment(
    client: Client, role: str, principal: str, scope: str = WORKSPACE, **more: str
) -> tuple[int, str, str]:
    """PUT a role assignment under a new name: status, error code and the id."""
    identifier = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    properties = {"roleDefinitionId": f"{ROLES}/{role}", "principalId": principal, **more}
    reply = client.put(identifier, {"properties": properties})
    return reply.status, "" if reply.status < 300 else reply.code, identifier


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", "Microsoft.X/a/read", True),
        ("*/read", "Microsoft.X/a/b/READ", True),
        ("Microsoft.X/a/read", "Microsoft.X/a/read/more", False),
        ("Microsoft.X/*/assign/action", "Microsoft.X/assign/action", True),
        ("Microsoft.X/a/*/read", "Microsoft.X/a/read", True),
        ("Microsoft.X/a*", "Microsoft.XX/a", False),
        ("Microsoft.X/a.b/read", "Microsoft.X/acb/read", False),
    ],
)
def test_wildcards(pattern: str, action: str, covered: bool) -> None:
    assert action_matches(pattern, action) is covered


def test_a_missing_role_is_a_403_that_names_client_action_and_scope(simulator: Simulator) -> None:
    reply = Client(simulator, CHAT).get(ENDPOINT)
    principal = simulator.world.directory.get(CHAT)
    assert principal is not None
    assert (reply.status, reply.code) == (403, "AuthorizationFailed")
    assert reply.message == (
        f"The client '{principal.application}' with object id '{CHAT}' does not have authorization to perform action "
        f"'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read' over scope '{ENDPOINT}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials."
    )


def test_secrets_are_for_those_who_may_list_them(simulator: Simulator) -> None:
    assert Client(simulator, CHAT).post(LIST_SECRETS).json["properties"]["credentials"]["key"].startswith("simulated-")
    assert Client(simulator, CHAT).get(f"{WORKSPACE}/connections/aoai").status == 403
    assert Client(simulator).get(f"{WORKSPACE}/connections/aoai").json["properties"]["credentials"] is None


def test_a_grant_takes_effect_later_and_so_does_its_removal(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("settings: {propagation: 300}\nroleAssignments: {chat-secrets: !remove }\n")
    chat, dev = Client(simulator, CHAT), Client(simulator)
    assert chat.post(LIST_SECRETS).status == 403
    status, _, identifier = put_assignment(dev, SECRETS_READER, CHAT)
    assert status == 201
    listed = dev.get(f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments", _filter=f"assignedTo('{CHAT}')")
    assert identifier in [row["id"] for row in listed.json["value"]]
    assert chat.post(LIST_SECRETS).status == 403
    simulator.advance(301)
    assert chat.post(LIST_SECRETS).status == 200
    assert dev.delete(identifier).status == 200
    assert dev.get(identifier).status == 404
    assert chat.post(LIST_SECRETS).status == 200
    simulator.advance(301)
    assert chat.post(LIST_SECRETS).status == 403
    assert dev.delete(identifier).status == 204


def test_a_deny_assignment_wins_except_over_whom_it_leaves_out(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "denyAssignments:\n  stack: {scope: '${workspace}', actions: ['*/action'], excludePrincipals: [dev]}\n"
    )
    reply = Client(simulator, CHAT).post(LIST_SECRETS)
    assert (reply.status, reply.code) == (403, "DenyAssignmentAuthorizationFailed")
    assert "deny assignment with name 'stack'" in reply.message
    assert Client(simulator).post(LIST_SECRETS).status == 200
    listed = Client(simulator).get(f"{WORKSPACE}/providers/Microsoft.Authorization/denyAssignments").json["value"]
    assert [row["properties"]["denyAssignmentName"] for row in listed] == ["stack"]


def test_a_deny_that_spares_child_scopes(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "denyAssignments:\n  here: {scope: '${workspace}', actions: ['*/read'], doNotApplyToChildScopes: true}\n"
    )
    assert Client(simulator).get(WORKSPACE).code == "DenyAssignmentAuthorizationFailed"
    assert Client(simulator).get(ENDPOINT).status == 200


@pytest.mark.parametrize(
    ("level", "method", "path", "status"),
    [
        ("ReadOnly", "POST", LIST_SECRETS, 409),
        ("ReadOnly", "DELETE", f"{ENDPOINT}/deployments/blue", 409),
        ("ReadOnly", "GET", ENDPOINT, 200),
        ("CanNotDelete", "POST", LIST_SECRETS, 200),
        ("CanNotDelete", "DELETE", ENDPOINT, 409),
    ],
)
def test_locks(changed: Callable[[str], Simulator], level: str, method: str, path: str, status: int) -> None:
    simulator = changed(f"locks: {{keep: {{scope: '${{group}}', level: {level}}}}}\n")
    reply = Client(simulator).call(method, path)
    assert reply.status == status
    if status == 409:
        assert reply.code == "ScopeLocked"
        assert f"following scope(s) are locked: '{GROUP}'" in reply.message


def test_a_condition_limits_what_may_be_assigned(changed: Callable[[str], Simulator]) -> None:
    condition = (
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
        "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals"
        f"{{{READER}}}))"
    )
    simulator = changed(f'roleAssignments:\n  dev-grants:\n    condition: "{condition}"\n')
    dev = Client(simulator)
    assert put_assignment(dev, READER, CHAT)[0] == 201
    status, code, _ = put_assignment(dev, SECRETS_READER, CHAT, scope=GROUP)
    assert (status, code) == (403, "AuthorizationFailed")


def test_nested_groups_and_management_groups(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "managementGroups:\n"
        "  root: {}\n"
        "  ml: {parent: root, subscriptions: ['${subscription}']}\n"
        "principals:\n"
        f"  other: {{id: {OTHER}, type: User, name: other@contoso.example}}\n"
        "  inner: {type: Group, members: [other]}\n"
        "  outer: {type: Group, members: [inner]}\n"
        "roleAssignments:\n"
        "  far: {principal: outer, role: Reader, scope: /providers/Microsoft.Management/managementGroups/root}\n"
    )
    assert Client(simulator, OTHER).get(ENDPOINT).status == 200
    groups = "/providers/Microsoft.Management/managementGroups"
    assert [row["name"] for row in Client(simulator, OTHER).get(groups).json["value"]] == ["root", "ml"]
    assert Client(simulator).get(groups).json["value"] == []
    below = Client(simulator, OTHER).get(f"{groups}/root/descendants").json["value"]
    assert [row["name"] for row in below] == ["ml", SUBSCRIPTION.rpartition("/")[2]]
    assert Client(simulator, OTHER).get(f"{groups}/ml").status == 200
    listed = Client(simulator, OTHER).get(
        f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments", _filter=f"atScope() and assignedTo('{OTHER}')"
    )
    assert [row["properties"]["scope"].rpartition("/")[2] for row in listed.json["value"]] == ["root"]


def test_what_assigning_refuses(changed: Callable[[str], Simulator]) -> None:
    simulator = changed("settings: {assignment_limit: 11, replication: 60}\n")
    dev = Client(simulator)
    assert put_assignment(dev, READER, str(uuid.uuid4()))[:2] == (400, "PrincipalNotFound")
    assert put_assignment(dev, READER, CHAT, principalType="User")[:2] == (400, "UnmatchedPrincipalType")
    assert put_assignment(dev, str(uuid.uuid4()), CHAT)[:2] == (404, "RoleDefinitionDoesNotExist")
    status, _, identifier = put_assignment(dev, READER, CHAT)
    assert status == 201
    assert put_assignment(dev, READER, CHAT)[:2] == (409, "RoleAssignmentExists")
    body = {"properties": {"roleDefinitionId": f"{ROLES}/{READER}", "principalId": DEV}}
    assert dev.put(identifier, body).code == "RoleAssignmentUpdateNotPermitted"
    assert put_assignment(dev, READER, DEV)[:2] == (400, "RoleAssignmentLimitExceeded")


def test_a_filter_that_arm_does_not_take(client: Client) -> None:
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments"
    assert client.get(path, _filter=f"atScope() and principalId eq '{CHAT}'").status == 400


def test_conditions_of_roles_are_only_in_newer_api_versions(client: Client) -> None:
    path = f"{ROLES}/c883944f-8b7b-4483-af10-35834be79c4a"
    old, new = (client.get(path, version=version).json for version in ("2022-04-01", "2022-05-01-preview"))
    assert not any("condition" in element for element in old["properties"]["permissions"])
    assert any(element["condition"] for element in new["properties"]["permissions"])


def test_eligible_roles_do_not_grant(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "roleAssignments: {chat-secrets: !remove }\n"
        f"eligible: {{chat-may: {{principal: chat, role: {SECRETS_READER}, scope: '${{workspace}}'}}}}\n"
    )
    assert Client(simulator, CHAT).post(LIST_SECRETS).status == 403
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/roleEligibilityScheduleInstances"
    listed = Client(simulator).get(path, _filter=f"assignedTo('{CHAT}')").json["value"]
    assert [row["properties"]["principalId"] for row in listed] == [CHAT]


def test_using_an_identity_takes_a_right_on_it(changed: Callable[[str], Simulator]) -> None:
    simulator = changed(
        "variables: {identities: '${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities'}\n"
        "resources: {'${identities}/id-chat': {location: eastus2}}\n"
    )
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-chat"
    body = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}, "properties": {}}
    path = f"{WORKSPACE}/onlineEndpoints/second"
    reply = Client(simulator).put(path, body)
    assert (reply.status, reply.code) == (403, "LinkedAuthorizationFailed")
    simulator.world.grant(DEV, "Managed Identity Operator", identity)
    made = Client(simulator).put(path, body).json["identity"]["userAssignedIdentities"][identity]
    resource = simulator.world.store.get(identity)
    assert resource is not None
    assert made == {name: resource.properties[name] for name in ("principalId", "clientId")}


def test_permissions_are_the_callers_own(simulator: Simulator) -> None:
    path = f"{WORKSPACE}/providers/Microsoft.Authorization/permissions"
    found = Client(simulator, CHAT).get(path).json["value"]
    assert {action for element in found for action in element["actions"]} == {
        "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action",
        "Microsoft.MachineLearningServices/workspaces/metadata/secrets/read",
        "Microsoft.MachineLearningServices/workspaces/metrics/*/write",
    }
