"""Hand-made facts of a live endpoint and its permissions, for tests."""

from __future__ import annotations

from typing import Any

SUB = "/subscriptions/00000000-0000-0000-0000-00000000000a"
RG = f"{SUB}/resourceGroups/rg-chat"
ML = "Microsoft.MachineLearningServices/workspaces"
WS = f"{RG}/providers/{ML}/ws-chat"
STORAGE = f"{RG}/providers/Microsoft.Storage/storageAccounts/stchat"
CONTAINER = f"{STORAGE}/blobServices/default/containers/blobstore"
REGISTRY = f"{RG}/providers/Microsoft.ContainerRegistry/registries/crchat"
OPENAI = f"{RG}/providers/Microsoft.CognitiveServices/accounts/aoai-chat"
VAULT = f"{RG}/providers/Microsoft.KeyVault/vaults/kv-chat"
INSIGHTS = f"{RG}/providers/Microsoft.Insights/components/ai-chat"
ME, MY_CLIENT, WORKSPACE_ID, CALLER = "oid-endpoint", "appid-endpoint", "oid-workspace", "oid-caller"
SECRETS_READER = "ea01e6af-a1c1-4350-9563-ad00f8c72ec5"
LISTSECRETS = f"{ML}/connections/listsecrets/action"
NOW, OLD = "2026-03-01T12:00:00Z", "2026-01-01T00:00:00Z"
HIDDEN = {"$unknown": {"code": "forbidden", "detail": "403", "permission": "Microsoft.Authorization/…/read"}}


def permission(actions: str = "", data_actions: str = "", **more: Any) -> dict[str, Any]:
    return {
        "actions": actions.split(),
        "not_actions": [],
        "data_actions": data_actions.split(),
        "not_data_actions": [],
        "condition": None,
        **more,
    }


def role(name: str, *permissions: dict[str, Any], kind: str = "BuiltInRole") -> dict[str, Any]:
    return {"id": name, "name": name, "type": kind, "permissions": list(permissions), "assignable_scopes": ["/"]}


def assignment(role_id: str, scope: str, principal: str = ME, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{scope}/assignments/{role_id}-{principal}",
        "role_id": role_id,
        "role_definition_id": None,
        "principal_id": principal,
        "principal_type": "ServicePrincipal",
        "scope": scope,
        "condition": None,
        "created_at": OLD,
        "updated_at": None,
        "description": None,
        "principal_exists": True,
        **more,
    }


def deny(scope: str, *permissions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"{scope}/denies/d",
        "name": "managed by stack",
        "scope": scope,
        "applies_to_child_scopes": True,
        "permissions": list(permissions),
        "principals": ["00000000-0000-0000-0000-000000000000"],
        "excluded_principals": [],
        "condition": None,
        **more,
    }


def lock(scope: str, level: str = "ReadOnly") -> dict[str, Any]:
    return {"id": f"{scope}/locks/l", "name": "keep", "level": level, "scope": scope, "notes": None}


ROLES: dict[str, Any] = {
    SECRETS_READER: role("Secrets Reader", permission(f"{LISTSECRETS} {ML}/metadata/secrets/read")),
    "reader": role("Reader", permission("*/read")),
    "contributor": role("Contributor", permission("*")),
    "pull": role("AcrPull", permission("Microsoft.ContainerRegistry/registries/pull/read")),
    "blobs": role(
        "Storage Blob Data Reader",
        permission(
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        ),
    ),
    "metrics": role("AzureML Metrics Writer (preview)", permission(f"{ML}/metrics/*/write")),
    "scientist": role(
        "AzureML Data Scientist",
        permission(
            f"{ML}/*/read {ML}/*/action {ML}/*/delete {ML}/*/write",
            not_actions=[f"{ML}/delete", f"{ML}/write", f"{ML}/listKeys/action"],
        ),
    ),
    "operator": role(
        "Managed Identity Operator",
        permission("Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"),
    ),
}


def entry(scope: str, *rows: dict[str, Any], principal: str = ME, **more: Any) -> dict[str, Any]:
    return {
        "scope": scope,
        "kind": None,
        "exists": True,
        "assigned": [
            {"principal_id": principal, "assignments": list(rows)},
            {"principal_id": CALLER, "assignments": [assignment("contributor", SUB, CALLER, principal_type="User")]},
        ],
        "everyone": [],
        "eligible": [],
        "denies": [],
        "locks": [],
        **more,
    }


