"""The api-versions that resources are read with: the newest stable ones that hold every fact we ask for.

The preview is that of azure-ai-ml 1.35.2 for connections. A registry tells how it reads role assignments (its
roleAssignmentMode) in no stable version before 2025-11-01.
"""

WORKSPACE = "2024-10-01"
ENDPOINT = "2024-10-01"
ASSET = "2024-10-01"
DATASTORE = "2024-10-01"
CONNECTION = "2024-04-01-preview"
USAGES = "2024-10-01"

ASSIGNMENTS = "2022-04-01"
DENIES = "2022-04-01"
DEFINITION = "2022-05-01-preview"
"""The one that shows the conditions in role definitions."""
ELIGIBLE = "2020-10-01"
LOCKS = "2016-09-01"
PERMISSIONS = "2022-04-01"

GROUP = "2021-04-01"
PROVIDER = "2021-04-01"
STORAGE = "2023-05-01"
VAULT = "2023-07-01"
REGISTRY = "2025-11-01"
COMPONENT = "2020-02-02"
COGNITIVE = "2023-05-01"
SEARCH = "2023-11-01"
IDENTITY = "2023-01-31"
METRICS = "2023-10-01"

OF_TYPE = {
    "microsoft.storage/storageaccounts": STORAGE,
    "microsoft.storage/storageaccounts/blobservices/containers": STORAGE,
    "microsoft.keyvault/vaults": VAULT,
    "microsoft.containerregistry/registries": REGISTRY,
    "microsoft.insights/components": COMPONENT,
    "microsoft.cognitiveservices/accounts": COGNITIVE,
    "microsoft.search/searchservices": SEARCH,
    "microsoft.managedidentity/userassignedidentities": IDENTITY,
    "microsoft.machinelearningservices/workspaces": WORKSPACE,
    "microsoft.machinelearningservices/registries": WORKSPACE,
}
"""By resource type, in lower case, for resources that are read to see whether they exist and how they are set."""
