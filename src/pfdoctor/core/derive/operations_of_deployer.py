"""The operations that whoever creates the endpoint and its deployment needs; pfdoctor takes its own caller for that."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.access.reading import elements, field
from pfdoctor.core.access.scopes import parent_group
from pfdoctor.core.derive.operation import ML, REGISTRIES, Operation, workspace
from pfdoctor.core.derive.operations_of_service import MICROSOFTS_REGISTRIES
from pfdoctor.core.derive.usage import Usage
from pfdoctor.core.model import Json, Unknown

_ONLY_LOOKING = Unknown("not-deploying", "whether the person who runs pfdoctor deploys this is not known")
_WIZARD = Unknown("tool-unknown", "only the studio's wizard needs it")
_ON_DEMAND = Unknown("on-demand", "only whoever asks for it needs it")


def deployer_operations(usage: Usage) -> Iterator[Operation]:
    """What the person who deploys needs.

    Whoever looks at an endpoint need not be the one who deploys it: only files that define it, or a log with the
    refusal, show that.
    """
    for one in _operations(usage):
        deploys = usage.is_declared or usage.is_refused_to_caller(one.action)
        yield one if one.needed is not True or deploys else one._replace(needed=_ONLY_LOOKING)


def _operations(usage: Usage) -> Iterator[Operation]:
    at = workspace(usage)

    def here(key: str, verb: str, needed: Json, why: str, phase: str = "create", *, arm: bool = True) -> Operation:
        return Operation(key, f"{ML}/{verb}", at, needed, why, phase, through_arm=arm)

    yield here("endpoint-write", "onlineEndpoints/write", True, "Creates and changes the endpoint.")
    yield here("deployment-write", "onlineEndpoints/deployments/write", True, "Creates and changes the deployment.")
    yield from _identities(usage)
    yield from _secret_flag(usage)
    if isinstance(at, str) and (group := parent_group(at)) is not None:
        action = "Microsoft.Resources/deployments/write"
        yield Operation("template-deployment", action, group, _WIZARD, "The studio deploys by a template.", "create")
    for kind, what in (("models", "model"), ("environments", "environment"), ("codes", "code")):
        needed = _registers(usage, what)
        if needed is not False:
            yield here(f"{what}-register", f"{kind}/versions/write", needed, f"Registers the {what}.")
    yield here("datastore-read", "datastores/read", _ON_DEMAND, "Uploads go to the workspace's default datastore.")
    built = isinstance(usage.fact("environment", "build"), dict)
    yield here("image-build", "environments/build/action", True if built else _ON_DEMAND, "Builds the image.")
    yield here("logs-read", "onlineendpoints/deployments/getlogs/action", _ON_DEMAND, "Reads the containers' logs.")
    yield from _callers(usage, at)
    yield from _registry(usage)


def _identities(usage: Usage) -> Iterator[Operation]:
    """A user-assigned identity is attached by whoever may assign it; it can lie in another subscription."""
    assigned = "Microsoft.ManagedIdentity/userAssignedIdentities"
    kind = usage.fact("identity", "type")
    if kind != "user_assigned" and not isinstance(kind, Unknown):
        return
    why = "Attaches the user-assigned identity to the endpoint."
    identities, unread = elements(usage.fact("identity", "identities"))
    needed: Json = kind if isinstance(kind, Unknown) else True
    for identity in identities:
        resource = field(identity, "resource_id")
        if resource is not None:
            yield Operation("identity-assign", f"{assigned}/assign/action", resource, needed, why, "create")
            yield Operation("identity-read", f"{assigned}/read", resource, needed, why, "create")
    open_because = unread or (kind if isinstance(kind, Unknown) and not identities else None)
    if open_because is not None:
        yield Operation("identity-assign", f"{assigned}/assign/action", open_because, open_because, why, "create")
        yield Operation("identity-read", f"{assigned}/read", open_because, open_because, why, "create")


def _secret_flag(usage: Usage) -> Iterator[Operation]:
    flag = usage.fact("endpoint", "enforce_access_to_default_secret_stores")
    if isinstance(flag, Unknown) or str(flag).lower() in ("enabled", "true"):
        needed: Json = flag if isinstance(flag, Unknown) else True
        why = "enforce_access_to_default_secret_stores asks that the creator could read the secrets, too."
        action = f"{ML}/connections/listsecrets/action"
        yield Operation("connection-secrets", action, workspace(usage), needed, why, "create")


def _registers(usage: Usage, what: str) -> Json:
    """Whether the deployment brings the asset along; a registered one was there before."""
    if what == "code":
        code = usage.fact("deployment", "code_id")
        return code if isinstance(code, Unknown) else code is not None
    anonymous = usage.fact(what, "inline" if what == "model" else "anonymous")
    return anonymous if isinstance(anonymous, bool) and anonymous else _ON_DEMAND


def _callers(usage: Usage, at: Json) -> Iterator[Operation]:
    """Keys and tokens come through Azure Resource Manager; scoring with an Entra token asks for a role each time."""
    mode = usage.fact("endpoint", "auth_mode")
    actions = {
        "key": ("endpoint-keys", "onlineendpoints/listkeys/action", "Reads the keys of the endpoint.", True),
        "aml_token": ("endpoint-token", "onlineendpoints/token/action", "Obtains a token of the endpoint.", True),
        "aad_token": ("endpoint-score", "onlineEndpoints/score/action", "Calls the endpoint by Entra ID.", False),
    }
    for meant, (key, verb, why, arm) in actions.items():
        if mode != meant and not isinstance(mode, Unknown):
            continue
        needed: Json = _ON_DEMAND if arm else mode if isinstance(mode, Unknown) else True
        yield Operation(key, f"{ML}/{verb}", at, needed, why, "request", through_arm=arm)
    if mode == "key" or isinstance(mode, Unknown):
        why = "Makes new keys for the endpoint."
        action = f"{ML}/onlineendpoints/regeneratekeys/action"
        yield Operation("endpoint-regenerate-keys", action, at, _ON_DEMAND, why, "request")


def _registry(usage: Usage) -> Iterator[Operation]:
    for part in ("model", "environment"):
        name = usage.fact(part, "asset_registry")
        if name is not None and str(name).lower() not in MICROSOFTS_REGISTRIES:
            needed: Json = name if isinstance(name, Unknown) else True
            shown = name if isinstance(name, str) else ""
            scope = Unknown("registry-unknown", f"the resource id of the Azure ML registry {shown} is not known")
            for verb in ("read", "assets/read"):
                action = f"{REGISTRIES}/{verb}"
                key = "registry-read" if verb == "read" else "registry-assets"
                yield Operation(f"{key}-{part}", action, scope, needed, f"Deploys the registry's {part}.", "create")
