"""A step of Azure said in other tools' words: the Azure CLI, Bicep and Terraform."""

from __future__ import annotations

import json
from typing import NamedTuple

from pfdoctor.core.model import Json
from pfdoctor.core.plan.resource import (
    AzureEdit,
    BodyChange,
    GrantRole,
    NewVersion,
    RegisterProvider,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
)

_GUID = "11fb06fb-712d-4ddd-98c7-e71bbd588830"
_ML = "2024-10-01"


class Equivalent(NamedTuple):
    """The same change as a shell command, as Bicep and as Terraform; how to see it, and how to take it back."""

    az: str
    bicep: str
    terraform: str
    verify: str
    undo: str


def equivalent(edit: AzureEdit) -> Equivalent:
    """The edit in other words. Ids only, never a secret."""
    match edit:
        case GrantRole():
            return _grant(edit)
        case NewVersion() | UpdateDeployment() | UpdateEndpoint():
            return _body(edit)
        case RegisterProvider(subscription, namespace):
            where = f"--namespace {namespace} --subscription {subscription}"
            return Equivalent(
                f"az provider register {where} --wait",
                "// registering a resource provider is no resource of Bicep: use the command",
                f'resource "azurerm_resource_provider_registration" "pf" {{\n  name = "{namespace}"\n}}',
                f"az provider show {where} --query registrationState",
                "# it stays registered: that costs nothing",
            )
        case SyncKeys(workspace):
            name = workspace.rpartition("/")[2]
            command = f"az ml workspace sync-keys --name {name}{_at(workspace)}"
            none = "is an operation, no resource: use the command"
            return Equivalent(command, f"// {none}", f"# {none}", command, "# nothing to undo")


def _grant(edit: GrantRole) -> Equivalent:
    name = edit.target.rpartition("/")[2]
    az = (
        f"az role assignment create --assignee-object-id {edit.principal_id} \\\n"
        f"  --assignee-principal-type ServicePrincipal --role {edit.role_id} \\\n"
        f'  --scope "{edit.scope}" --name {name}'
    )
    kind, _, resource = _type_and_name(edit.scope)
    bicep = _deployed(edit.scope) + (
        f"var principalId = '{edit.principal_id}'\n"
        "var roleId = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
        f"'{edit.role_id}')\n"
        f"resource target '{kind}@{_VERSIONS.get(kind.lower(), _ML)}' existing = {{ name: '{resource}' }}\n"
        "resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
        "  scope: target\n"
        "  name: guid(toLower(target.id), toLower(principalId), toLower(roleId))\n"
        "  properties: {\n"
        "    roleDefinitionId: roleId\n"
        "    principalId: principalId\n"
        "    principalType: 'ServicePrincipal'\n"
        "  }\n"
        "}"
    )
    terraform = (
        "locals {\n"
        f'  scope     = "{edit.scope}"\n'
        f'  principal = "{edit.principal_id}"\n'
        f'  role      = "{edit.definition}"\n'
        "}\n"
        'resource "azurerm_role_assignment" "pf" {\n'
        f'  name                             = uuidv5("{_GUID}", '
        'join("-", [lower(local.scope), lower(local.principal), lower(local.role)]))\n'
        "  scope                            = local.scope\n"
        "  role_definition_id               = local.role\n"
        "  principal_id                     = local.principal\n"
        '  principal_type                   = "ServicePrincipal"\n'
        "  skip_service_principal_aad_check = true\n"
        "}"
    )
    listed = f"[?principalId=='{edit.principal_id}']"
    verify = f'az role assignment list --scope "{edit.scope}" --include-inherited --query "{listed}" -o table'
    return Equivalent(az, bicep, terraform, verify, f'az role assignment delete --ids "{edit.target}"')


def _body(edit: NewVersion | UpdateDeployment | UpdateEndpoint) -> Equivalent:
    # what `az ml` reads and prints has other names than Azure Resource Manager's (inference_config): the body itself is
    # exact, and keeps what nobody here knows
    source = edit.base if isinstance(edit, NewVersion) else edit.target
    # the id and the name in the body of the old version are not those of the new one
    only = ' --query "{properties: properties}"' if isinstance(edit, NewVersion) else ""
    az = (
        f"{_rest('get', source)}{only} > before.json\n"
        f"# copy before.json to after.json; in it: {_in_words(edit.changes)}\n"
        f"{_rest('put', edit.target)} --body @after.json"
    )
    verify = _rest("get", edit.target)
    kind, holder, name = _type_and_name(edit.target)
    patch = _patch(edit.changes)
    if isinstance(edit, NewVersion):
        _, _, environment = _type_and_name(edit.container)
        undo = f"az ml environment archive --name {environment} --version {edit.version}{_at(edit.container)}"
        return Equivalent(
            az,
            _deployed(edit.container) + _version_in_bicep(edit, kind, patch),
            _version_in_terraform(edit, kind, patch),
            verify,
            undo,
        )
    bicep = (
        f"// a template gives the whole resource: in that of {holder} '{name}', '{kind}@{_ML}', change\n"
        + "\n".join(f"{key}: {_in_bicep(value)}" for key, value in patch.items())
    )
    terraform = (
        'resource "azapi_update_resource" "pf" {\n'
        f'  type        = "{kind}@{_ML}"\n'
        f'  resource_id = "{edit.target}"\n'
        f"  body        = {_in_terraform(patch)}\n"
        "}"
    )
    return Equivalent(az, bicep, terraform, verify, f"{_rest('put', edit.target)} --body @before.json")


