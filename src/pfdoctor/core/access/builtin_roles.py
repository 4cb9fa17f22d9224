"""The built-in roles that pfdoctor proposes, as Azure Resource Manager gives them.

Source: the daily dump of the roleDefinitions API in iann0036/iam-dataset (MIT), azure/built-in-roles-raw.json at commit
2073fa52 of 2026-08-22. A role's GUID is the same in every tenant and cloud; names have changed, so match by GUID. None
of these has a condition or more than one element of permissions. Verdicts never rest on this table, only proposals
do: what a role grants is read from its definition.
"""

from __future__ import annotations

from typing import NamedTuple


class BuiltInRole(NamedTuple):
    """A built-in role: its GUID, its name and its one element of permissions."""

    guid: str
    name: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]


_PREFIXES = {
    "ML": "Microsoft.MachineLearningServices",
    "CS": "Microsoft.CognitiveServices/accounts",
    "ST": "Microsoft.Storage/storageAccounts",
    "KV": "Microsoft.KeyVault",
    "CR": "Microsoft.ContainerRegistry/registries",
    "AZ": "Microsoft.Authorization",
    "IN": "Microsoft.Insights",
    "RS": "Microsoft.Resources",
    "SE": "Microsoft.Search/searchServices",
    "ID": "Microsoft.ManagedIdentity/userAssignedIdentities",
}


def _role(
    guid: str, name: str, actions: str = "", not_actions: str = "", data_actions: str = "", not_data_actions: str = ""
) -> BuiltInRole:
    def listed(text: str) -> tuple[str, ...]:
        found = []
        for word in text.split():
            prefix, slash, rest = word.partition("/")
            found.append(_PREFIXES.get(prefix, prefix) + slash + rest)
        return tuple(found)

    return BuiltInRole(guid, name, listed(actions), listed(not_actions), listed(data_actions), listed(not_data_actions))


