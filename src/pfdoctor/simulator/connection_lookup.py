"""How the serving app finds the connections of a flow: which workspace it asks, for which names, and what it makes of
the answer.

The order of the sources and every message are those of promptflow-core 1.18.5 (`extension/azureml_extension.py`,
`_workspace_connection_provider.py`), whose AzureML extension was run against a simulator to see them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple

from pfdoctor.simulator.dataplane import Deployment, Endpoint, Endpoints

API_VERSION = "2023-04-01-preview"  # fixed in promptflow-core, whatever the workspace supports

ACCESS_DENIED = (
    "Access denied to list workspace secret due to invalid authentication. "
    "Please ensure you have gain RBAC role 'Azure Machine Learning Workspace Connection Secrets Reader' "
    "for current workspace, and wait for a few minutes to make sure the new role takes effect. "
)

# What the simulator's identity endpoint answers, in the words that azure-identity wraps around it.
NO_TOKEN = (
    "App Service managed identity configuration not found in environment. Token request error: (invalid_scope) 400, "
    "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
)

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_DELAYS = (3, 6, 12)  # seconds that promptflow sleeps between its four tries; the stand-in only says so

_WORKSPACE = re.compile(
    r"azureml:/{1,2}subscriptions/([^/]+)/resource(?:groups|Groups)/([^/]+)"
    r"(?:/providers/Microsoft\.MachineLearningServices)?/workspaces/([^/]+)"
)
_DEPLOYMENT = re.compile(
    "/subscriptions/(.*)/resourceGroups/(.*)/providers/Microsoft.MachineLearningServices/workspaces/(.*)"
    "/onlineEndpoints/(.*)/deployments/(.*)"
)


class ServingError(Exception):
    """An exception of the serving app: `kind` is its class, `code` what its JSON answer calls it.

    `bases` are the classes between the two, as its log nests them.
    """

    def __init__(self, kind: str, message: str, code: str = "UserError", bases: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code
        self.bases = bases

    @property
    def status(self) -> int:
        """What the app answers when a request raises it."""
        if self.kind.endswith("NotAcceptable"):
            return 406
        return 400 if self.code == "UserError" else 500


class AccessDeniedError(ServingError):
    """The one failure that the app tolerates at start, and tries again at each request."""

    def __init__(self) -> None:
        kind = "promptflow.core._errors.OpenURLUserAuthenticationError"
        super().__init__(kind, ACCESS_DENIED, bases=("UserAuthenticationError",))


class Workspace(NamedTuple):
    """The workspace that is asked, as the deployment names it; it need not exist."""

    subscription: str
    group: str
    name: str

    @property
    def resource_id(self) -> str:
        """Its ARM id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    @property
    def provider(self) -> str:
        """What the app's log calls it."""
        return f"azureml:/{self.resource_id}"


class Lookups(NamedTuple):
    """What is to be asked at Azure."""

    workspace: Workspace | None
    """None where the deployment brings all its connections along."""
    names: tuple[str, ...]


def lookups(deployment: Deployment, connections: Iterable[str]) -> Lookups:
    """Which connections the app will ask which workspace for; raises what the app dies of where it cannot tell."""
    variables = deployment.environment_variables
    if _setting(variables, "PROMPTFLOW_ENCODED_CONNECTIONS"):
        return Lookups(None, ())
    return Lookups(_workspace(deployment), tuple(dict.fromkeys(_names(variables, connections))))


def resolve(endpoint: Endpoint, deployment: Deployment, wanted: Lookups, endpoints: Endpoints) -> Iterator[str]:
    """Ask for every connection; yields what the app logs meanwhile, raises what it raises."""
    if wanted.workspace is None or not wanted.names:
        return
    principal = endpoint.identity.principal(deployment.environment_variables.get("AZURE_CLIENT_ID"))
    if principal is None:
        for delay in _DELAYS:
            yield f"[promptflow._utils.retry_utils][WARNING] - <class 'Exception'>, Retrying in {2 * delay} seconds..."
        raise ServingError("promptflow.exceptions.UserErrorException", NO_TOKEN)
    for name in wanted.names:
        status = endpoints.list_secrets(principal, wanted.workspace.resource_id, name)
        reason = _reason(status)
        if status in _RETRIED:
            for delay in _DELAYS:
                yield (
                    f"[promptflow._utils.retry_utils][WARNING] - Retryable error code {status} returned, retrying in "
                    f"{delay} seconds. Function request, Reason: {reason}"
                )
        if status == 403:
            raise AccessDeniedError
        if status != 200:
            raise _failed(wanted.workspace, name, status, reason)


