"""The operations that a flow's tools need: index lookups, and models and services reached with an Entra connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pfdoctor.core.access.reading import elements, field, text
from pfdoctor.core.derive.operation import BLOBS, ML, Operation, container_of, vault_operation, workspace
from pfdoctor.core.derive.usage import Usage, Used
from pfdoctor.core.model import Json, Unknown

_ACCOUNTS = "Microsoft.CognitiveServices/accounts"
_SEARCH = "Microsoft.Search/searchServices/indexes"
_OPENAI = {
    "chat": ("openai-chat", f"{_ACCOUNTS}/OpenAI/deployments/chat/completions/action"),
    "completion": ("openai-completions", f"{_ACCOUNTS}/OpenAI/deployments/completions/action"),
    "embedding": ("openai-embeddings", f"{_ACCOUNTS}/OpenAI/deployments/embeddings/action"),
    "responses": ("openai-responses", f"{_ACCOUNTS}/OpenAI/responses/write"),
}
# the resource that a connection leads to, by its class or category
_SERVICES = {
    "azureopenaiconnection": "openai",
    "azureopenai": "openai",
    "azure_open_ai": "openai",
    "cognitivesearchconnection": "search",
    "cognitivesearch": "search",
    "cognitive_search": "search",
    "azureaisearch": "search",
    "azurecontentsafetyconnection": "content-safety",
    "azurecontentsafety": "content-safety",
    "azure_content_safety": "content-safety",
    "azureaiservicesconnection": "ai-services",
    "aiservices": "ai-services",
}


def tool_operations(usage: Usage) -> Iterator[Operation]:
    """What the tools of the flow need."""
    yield from _index_lookup(usage)
    yield from _entra_connections(usage)
    if usage.imports("azure.keyvault"):
        why = "The flow's code imports azure.keyvault, which reads a vault as the endpoint's identity."
        yield vault_operation(usage, "key-vault-by-code", _vault_of(usage), why, "request")


def _vault_of(usage: Usage) -> str | None:
    """The vault that an environment variable gives, if one does."""
    for value in usage.variables().values():
        if value.startswith("https://") and ".vault." in value:
            return value.removeprefix("https://").partition(".")[0]
    return None


# ---------------------------------------------------------------------------------------------------- index lookups


def _index_lookup(usage: Usage) -> Iterator[Operation]:
    asset = usage.names_data_asset()
    if asset is not False:
        why = "An index is named as a data asset, whose version is looked up."
        action = f"{ML}/data/versions/read"
        yield Operation("data-asset-read", action, workspace(usage), asset, why, "request")
    needed = usage.reads_datastore()
    secrets_logged = usage.is_logged("workspaces/datastores/listsecrets/action")
    if needed is False and not secrets_logged:
        return
    names = usage.index_datastores()
    target = ", ".join(names) or None
    why = "An index lookup reads the definition of the datastore that holds the index."
    yield Operation("datastore-read", f"{ML}/datastores/read", workspace(usage), needed, why, "request", target=target)
    why = "The datastore has an account key or SAS, which the index lookup asks for."
    keyed = True if secrets_logged else _has_key(usage, needed, names)
    if keyed is not False:
        action = f"{ML}/datastores/listsecrets/action"
        yield Operation("datastore-secrets", action, workspace(usage), keyed, why, "request", target=target)
    why = "The datastore has no credentials, so the index is read as the endpoint's identity."
    datastores, unread = elements(usage.fact("datastores"))
    for store in datastores:
        name, credentials = text(store, "name"), field(store, "credentials")
        if name is None:
            unread = unread or Unknown("datastore-unknown", "the name of a datastore is not known")
        elif name in names and (credentials == "none" or isinstance(credentials, Unknown)):
            wanted = credentials if isinstance(credentials, Unknown) and needed is True else needed
            scope = container_of(store)
            yield Operation("index-download", f"{BLOBS}/read", scope, wanted, why, "request", data=True, target=name)
    if isinstance(needed, Unknown):
        # which datastore it would be stands in the flow, too
        unread = needed
    if unread is not None and (names or isinstance(needed, Unknown)):
        yield Operation("index-download", f"{BLOBS}/read", unread, unread, why, "request", data=True)


def _has_key(usage: Usage, needed: Json, names: tuple[str, ...]) -> Json:
    """Whether the datastore of the index has credentials that the lookup must ask for."""
    datastores, why = elements(usage.fact("datastores"))
    relevant = [one for one in datastores if not names or text(one, "name") in names]
    kinds = {text(one, "credentials") for one in relevant}
    if why is None and kinds and None not in kinds:
        if kinds == {"none"}:
            return False
        if "none" not in kinds:
            return needed
    return why or Unknown("datastore-unknown", "which datastore holds the index, or its credentials, is not known")


# ------------------------------------------------------------------------------------------------ Entra connections


def _entra_connections(usage: Usage) -> Iterator[Operation]:
    used = usage.connections()
    listed, unread = elements(usage.fact("connections"))
    for one in listed:
        unread = unread or _why_open(one)
    if unread is not None and (used.names or used.why_incomplete is not None):
        yield from _of_unread(unread)
    found = [(one, service) for one in listed if (service := _service(one)) is not None]
    for connection, service in found:
        name = text(connection, "name") or ""
        if name not in used.names and used.why_incomplete is None:
            continue
        where = text(connection, "resource_id")
        scope = where or Unknown("resource-unknown", f"the connection {name} does not say which resource it leads to")
        # a refusal names the action and not the resource: of several connections it may be of any
        alone = sum(other == service for _, other in found) == 1
        overridden = usage.overrides(name) if name in used.names else False
        if overridden is True:
            continue
        for operation in _of_service(_Connection(name, service, scope, alone), usage, used):
            is_open = isinstance(overridden, Unknown) and operation.needed is True
            yield operation._replace(needed=overridden) if is_open else operation


def _why_open(connection: Json) -> Unknown | None:
    """Why it is not known whether the endpoint's identity signs in with the connection, or where."""
    keys = ("name", "auth_type", "connection_class")
    unread = [one for key in keys if isinstance(one := field(connection, key), Unknown)]
    return unread[0] if unread else None