ROLES = (
    _role(
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "Reader",
        actions="*/read",
    ),
    _role(
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "AcrPull",
        actions="CR/pull/read",
    ),
    _role(
        "8311e382-0749-4cb8-b61a-304f252e45ec",
        "AcrPush",
        actions="CR/pull/read CR/push/write",
    ),
    _role(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        "Container Registry Repository Reader",
        data_actions="CR/repositories/metadata/read CR/repositories/content/read",
    ),
    _role(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        "Container Registry Repository Writer",
        data_actions=(
            "CR/repositories/metadata/read CR/repositories/content/read CR/repositories/metadata/write "
            "CR/repositories/content/write"
        ),
    ),
    _role(
        "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
        "Azure Machine Learning Workspace Connection Secrets Reader",
        actions="ML/workspaces/connections/listsecrets/action ML/workspaces/metadata/secrets/read",
    ),
    _role(
        "635dd51f-9968-44d3-b7fb-6d9a6bd613ae",
        "AzureML Metrics Writer (preview)",
        actions="ML/workspaces/metrics/*/write",
    ),
    _role(
        "1823dd4f-9b8c-4ab6-ab4e-7397a3684615",
        "AzureML Registry User",
        actions="ML/registries/read ML/registries/assets/*",
    ),
    _role(
        "f6c7c914-8db3-469d-8ca1-694a8f32e121",
        "AzureML Data Scientist",
        actions="ML/workspaces/*/read ML/workspaces/*/action ML/workspaces/*/delete ML/workspaces/*/write",
        not_actions=(
            "ML/workspaces/delete ML/workspaces/write ML/workspaces/computes/*/write ML/workspaces/computes/*/delete "
            "ML/workspaces/computes/listKeys/action ML/workspaces/listKeys/action ML/workspaces/hubs/write "
            "ML/workspaces/hubs/delete ML/workspaces/featurestores/write ML/workspaces/featurestores/delete"
        ),
    ),
    _role(
        "64702f94-c441-49e6-a78b-ef80e0188fee",
        "Azure AI Developer",
        actions=(
            "ML/workspaces/*/read ML/workspaces/*/action ML/workspaces/*/delete ML/workspaces/*/write "
            "ML/locations/*/read AZ/*/read RS/deployments/*"
        ),
        not_actions=(
            "ML/workspaces/delete ML/workspaces/write ML/workspaces/listKeys/action ML/workspaces/hubs/write "
            "ML/workspaces/hubs/delete ML/workspaces/featurestores/write ML/workspaces/featurestores/delete "
            "ML/workspaces/evaluations/results/labels/read ML/workspaces/evaluations/results/reasonings/read "
            "ML/workspaces/simulations/results/images/read"
        ),
        data_actions="CS/OpenAI/* CS/SpeechServices/* CS/ContentSafety/* CS/MaaS/*",
        not_data_actions="CS/OpenAI/fine-tunes-deployments/write",
    ),
    _role(
        "3afb7f49-54cb-416e-8c09-6dc049efa503",
        "Azure AI Inference Deployment Operator",
        actions="AZ/*/read RS/deployments/* IN/AutoscaleSettings/write",
    ),
    _role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        actions="ST/blobServices/containers/read ST/blobServices/generateUserDelegationKey/action",
        data_actions="ST/blobServices/containers/blobs/read",
    ),
    _role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        actions=(
            "ST/blobServices/containers/delete ST/blobServices/containers/read ST/blobServices/containers/write "
            "ST/blobServices/generateUserDelegationKey/action"
        ),
        data_actions=(
            "ST/blobServices/containers/blobs/delete ST/blobServices/containers/blobs/read "
            "ST/blobServices/containers/blobs/write ST/blobServices/containers/blobs/move/action "
            "ST/blobServices/containers/blobs/add/action"
        ),
    ),
    _role(
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
        actions="ST/blobServices/containers/* ST/blobServices/generateUserDelegationKey/action",
        data_actions="ST/blobServices/containers/blobs/*",
    ),
    _role(
        "81a9662b-bebf-436f-a333-f67b29880f12",
        "Storage Account Key Operator Service Role",
        actions="ST/listkeys/action ST/regeneratekey/action",
    ),
    _role(
        "c12c1c16-33a1-487b-954d-41c89c60f349",
        "Reader and Data Access",
        actions="ST/listKeys/action ST/ListAccountSas/action ST/read",
    ),
    _role(
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        "Cognitive Services OpenAI User",
        actions="Microsoft.CognitiveServices/*/read AZ/roleAssignments/read AZ/roleDefinitions/read",
        data_actions=(
            "CS/OpenAI/*/read CS/OpenAI/engines/completions/action CS/OpenAI/engines/search/action "
            "CS/OpenAI/engines/generate/action CS/OpenAI/deployments/audio/action "
            "CS/OpenAI/deployments/search/action CS/OpenAI/deployments/completions/action "
            "CS/OpenAI/deployments/chat/completions/action CS/OpenAI/deployments/realtime/action "
            "CS/OpenAI/deployments/extensions/chat/completions/action CS/OpenAI/deployments/embeddings/action "
            "CS/OpenAI/images/generations/action CS/OpenAI/video/generations/*/action "
            "CS/OpenAI/video/generations/*/delete CS/OpenAI/assistants/* CS/OpenAI/responses/*"
        ),
        not_data_actions="CS/OpenAI/stored-completions/read",
    ),
    _role(
        "a001fd3d-188f-4b5d-821b-7da978bf7442",
        "Cognitive Services OpenAI Contributor",
        actions=(
            "Microsoft.CognitiveServices/*/read CS/deployments/write CS/deployments/delete CS/raiPolicies/read "
            "CS/raiPolicies/write CS/raiPolicies/delete CS/commitmentplans/read CS/commitmentplans/write "
            "CS/commitmentplans/delete AZ/roleAssignments/read AZ/roleDefinitions/read"
        ),
        data_actions="CS/OpenAI/*",
    ),
    _role(
        "a97b65f3-24c7-4388-baec-2e87135dc908",
        "Cognitive Services User",
        actions=(
            "Microsoft.CognitiveServices/*/read CS/listkeys/action IN/alertRules/read IN/diagnosticSettings/read "
            "IN/logDefinitions/read IN/metricdefinitions/read IN/metrics/read "
            "Microsoft.ResourceHealth/availabilityStatuses/read RS/deployments/operations/read "
            "RS/subscriptions/operationresults/read RS/subscriptions/read RS/subscriptions/resourceGroups/read "
            "Microsoft.Support/*"
        ),
        data_actions="Microsoft.CognitiveServices/*",
        not_data_actions=(
            "CS/AIServices/agents/endpoints/UserIdentityImpersonation/action CS/OpenAI/fine-tunes-deployments/write "
            "CS/AIServices/fine_tuning_deployments/write"
        ),
    ),
    _role(
        "1407120a-92aa-4202-b7e9-c0e197c71c8f",
        "Search Index Data Reader",
        data_actions="SE/indexes/documents/read",
    ),
    _role(
        "8ebe5a00-799e-43f5-93ac-243d3dce84a7",
        "Search Index Data Contributor",
        data_actions="SE/indexes/documents/* SE/indexes/contentSecurity/elevatedOperations/read",
    ),
    _role(
        "7ca78c08-252a-4471-8644-bb5ff32d4ba0",
        "Search Service Contributor",
        actions=(
            "AZ/*/read IN/alertRules/* Microsoft.ResourceHealth/availabilityStatuses/read RS/deployments/* "
            "RS/subscriptions/resourceGroups/read SE/* Microsoft.Support/*"
        ),
    ),
    _role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        data_actions="KV/vaults/secrets/getSecret/action KV/vaults/secrets/readMetadata/action",
    ),
    _role(
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        actions=(
            "AZ/*/read IN/alertRules/* RS/deployments/* RS/subscriptions/resourceGroups/read Microsoft.Support/* "
            "KV/checkNameAvailability/read KV/deletedVaults/read KV/locations/*/read KV/vaults/*/read "
            "KV/operations/read"
        ),
        data_actions="KV/vaults/secrets/*",
    ),
    _role(
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Monitoring Metrics Publisher",
        actions="IN/Register/Action Microsoft.Support/* RS/subscriptions/resourceGroups/read",
        data_actions="IN/Metrics/Write IN/Telemetry/Write",
    ),
    _role(
        "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        "Monitoring Reader",
        actions="*/read Microsoft.OperationalInsights/workspaces/search/action Microsoft.Support/*",
    ),
    _role(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        actions=(
            "ID/*/read ID/*/assign/action AZ/*/read IN/alertRules/* RS/subscriptions/resourceGroups/read "
            "RS/deployments/* Microsoft.Support/*"
        ),
    ),
    _role(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        actions=(
            "ID/read ID/write ID/delete ID/federatedIdentityCredentials/read ID/federatedIdentityCredentials/write "
            "ID/federatedIdentityCredentials/delete ID/revokeTokens/action AZ/*/read IN/alertRules/* "
            "RS/subscriptions/resourceGroups/read RS/deployments/* Microsoft.Support/*"
        ),
    ),
    _role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        actions="AZ/roleAssignments/write AZ/roleAssignments/delete */read Microsoft.Support/*",
    ),
    _role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        actions="*/read AZ/* Microsoft.Support/*",
    ),
    _role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        actions="*",
        not_actions=(
            "AZ/*/Delete AZ/*/Write AZ/elevateAccess/Action Microsoft.Blueprint/blueprintAssignments/write "
            "Microsoft.Blueprint/blueprintAssignments/delete Microsoft.Compute/galleries/share/action "
            "Microsoft.Purview/consents/write Microsoft.Purview/consents/delete "
            "RS/deploymentStacks/manageDenySetting/action Microsoft.Subscription/cancel/action "
            "Microsoft.Subscription/enable/action"
        ),
    ),
    _role(
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "Owner",
        actions="*",
    ),
)
"""Those that differ in breadth only are not all here; the broad ones are at the end."""