def authorization(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"scopes": list(entries), "elsewhere": [], "definitions": ROLES, **more}


def live(**more: Any) -> dict[str, Any]:
    """A healthy endpoint with one key connection, whose identity has the roles it needs."""
    datastore = {
        "name": "workspaceblobstore",
        "id": f"{WS}/datastores/workspaceblobstore",
        "type": "AzureBlob",
        "account": "stchat",
        "account_id": STORAGE,
        "container": "blobstore",
        "credentials": "none",
        "is_default": True,
        "service_identity": None,
    }
    return {
        "deployment": {
            "name": "blue",
            "environment_variables": {},
            "data_collector": None,
            "app_insights_enabled": True,
            "code_id": None,
        },
        "environment": {
            "name": "pf",
            "image": {"reference": "crchat.azurecr.io/pf:1", "registry": "crchat.azurecr.io"},
            "build": None,
            "conda_file": None,
            "asset_registry": None,
            "anonymous": False,
        },
        "endpoint": {
            "name": "chat",
            "auth_mode": "key",
            "identity_type": "system_assigned",
            "enforce_access_to_default_secret_stores": None,
        },
        "model": {
            "name": "flow",
            "inline": False,
            "datastore": "workspaceblobstore",
            "storage_account": "stchat",
            "container": "blobstore",
            "asset_registry": None,
        },
        "workspace": {
            "id": WS,
            "name": "ws-chat",
            "principal_id": WORKSPACE_ID,
            "storage": {"id": STORAGE, "name": "stchat"},
            "key_vault": {"id": VAULT, "name": "kv-chat", "rbac_authorization": True},
            "container_registry": {
                "id": REGISTRY,
                "name": "crchat",
                "login_server": "crchat.azurecr.io",
                "role_assignment_mode": "LegacyRegistryPermissions",
            },
            "application_insights": {"id": INSIGHTS, "name": "ai-chat"},
        },
        "connection_workspace": {"id": WS, "name": "ws-chat", "source": "endpoint", "exists": True},
        "identity": {
            "type": "system_assigned",
            "principal_id": ME,
            "client_id": MY_CLIENT,
            "resource_id": None,
            "identities": [],
        },
        "caller": {"principal_id": CALLER, "client_id": "appid-cli", "type": "user", "name": "a colleague"},
        "connections": [
            {
                "name": "aoai",
                "type": "AzureOpenAI",
                "connection_class": "AzureOpenAIConnection",
                "auth_type": "apikey",
                "resource_id": OPENAI,
            }
        ],
        "datastores": [datastore],
        "authorization": authorization(
            entry(WS, assignment(SECRETS_READER, WS), assignment("metrics", WS)),
            entry(REGISTRY, assignment("pull", REGISTRY)),
            entry(CONTAINER, assignment("blobs", STORAGE)),
        ),
        **more,
    }


def flow(*nodes: dict[str, Any], kind: str = "dag") -> dict[str, Any]:
    """The declared view of a flow with these nodes."""
    return {"kind": kind, "nodes": list(nodes), "inputs": [], "outputs": [], "sources": []}


_NODE = (
    "name type source_type source_path source_tool source_exists source_actual tool provider api module connection "
    "deployment_name activate variant"
).split()


def node(**fields: Any) -> dict[str, Any]:
    """A node of a flow; what is not given is absent."""
    lists: dict[str, Any] = {"inputs": [], "unknown_keys": []}
    return {**dict.fromkeys(_NODE), **lists, "aggregation": False, "use_variants": False, "served": True, **fields}


def llm_node(connection: str = "aoai", api: str = "chat") -> dict[str, Any]:
    return node(name="answer", type="llm", api=api, connection=connection)


def document(live_view: dict[str, Any] | None = None, declared: Any = None, **more: Any) -> dict[str, Any]:
    """A facts document of one live endpoint; without `declared`, with a flow of one chat node."""
    if declared is None:
        declared = {"flow": flow(llm_node())}
    return {
        "schema": "pfdoctor/facts/v1",
        "case": {"name": "chat", "kind": "endpoint", "file": None, "id": f"{WS}/onlineEndpoints/chat"},
        "declared": declared,
        "live": live() if live_view is None else live_view,
        "logs": [],
        "clock": {"now": NOW},
        "origins": {},
        "excerpts": {},
        "joins": [],
        **more,
    }
