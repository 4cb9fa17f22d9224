"""One operation that somebody needs on Azure, and the scopes that operations are checked at."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.access.reading import elements, field, text
from pfdoctor.core.access.scopes import kind_of
from pfdoctor.core.derive.usage import Usage
from pfdoctor.core.model import Json, Unknown

ML = "Microsoft.MachineLearningServices/workspaces"
REGISTRIES = "Microsoft.MachineLearningServices/registries"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
NO_SUCH_RESOURCE = Unknown("no-such-resource", "the workspace names no such resource")


class Operation(NamedTuple):
    """One operation at one scope.

    `scope` and `needed` may be Unknown; `elsewhere` says by what other mechanism it is decided, or why it is not
    called for, in words: then no role is looked at.
    """

    key: str
    action: str
    scope: Json
    needed: Json
    why: str
    phase: str
    data: bool = False
    target: str | None = None
    through_arm: bool = True
    elsewhere: str | None = None

    @property
    def kind(self) -> str | None:
        kind = kind_of(self.scope) if isinstance(self.scope, str) else None
        return "openai-account" if kind == "cognitive-account" and self.key.startswith("openai") else kind


def workspace(usage: Usage) -> Json:
    return resource_id(usage, "workspace", "id")


def resource_id(usage: Usage, *keys: str) -> Json:
    """A resource id among the live facts; unknown where the resource is absent."""
    value = usage.fact(*keys)
    return value if isinstance(value, str | Unknown) else NO_SUCH_RESOURCE


def vault_operation(
    usage: Usage, key: str, vault: str | None, why: str, phase: str, target: str | None = None
) -> Operation:
    """Reading a secret of a vault, given by its name; only the workspace's own is known by its resource id."""
    own = usage.fact("workspace", "key_vault")
    is_own = vault is not None and (text(own, "name") or "").lower() == vault.lower()
    unseen = Unknown("vault-unknown", f"the resource id of the key vault {vault or '(not named)'} is not known")
    scope = resource_id(usage, "workspace", "key_vault", "id") if is_own else unseen
    by_policy = is_own and field(own, "rbac_authorization") is False
    return Operation(
        key,
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        scope,
        True,
        why,
        phase,
        data=True,
        target=target,
        elsewhere="The vault is not in the RBAC model: its access policies decide, not roles." if by_policy else None,
    )


def default_container(usage: Usage) -> Json:
    """The container of the workspace's default datastore."""
    datastores, why = elements(usage.fact("datastores"))
    default = next((one for one in datastores if field(one, "is_default") is True), None)
    if default is not None:
        return container_of(default)
    return why or Unknown("datastore-unknown", "the default datastore of the workspace is not known")


def container_of(datastore: Json) -> Json:
    """The resource id of a blob datastore's container."""
    account, container = text(datastore, "account_id"), text(datastore, "container")
    if account is None or container is None:
        return Unknown("datastore-unknown", "the account and the container of the datastore are not known")
    return f"{account}/blobServices/default/containers/{container}"
