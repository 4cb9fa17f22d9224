"""Which operations an endpoint and its deployer need, row by row, and the derived fact `access`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.access_facts import (
    CONTAINER,
    HIDDEN,
    INSIGHTS,
    LISTSECRETS,
    ME,
    ML,
    OPENAI,
    REGISTRY,
    RG,
    SECRETS_READER,
    STORAGE,
    VAULT,
    WS,
    assignment,
    authorization,
    document,
    entry,
    flow,
    live,
    llm_node,
    lock,
    node,
)

from pfdoctor.core.derive import derive, scopes_to_read
from pfdoctor.core.facts import Facts

LOOKUP = "promptflow_vectordb.tool.common_index_lookup.search"
AAD_OPENAI = {
    "name": "aoai",
    "type": "AzureOpenAI",
    "connection_class": "AzureOpenAIConnection",
    "auth_type": "AAD",
    "resource_id": OPENAI,
}


def access(facts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = derive(Facts(facts)).document["live"]["access"]
    return found


def rows(facts: dict[str, Any], part: str = "operations") -> dict[str, dict[str, Any]]:
    """The operations by their key; of one that is undecided the reason as a code, as of the others."""
    return {one["key"]: {**one, "reason": _code(one["reason"])} for one in access(facts)[part]}


def _code(reason: Any) -> Any:
    return reason["$unknown"]["code"].upper().replace("-", "_") if isinstance(reason, dict) else reason


def needed(facts: dict[str, Any], key: str) -> Any:
    """Whether it is needed: True, False, `unknown`, or None where the operation is not in the table."""
    row = rows(facts).get(key)
    if row is None:
        return None
    return "unknown" if isinstance(row["needed"], dict) else row["needed"]


def with_variables(**variables: Any) -> dict[str, Any]:
    view = live()
    view["deployment"]["environment_variables"] = variables
    return view


def lookup_flow(text: str) -> dict[str, Any]:
    inputs = [{"name": "mlindex_content", "value": text, "kind": "literal", "placeholder": False}]
    return {"flow": flow(node(name="find", type="python", source_type="package", source_tool=LOOKUP, inputs=inputs))}


def test_a_healthy_endpoint_has_all_that_it_needs() -> None:
    found = access(document())
    assert found["principal_id"] == ME
    assert {one["key"]: one["verdict"] for one in found["operations"]} == {
        "connection-secrets": "ALLOWED",
        "image-pull": "ALLOWED",
        "model-download": "ALLOWED",
        "metrics-write": "ALLOWED",
        "telemetry": "NOT_APPLICABLE",
    }
    assert {one["verdict"] for one in found["deployer"]} == {"ALLOWED"}


def test_the_derived_fact_has_the_shape_of_the_schema(root: Path) -> None:
    schema = json.loads((root / "rules" / "schema" / "facts.schema.json").read_text(encoding="utf-8"))
    view = live(connections=[AAD_OPENAI], identity={"type": "user_assigned", "principal_id": HIDDEN, "identities": []})
    for facts in (document(), document(live(authorization=authorization(entry(WS, locks=[lock(WS)]))))):
        jsonschema.validate(
            _observed(access(facts)), {**schema["$defs"]["view"]["properties"]["access"], "$defs": schema["$defs"]}
        )
    open_ones = [one for one in access(document(view))["operations"] if isinstance(one["verdict"], dict)]
    assert open_ones
    assert all(one["verdict"]["$unknown"]["detail"] == one["detail"] for one in open_ones)


def _observed(value: Any) -> Any:
    """The value with null for what is unknown: any fact may be."""
    if isinstance(value, dict):
        return None if "$unknown" in value else {key: _observed(one) for key, one in value.items()}
    return [_observed(one) for one in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------------- connections


def test_connections_are_read_in_the_workspace_that_the_deployment_names() -> None:
    other = f"{RG}/providers/{ML}/ws-other"
    named = {"id": other, "name": "ws-other", "source": "config-override", "exists": True}
    facts = document(live(connection_workspace=named))
    row = rows(facts)["connection-secrets"]
    assert (row["scope"], row["target"], row["needed"]) == (other, "aoai", True)
    assert row["verdict"]["$unknown"]["code"] == "assignments-unreadable"
    assert other in [one.scope for one in scopes_to_read(Facts(facts))]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True),
        ({"aoai": '{"type": "AzureOpenAIConnection"}'}, False),
        ({"aoai": "other-name"}, True),
        ({"aoai": "${{azureml://connections/aoai}}"}, False),
        ({"aoai": "[redacted]"}, "unknown"),
        ({"aoai": {"$unknown": {"code": "template", "detail": "a template"}}}, "unknown"),
        ({"PROMPTFLOW_ENCODED_CONNECTIONS": "x"}, False),
        ({"PROMPTFLOW_CONNECTION_PROVIDER": "local"}, False),
    ],
)
def test_when_the_secrets_of_connections_are_read(variables: dict[str, Any], expected: Any) -> None:
    facts = document(with_variables(**variables))
    assert needed(facts, "connection-secrets") == expected
    verdict = rows(facts)["connection-secrets"]["verdict"]
    assert verdict == ("NOT_APPLICABLE" if expected is False else "ALLOWED")


def test_without_the_flow_only_a_log_proves_that_connections_are_read() -> None:
    unread = {"flow": HIDDEN}
    assert needed(document(declared=unread), "connection-secrets") == "unknown"
    hit = {
        "symptom": "x",
        "excerpt": "Access denied to list workspace secret due to invalid authentication",
        "captures": {},
    }
    log = {"source": "x", "container": "inference-server", "complete": True, "looked_for": [], "hits": [hit]}
    assert needed(document(declared=unread, logs=[log]), "connection-secrets") is True


@pytest.mark.parametrize(
    ("nodes", "kind", "expected"),
    [
        ((), "dag", False),
        ((node(name="own", type="python", source_type="code", source_path="a.py"),), "dag", "unknown"),
        ((node(name="own", type="python", source_type="package", source_tool="my.own.tool"),), "dag", "unknown"),
        ((), "flex", "unknown"),
        ((llm_node("<connection>"),), "dag", "unknown"),
    ],
)
def test_a_flow_that_names_no_connection(nodes: Any, kind: str, expected: Any) -> None:
    assert needed(document(declared={"flow": flow(*nodes, kind=kind)}), "connection-secrets") == expected


def test_a_role_on_the_connections_themselves() -> None:
    facts = document()
    facts["live"]["authorization"]["scopes"][0]["assigned"][0]["assignments"] = []
    facts["live"]["authorization"]["elsewhere"] = [assignment(SECRETS_READER, f"{WS}/connections/aoai")]
    assert rows(facts)["connection-secrets"]["reason"] == "SCOPE_NOT_READ"
    facts["live"]["authorization"]["elsewhere"] = [assignment(SECRETS_READER, f"{WS}/connections/other")]
    row = rows(facts)["connection-secrets"]
    assert (row["verdict"], row["reason"]) == ("NOT_ALLOWED", "ASSIGNED_BELOW_TARGET")


# ----------------------------------------------------------------------------------------- secrets and image


def test_secret_injection() -> None:
    facts = document(with_variables(KEY="${{azureml://connections/aoai/credentials/key}}"))
    found = rows(facts)
    assert found["secret-injection-connections"]["action"] == LISTSECRETS
    assert found["secret-injection-metadata"]["action"] == f"{ML}/metadata/secrets/read"
    assert (found["secret-injection-metadata"]["phase"], found["secret-injection-metadata"]["target"]) == (
        "create",
        "KEY",
    )
    assert needed(document(), "secret-injection-metadata") is None


def test_secret_injection_from_a_key_vault() -> None:
    variables = {"KEY": "${{keyvault:https://KV-chat.vault.azure.net/secrets/key/1}}"}
    facts = document(with_variables(**variables))
    row = rows(facts)["secret-injection-key-vault"]
    assert (row["scope"], row["plane"], row["needed"]) == (VAULT, "data", True)
    facts["live"]["workspace"]["key_vault"]["rbac_authorization"] = False
    row = rows(facts)["secret-injection-key-vault"]
    assert (row["verdict"], row["reason"]) == ("NOT_APPLICABLE", "OTHER_MECHANISM")
    other = document(with_variables(KEY="${{keyvault:https://other.vault.azure.net/secrets/key/1}}"))
    assert rows(other)["secret-injection-key-vault"]["reason"] == "SCOPE_UNKNOWN"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"image": {"registry": "mcr.microsoft.com"}}, False),
        ({"image": {"registry": "docker.io"}}, False),
        ({"image": {"registry": "mcr.microsoft.com"}, "conda_file": {"path": None}}, True),
        ({"image": None, "build": {"path": "."}}, True),
        ({"image": {"registry": HIDDEN}}, "unknown"),
        ({"asset_registry": "azureml"}, None),
    ],
)
def test_pulling_the_image(environment: dict[str, Any], expected: Any) -> None:
    view = live()
    view["environment"].update(environment)
    facts = document(view)
    assert needed(facts, "image-pull") == expected
    if expected is False:
        assert rows(facts)["image-pull"]["verdict"] == "NOT_APPLICABLE"


def test_a_registry_that_grants_by_repository() -> None:
    view = live()
    view["workspace"]["container_registry"]["role_assignment_mode"] = "AbacRepositoryPermissions"
    found = rows(document(view))
    assert "image-pull" not in found
    for key in ("image-pull-content", "image-pull-metadata"):
        assert (found[key]["plane"], found[key]["verdict"]) == ("data", "NOT_ALLOWED")
        assert found[key]["reason"] == "CONTROL_PLANE_ROLE_FOR_DATA_ACTION"
        assert found[key]["proposal"]["role"] == "Container Registry Repository Reader"


def test_a_registry_of_unknown_mode() -> None:
    view = live()
    view["workspace"]["container_registry"]["role_assignment_mode"] = HIDDEN
    assert [needed(document(view), f"image-pull{end}") for end in ("", "-content", "-metadata")] == ["unknown"] * 3


def test_an_image_in_another_registry() -> None:
    view = live()
    view["environment"]["image"]["registry"] = "other.azurecr.io"
    row = rows(document(view))["image-pull"]
    assert (row["target"], row["reason"]) == ("other.azurecr.io", "SCOPE_UNKNOWN")


# ------------------------------------------------------------------------------------ model, code, registry


def test_the_model_is_read_from_its_container() -> None:
    row = rows(document())["model-download"]
    assert (row["scope"], row["scope_kind"], row["phase"]) == (CONTAINER, "container", "start")
    view = live(datastores=[])
    assert rows(document(view))["model-download"]["scope"] == CONTAINER
    view["model"].update(storage_account="elsewhere", datastore=None)
    assert rows(document(view))["model-download"]["reason"] == "SCOPE_UNKNOWN"


def test_code_is_read_from_the_default_container() -> None:
    view = live()
    view["deployment"]["code_id"] = f"{WS}/codes/c/versions/1"
    assert rows(document(view))["code-download"]["scope"] == CONTAINER


@pytest.mark.parametrize(("name", "expected"), [("our-registry", True), ("azureml", None), (None, None)])
def test_assets_of_a_registry(name: str | None, expected: Any) -> None:
    view = live()
    view["model"]["asset_registry"] = name
    facts = document(view)
    assert (needed(facts, "registry-read-model"), needed(facts, "registry-assets-model")) == (expected, expected)
    assert ("model-download" in rows(facts)) == (name is None)


# ------------------------------------------------------------------------------------------------ index


def test_an_index_lookup_reads_the_datastore() -> None:
    facts = document(declared=lookup_flow("azureml://datastores/workspaceblobstore/paths/index/"))
    found = rows(facts)
    row = found["datastore-read"]
    assert (row["needed"], row["verdict"], row["reason"]) == (True, "NOT_ALLOWED", "ROLE_LACKS_ACTION")
    assert row["proposal"] == {"role": "Reader", "role_id": "acdd72a7-3385-48ef-bd42-f606fba81ae7", "scope": WS}
    # without credentials the index is read as the identity
    assert (found["index-download"]["scope"], found["index-download"]["verdict"]) == (CONTAINER, "ALLOWED")
    assert "datastore-secrets" not in found


def test_a_datastore_with_a_key_is_asked_for_it() -> None:
    facts = document(declared=lookup_flow("azureml://datastores/workspaceblobstore/paths/index/"))
    facts["live"]["datastores"][0]["credentials"] = "accountkey"
    found = rows(facts)
    assert found["datastore-secrets"]["needed"] is True
    assert found["datastore-secrets"]["proposal"]["role"] == "AzureML Data Scientist"
    assert "index-download" not in found


def test_an_index_lookup_is_proven_by_a_log() -> None:
    excerpt = f"does not have authorization to perform action '{ML}/DATASTORES/READ' over scope"
    hits = [{"symptom": "x", "excerpt": excerpt, "captures": {}}]
    assert needed(document(declared={"flow": HIDDEN}), "datastore-read") == "unknown"
    assert needed(document(declared={"flow": HIDDEN}, logs=[{"hits": hits}]), "datastore-read") is True
    assert needed(document(), "datastore-read") is None


def test_an_index_that_is_a_data_asset() -> None:
    facts = document(declared=lookup_flow("azureml:my-index:3"))
    assert needed(facts, "data-asset-read") is True


# ------------------------------------------------------------------------------------------ Entra connections


@pytest.mark.parametrize(("api", "key"), [("chat", "openai-chat"), ("completion", "openai-completions")])
def test_azure_openai_by_entra_id(api: str, key: str) -> None:
    facts = document(live(connections=[AAD_OPENAI]), {"flow": flow(llm_node(api=api))})
    row = rows(facts)[key]
    assert (row["scope"], row["scope_kind"], row["plane"], row["needed"]) == (OPENAI, "openai-account", "data", True)
    assert row["proposal"]["role"] == "Cognitive Services OpenAI User"
    assert sum(one.startswith("openai") for one in rows(facts)) == 1
    # the record of the connection is read all the same
    assert needed(facts, "connection-secrets") is True


def test_azure_openai_by_entra_id_of_an_unread_flow() -> None:
    facts = document(live(connections=[AAD_OPENAI]), {"flow": HIDDEN})
    assert needed(facts, "openai-chat") == "unknown"
    excerpt = "lacks the required data action Microsoft.CognitiveServices/accounts/OpenAI/deployments/embeddings/action"
    facts["logs"] = [{"hits": [{"symptom": "x", "excerpt": excerpt, "captures": {}}]}]
    assert needed(facts, "openai-embeddings") is True
    # of two connections the refusal may be of either
    facts["live"]["connections"].append({**AAD_OPENAI, "name": "other", "resource_id": f"{OPENAI}2"})
    assert needed(facts, "openai-embeddings") is None


def test_a_connection_with_a_key_needs_no_role_on_the_resource() -> None:
    assert needed(document(), "openai-chat") is None


@pytest.mark.parametrize(
    ("category", "key", "expected"),
    [
        ("CognitiveSearch", "search-query", True),
        ("CognitiveSearch", "search-index-read", "unknown"),
        ("AzureContentSafety", "content-safety", True),
        ("AIServices", "openai-chat", True),
        ("CustomKeys", "search-query", None),
    ],
)
def test_other_services_by_entra_id(category: str, key: str, expected: Any) -> None:
    connection = {**AAD_OPENAI, "type": category, "connection_class": None}
    assert needed(document(live(connections=[connection])), key) == expected


def test_ai_services_of_a_tool_that_is_not_known() -> None:
    connection = {**AAD_OPENAI, "type": "AIServices", "connection_class": None}
    facts = document(live(connections=[connection]), {"flow": HIDDEN})
    assert needed(facts, "content-safety") == "unknown"


def test_a_connection_that_the_flow_does_not_use() -> None:
    facts = document(live(connections=[{**AAD_OPENAI, "name": "unused"}]))
    assert needed(facts, "openai-chat") is None


# ------------------------------------------------------------------------------------------- background


def test_data_collection() -> None:
    assert needed(document(), "data-collection") is None
    view = live()
    view["deployment"]["data_collector"] = {
        "collections": [{"name": "model_inputs", "enabled": "true", "has_data": False}]
    }
    row = rows(document(view))["data-collection"]
    assert (row["needed"], row["scope"], row["phase"]) == (True, CONTAINER, "background")
    assert row["verdict"] == "NOT_ALLOWED"


def test_telemetry_needs_a_role_only_where_the_exporter_signs_in() -> None:
    found = rows(document())["telemetry"]
    assert (found["needed"], found["verdict"]) == (False, "NOT_APPLICABLE")
    facts = document(with_variables(APPLICATIONINSIGHTS_AUTHENTICATION_STRING="Authorization=AAD"))
    found = rows(facts)["telemetry"]
    assert (found["needed"], found["scope"]) == (True, INSIGHTS)
    otlp = document(with_variables(OTEL_EXPORTER_OTLP_AAD_AUTH_ENABLE="true"))
    assert rows(otlp)["telemetry-otlp"]["reason"] == "SCOPE_UNKNOWN"


def test_code_that_reads_a_key_vault() -> None:
    imports = [
        {"module": "azure.keyvault.secrets", "top": "azure", "names": ["SecretClient"], "resolves": "third-party",
         "guarded": False, "every_call": False, "neighbour": False}
    ]  # fmt: skip
    source = {"file": "a.py", "imports": imports, "environment_reads": [], "functions": [], "tools": []}
    declared = {"flow": {**flow(llm_node()), "sources": [source]}}
    view = with_variables(VAULT_URL="https://kv-chat.vault.azure.net/")
    assert rows(document(view, declared))["key-vault-by-code"]["scope"] == VAULT


# ------------------------------------------------------------------------------------------------------------ deployer


def test_the_deployer_of_a_user_assigned_identity() -> None:
    identity = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-chat"
    view = live()
    view["identity"].update(
        type="user_assigned", identities=[{"resource_id": identity, "principal_id": ME, "client_id": "c"}]
    )
    view["endpoint"]["enforce_access_to_default_secret_stores"] = "enabled"
    facts = document(view)
    found = rows(facts, "deployer")
    assert found["identity-assign"]["scope"] == identity
    assert found["connection-secrets"]["principal_id"] == "oid-caller"
    assert identity in [one.scope for one in scopes_to_read(Facts(facts))]


@pytest.mark.parametrize(
    ("mode", "key"), [("key", "endpoint-keys"), ("aml_token", "endpoint-token"), ("aad_token", "endpoint-score")]
)
def test_the_caller_of_the_endpoint(mode: str, key: str) -> None:
    view = live()
    view["endpoint"]["auth_mode"] = mode
    assert key in rows(document(view), "deployer")


def test_who_looks_at_an_endpoint_need_not_deploy_it() -> None:
    facts = document()
    assert isinstance(rows(facts, "deployer")["deployment-write"]["needed"], dict)
    facts["declared"]["deployment"] = {"name": "blue", "environment_variables": None}
    assert rows(facts, "deployer")["deployment-write"]["needed"] is True


@pytest.mark.parametrize(("who", "by_endpoint", "by_caller"), [(ME, True, False), ("oid-caller", False, True)])
def test_a_refusal_in_a_log_is_of_whom_it_names(who: str, by_endpoint: bool, by_caller: bool) -> None:
    fields = {"action": f"{ML}/datastores/read", "object_id": who.upper()}
    error = {"kind": "authorization", "message": "does not have authorization", "fields": fields}
    facts = document(declared={"flow": HIDDEN}, logs=[{"errors": [error]}])
    assert (rows(facts)["datastore-read"]["needed"] is True) == by_endpoint
    refused = {**error, "fields": {**fields, "action": f"{ML}/onlineEndpoints/write"}}
    facts = document(declared={"flow": HIDDEN}, logs=[{"errors": [refused]}])
    assert (rows(facts, "deployer")["endpoint-write"]["needed"] is True) == by_caller


def test_assigning_roles_is_needed_where_roles_are_missing() -> None:
    assert "role-assign" not in rows(document(), "deployer")
    facts = document()
    facts["live"]["authorization"]["scopes"][1]["assigned"][0]["assignments"] = []
    assert rows(facts, "deployer")["role-assign"]["scope"] == REGISTRY


def test_without_a_caller_there_is_no_deployer() -> None:
    assert access(document(live(caller=None)))["deployer"] == []


# ------------------------------------------------------------------------------------------------ who, and where at all


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        ({"type": "none", "principal_id": None, "client_id": None, "identities": []}, "NO_ASSIGNMENT"),
        ({"type": "user_assigned", "principal_id": HIDDEN, "client_id": HIDDEN, "identities": []}, "PRINCIPAL_UNKNOWN"),
        (HIDDEN, "PRINCIPAL_UNKNOWN"),
    ],
)
def test_an_identity_that_is_not_known(identity: Any, reason: str) -> None:
    assert rows(document(live(identity=identity)))["connection-secrets"]["reason"] == reason


def test_a_workspace_that_does_not_exist() -> None:
    facts = document()
    facts["live"]["authorization"]["scopes"][0]["exists"] = False
    row = rows(facts)["connection-secrets"]
    assert (row["verdict"], row["reason"]) == ("NOT_APPLICABLE", "NO_SUCH_RESOURCE")


def test_a_workspace_without_a_registry() -> None:
    view = live()
    view["workspace"]["container_registry"] = None
    # the image lies in a private registry all the same
    row = rows(document(view))["image-pull"]
    assert row["reason"] == "SCOPE_UNKNOWN"
    view["environment"] |= {"image": None, "build": {"context": "."}}
    assert rows(document(view))["image-pull"]["reason"] == "SCOPE_UNKNOWN"


def test_the_same_is_not_derived_twice_nor_without_permissions() -> None:
    facts = document()
    del facts["live"]["authorization"]
    assert "access" not in derive(Facts(facts)).document["live"]
    once = derive(Facts(document()))
    assert derive(once).document["live"]["access"] == once.document["live"]["access"]


def test_scopes_to_read() -> None:
    facts = document()
    del facts["live"]["authorization"]
    found = scopes_to_read(Facts(facts))
    assert [(one.scope, one.kind) for one in found] == [
        (WS, "workspace"),
        (REGISTRY, "registry"),
        (CONTAINER, "container"),
    ]
    assert "connection-secrets" in found[0].why
    assert STORAGE not in [one.scope for one in found]


@pytest.mark.parametrize("missing", list(live()))
def test_facts_that_are_missing_decide_nothing_wrong(missing: str) -> None:
    """Whatever is not known, nothing fails, and no verdict on what is left turns into its contrary."""
    if missing == "authorization":
        return
    before = rows(document())
    for value in (HIDDEN, None):
        view = live(**{missing: value})
        for key, row in rows(document(view)).items():
            if key in before and before[key]["verdict"] == "ALLOWED":
                assert row["verdict"] != "NOT_ALLOWED" or missing == "identity"


def _parts(view: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every section of the live facts that tells what is needed, and each of its fields."""
    sections = [name for name in view if name != "authorization"]
    fields = [(name, key) for name in sections if isinstance(view[name], dict) for key in view[name]]
    return [*((name,) for name in sections), *fields]