def _deployed(identifier: str) -> str:
    """How a template reaches the resource group that its resources are looked for in."""
    parts = identifier.split("/")
    if "resourceGroups" not in parts:
        return ""
    return f"// az deployment group create --subscription {parts[2]} -g {parts[4]} --template-file THIS.bicep\n"


def _rest(method: str, identifier: str) -> str:
    return f'az rest --method {method} --url "{identifier}?api-version={_ML}"'


def _in_bicep(value: Json, indent: str = "") -> str:
    """A value as Bicep writes it: an entry a line, without commas."""
    deeper = f"{indent}  "
    match value:
        case None:
            return "null"
        case bool() | int():
            return json.dumps(value)
        case float():
            return f"json('{value}')"
        case str():
            return (
                "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${").replace("\n", "\\n") + "'"
            )
        case list():
            lines = [f"{deeper}{_in_bicep(one, deeper)}\n" for one in value]
            return f"[\n{''.join(lines)}{indent}]" if lines else "[]"
        case _:
            entries = [
                f"{deeper}{key if key.isidentifier() else _in_bicep(key)}: {_in_bicep(one, deeper)}\n"
                for key, one in value.items()
            ]
            return f"{{\n{''.join(entries)}{indent}}}" if entries else "{}"


def _in_terraform(value: Json) -> str:
    """A value as HCL reads it: azapi 2 takes an object, and no text of JSON, for a body."""
    # source: https://github.com/Azure/terraform-provider-azapi/releases/tag/v2.0.1
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _version_in_bicep(edit: NewVersion, kind: str, patch: dict[str, Json]) -> str:
    def named(identifier: str) -> str:
        return "/".join(identifier.rpartition("/providers/")[2].split("/")[2::2])

    return (
        f"resource base '{kind}@{_ML}' existing = {{ name: '{named(edit.base)}' }}\n"
        f"resource version '{kind}@{_ML}' = {{\n"
        f"  name: '{named(edit.target)}'\n"
        f"  properties: union(base.properties, {_in_bicep(patch.get('properties', {}), '  ')})\n"
        "}"
    )


def _version_in_terraform(edit: NewVersion, kind: str, patch: dict[str, Json]) -> str:
    return (
        'data "azapi_resource" "base" {\n'
        f'  type                   = "{kind}@{_ML}"\n'
        f'  resource_id            = "{edit.base}"\n'
        '  response_export_values = ["properties"]\n'
        "}\n"
        'resource "azapi_resource" "version" {\n'
        f'  type      = "{kind}@{_ML}"\n'
        f'  parent_id = "{edit.container}"\n'
        f'  name      = "{edit.version}"\n'
        "  body = {\n"
        "    properties = merge(data.azapi_resource.base.output.properties, "
        f"{_in_terraform(patch.get('properties', {}))})\n"
        "  }\n"
        "}"
    )


def _patch(changes: tuple[BodyChange, ...]) -> dict[str, Json]:
    patch: dict[str, Json] = {}
    for change in changes:
        holder = patch
        for key in change.path[:-1]:
            holder = holder.setdefault(key, {})
        if change.verb == "set":
            holder[change.path[-1]] = change.value
        elif change.verb == "remove":
            holder[change.path[-1]] = None
    return patch


def _in_words(changes: tuple[BodyChange, ...]) -> str:
    words = {"set": "set {} to {}", "remove": "remove {}", "rename": "rename {} to {}"}
    return "; ".join(
        words[one.verb].format(".".join(one.path), json.dumps(one.value, ensure_ascii=False)) for one in changes
    )


def _type_and_name(identifier: str) -> tuple[str, str, str]:
    """The resource type, its last part and the resource's name."""
    _, _, rest = identifier.rpartition("/providers/")
    words = rest.split("/")
    kind = "/".join([words[0], *words[1::2]])
    return kind, words[-2] if len(words) > 1 else "", words[-1]


def _at(identifier: str) -> str:
    words = identifier.split("/")
    lower = [word.lower() for word in words]
    found = ""
    for flag, key in (("-g", "resourcegroups"), ("-w", "workspaces"), ("--subscription", "subscriptions")):
        if key in lower:
            found += f" {flag} {words[lower.index(key) + 1]}"
    return found


_VERSIONS = {
    "microsoft.storage/storageaccounts": "2023-05-01",
    "microsoft.containerregistry/registries": "2023-07-01",
    "microsoft.keyvault/vaults": "2023-07-01",
    "microsoft.cognitiveservices/accounts": "2023-05-01",
    "microsoft.search/searchservices": "2023-11-01",
    "microsoft.insights/components": "2020-02-02",
}