def _of_unread(why: Unknown) -> Iterator[Operation]:
    """What may be needed with connections that were not read."""
    said = "A connection that was not read may have no key: then the endpoint's identity signs in."
    operations = (
        *_OPENAI.values(),
        ("search-query", f"{_SEARCH}/documents/read"),
        ("content-safety", f"{_ACCOUNTS}/ContentSafety/text:analyze/action"),
    )
    for key, action in operations:
        yield Operation(key, action, why, why, said, "request", data=True)


class _Connection(NamedTuple):
    """A connection without a key. `alone`: whether it is the only one to its kind of service."""

    name: str
    service: str
    scope: Json
    alone: bool


def _service(connection: Json) -> str | None:
    """The service that the connection leads to, if the endpoint's identity signs in there."""
    if text(connection, "name") is None or not _signs_in(connection):
        return None
    kinds = (text(connection, key) for key in ("connection_class", "type"))
    return next((_SERVICES[kind.lower()] for kind in kinds if kind and kind.lower() in _SERVICES), None)


def _signs_in(connection: Json) -> bool:
    """Whether the connection has no key: the endpoint's identity signs in."""
    auth = (text(connection, "auth_type") or "").lower()
    return auth in ("aad", "entra_id", "entraid", "meid_token", "managedidentity", "managed_identity")


def _of_service(connection: _Connection, usage: Usage, used: Used) -> Iterator[Operation]:
    name, service, scope, alone = connection
    needed: Json = True if name in used.names else used.why_incomplete
    said = f"The connection {name} has no key: the endpoint's identity signs in"

    def operation(key: str, action: str, wanted: Json, what: str, *, data: bool = True) -> Operation:
        logged = (alone or name in used.names) and usage.is_logged(action)
        why = f"{said} to {what}."
        return Operation(key, action, scope, True if logged else wanted, why, "request", data=data, target=name)

    apis = usage.apis(name)
    if service == "openai" or (service == "ai-services" and apis.names):
        for api, (key, action) in _OPENAI.items():
            if api in apis.names:
                yield operation(key, action, needed, f"call the {api} API")
            elif (alone and usage.is_logged(action)) or (api == "chat" and not apis.names):
                yield operation(key, action, apis.why_incomplete or False, f"call the {api} API")
    elif service == "search":
        yield operation("search-query", f"{_SEARCH}/documents/read", needed, "query the index")
        schema = Unknown("tool-unknown", "whether the tool reads the definition of the index is not known")
        yield operation("search-index-read", f"{_SEARCH}/read", schema, "read the definition of the index", data=False)
    else:
        action = f"{_ACCOUNTS}/ContentSafety/text:analyze/action"
        wanted = (
            needed if service == "content-safety" else Unknown("service-unknown", "which of its services is called")
        )
        yield operation("content-safety", action, wanted, "analyse text")