def _world() -> dict[str, Any]:
    """An endpoint that needs one of nearly everything."""
    view = live(connections=[AAD_OPENAI])
    view["deployment"] |= {
        "environment_variables": {
            "KEY": "${{azureml://connections/aoai/credentials/key}}",
            "SECRET": "${{keyvault:https://kv-chat.vault.azure.net/secrets/x}}",
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
            "OTEL_EXPORTER_OTLP_AAD_AUTH_ENABLE": "true",
        },
        "code_id": f"{WS}/codes/c/versions/1",
        "data_collector": {"collections": [{"name": "model_inputs", "enabled": True, "has_data": False}]},
    }
    view["endpoint"]["enforce_access_to_default_secret_stores"] = "enabled"
    view["identity"] |= {
        "type": "user_assigned",
        "identities": [{"resource_id": f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"}],
    }
    return view


@pytest.mark.parametrize("path", _parts(_world()), ids=".".join)
def test_what_was_not_read_takes_no_operation_away(path: tuple[str, ...]) -> None:
    before, view = rows(document(_world())), _world()
    around: Any = view
    for key in path[:-1]:
        around = around[key]
    around[path[-1]] = HIDDEN
    facts = document(view)
    after = rows(facts)
    # of two ways to grant a pull, which one holds is what a registry tells
    assert {key for key, row in before.items() if row["needed"] is not False} <= after.keys()
    for key, row in after.items():
        if key in before and before[key]["needed"] is True:
            assert row["needed"] is True or isinstance(row["needed"], dict), key
    deployer = access(facts)["deployer"]
    if path == ("caller",):
        # of somebody whom nobody knows, all is open at once
        assert deployer == HIDDEN
        return
    by_caller = {one["key"] for one in access(document(_world()))["deployer"]}
    # the group of a workspace whose id is not known is not known either; only the studio's wizard needs it
    assert by_caller - {"template-deployment"} <= {one["key"] for one in deployer}


def test_a_grant_of_which_the_condition_was_not_read_is_undecided() -> None:
    grant = assignment(SECRETS_READER, WS, condition=HIDDEN)
    view = live(authorization=authorization(entry(WS, grant)))
    assert "$unknown" in rows(document(view))["connection-secrets"]["verdict"]