def _failed(workspace: Workspace, name: str, status: int, reason: str) -> ServingError:
    url = (
        f"/subscriptions/{workspace.subscription}/resourcegroups/{workspace.group}/providers/"
        f"Microsoft.MachineLearningServices/workspaces/{workspace.name}/connections/{name}/listsecrets"
        f"?api-version={API_VERSION}"
    )
    message = f"Open url {url} failed with status code: {status}, action: listsecrets, reason: {reason}"
    if status == 404:
        return ServingError("promptflow.core._errors.OpenURLNotFoundError", message)
    if 400 <= status < 500:
        return ServingError("promptflow.core._errors.OpenURLFailedUserError", message)
    return ServingError("promptflow.exceptions.SystemErrorException", message, code="SystemError")


def _workspace(deployment: Deployment) -> Workspace:
    """From PROMPTFLOW_CONNECTION_PROVIDER, else PRT_CONFIG_OVERRIDE, else the deployment's own resource id."""
    variables = deployment.environment_variables
    if provider := _setting(variables, "PROMPTFLOW_CONNECTION_PROVIDER"):
        return _named_by_provider(provider)
    if override := variables.get("PRT_CONFIG_OVERRIDE"):
        return _named_by_override(override)
    match = _DEPLOYMENT.match(variables.get("AML_DEPLOYMENT_RESOURCE_ID", deployment.resource_id))
    if match is None:
        raise ServingError("AttributeError", "'NoneType' object has no attribute 'groups'", code="SystemError")
    return Workspace(match[1], match[2], match[3])


def _named_by_provider(provider: str) -> Workspace:
    if not provider.startswith("azureml"):
        raise ServingError(
            "promptflow.core._errors.UnsupportedConnectionProviderConfig",
            f"Unsupported connection provider config: {provider}, only 'local' and "
            "'azureml://subscriptions/<your-subscription>/resourceGroups/<your-resourcegroup>/"
            "providers/Microsoft.MachineLearningServices/workspaces/<your-workspace>' are expected as value.",
        )
    match = _WORKSPACE.fullmatch(provider)
    if match is None:
        raise ServingError(
            "promptflow.core._errors.MalformedConnectionProviderConfig",
            "Malformed connection provider config, expected azureml://subscriptions/<subscription_id>/"
            "resourceGroups/<resource_group>/providers/Microsoft.MachineLearningServices/"
            f"workspaces/<workspace_name>, got {provider}",
        )
    return Workspace(match[1], match[2], match[3])


def _named_by_override(override: str) -> Workspace:
    """The app's own splitting, at every comma and equals sign, blanks kept: what it cannot find it calls None."""
    pairs = [setting.split("=") for setting in override.split(",")]
    if any(len(pair) < 2 for pair in pairs):
        raise ServingError("IndexError", "list index out of range", code="SystemError")
    settings = {pair[0]: pair[1] for pair in pairs}
    names = ("subscription_id", "resource_group", "workspace_name")
    return Workspace(*(settings.get(f"deployment.{name}", "None") for name in names))


def _names(variables: Mapping[str, str], connections: Iterable[str]) -> Iterator[str]:
    """What is left to ask for: a variable of the connection's name replaces it (JSON), or names another one."""
    for connection in connections:
        override = variables.get(connection.replace(" ", "_"))
        if override is None:
            yield connection
            continue
        try:
            data = json.loads(override)
        except ValueError:
            yield override
            continue
        if not (isinstance(data, dict) and "properties" in data):
            raise ServingError(
                "promptflow.core._serving._errors.InvalidConnectionData",
                f"Invalid connection data detected while overriding connection {connection}.",
            )


def _setting(variables: Mapping[str, str], name: str) -> str | None:
    """A variable under its name, or under the older one with PF_."""
    return variables.get(name, variables.get(name.replace("PROMPTFLOW_", "PF_")))


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
