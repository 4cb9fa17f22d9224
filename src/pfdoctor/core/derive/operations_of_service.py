"""The operations that the service itself needs for an endpoint: connections, secrets, image, model, metrics, telemetry.

Which operation is checked as which action at which scope is documented or was read in code; sources: Microsoft's
"Authentication and authorization for online endpoints", "Secret injection in online endpoints", the permissions
reference of each resource provider, and promptflow-core 1.18.5 (azureml_extension.py, _open_url).
"""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.access.reading import elements, field, text
from pfdoctor.core.derive.operation import (
    BLOBS,
    ML,
    NO_SUCH_RESOURCE,
    REGISTRIES,
    Operation,
    container_of,
    default_container,
    resource_id,
    vault_operation,
    workspace,
)
from pfdoctor.core.derive.usage import Usage
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

REPOSITORIES = "Microsoft.ContainerRegistry/registries/repositories"
_VAULT_REFERENCE = Pattern(r"\$\{\{keyvault:https://([^/.{}\s]+)\.")
MICROSOFTS_REGISTRIES = frozenset(("azureml", "azureml-meta", "azure-openai", "azureml-restricted", "azureml-msr"))
"""Open to everyone."""


def service_operations(usage: Usage) -> Iterator[Operation]:
    """What the service needs, whatever the tools of the flow are."""
    yield from _connection_secrets(usage)
    yield from _secret_injection(usage)
    yield from _image(usage)
    yield from _registry_assets(usage)
    yield from _downloads(usage)
    yield from _background(usage)


# ------------------------------------------------------------------------------------------------------- connections


def _connection_secrets(usage: Usage) -> Iterator[Operation]:
    named = usage.fact("connection_workspace")
    scope = workspace(usage) if named is None else resource_id(usage, "connection_workspace", "id")
    used = usage.connections()
    needed, why = _needs_connections(usage)
    yield Operation(
        "connection-secrets",
        f"{ML}/connections/listsecrets/action",
        scope,
        needed,
        why,
        "request",
        target=", ".join(used.names) or None,
        elsewhere=why if needed is False else None,
    )


def _needs_connections(usage: Usage) -> tuple[Json, str]:
    """Whether the serving app asks the workspace for connections, and why."""
    if usage.is_logged("connections/listsecrets/action", "list workspace secret"):
        return True, "A log shows that the serving app asked for the secrets of a connection."
    if isinstance(usage.variable("PROMPTFLOW_ENCODED_CONNECTIONS"), str):
        return False, "PROMPTFLOW_ENCODED_CONNECTIONS gives the connections, so the workspace is not asked."
    if usage.variable("PROMPTFLOW_CONNECTION_PROVIDER") == "local":
        return False, "PROMPTFLOW_CONNECTION_PROVIDER is local, so the workspace is not asked."
    used = usage.connections()
    overridden = {name: usage.overrides(name) for name in used.names}
    asked = [name for name, by_variable in overridden.items() if by_variable is False]
    if asked:
        names = ", ".join(asked)
        return True, f"The serving app reads the secrets of the connections that the flow names: {names}."
    unclear = next((one for one in overridden.values() if isinstance(one, Unknown)), used.why_incomplete)
    if unclear is not None:
        return unclear, "The serving app reads the secrets of every connection that the flow names."
    if used.names:
        return False, "Environment variables stand for all connections of the flow."
    return False, "The flow names no connection."


def _secret_injection(usage: Usage) -> Iterator[Operation]:
    """Environment variables that the service fills with secrets when the deployment is created."""
    variables = usage.variables()
    from_connections = [name for name, value in variables.items() if value.strip().startswith("${{azureml://")]
    if from_connections:
        target = ", ".join(from_connections)
        why = f"Environment variables take secrets of connections: {target}."
        for key, action in (
            ("secret-injection-connections", f"{ML}/connections/listsecrets/action"),
            ("secret-injection-metadata", f"{ML}/metadata/secrets/read"),
        ):
            yield Operation(key, action, workspace(usage), True, why, "create", target=target)
    from_vaults = 0
    for name, value in variables.items():
        vault = _VAULT_REFERENCE.match(value.strip())
        if vault is not None:
            from_vaults += 1
            why = f"The environment variable {name} takes a secret of the key vault {vault[1]}."
            yield vault_operation(usage, "secret-injection-key-vault", vault[1], why, "create", name)
    unread = usage.why_variables_are_open()
    if unread is None:
        return
    why = "An environment variable that was not read may take a secret."
    if not from_connections:
        for key, action in (
            ("secret-injection-connections", f"{ML}/connections/listsecrets/action"),
            ("secret-injection-metadata", f"{ML}/metadata/secrets/read"),
        ):
            yield Operation(key, action, workspace(usage), unread, why, "create")
    if not from_vaults:
        yield vault_operation(usage, "secret-injection-key-vault", None, why, "create")._replace(needed=unread)


# ------------------------------------------------------------------------------------------------- image and assets


def _image(usage: Usage) -> Iterator[Operation]:
    environment = usage.fact("environment")
    needed, why = _needs_pull(usage, environment)
    if needed is None:
        return
    scope = resource_id(usage, "workspace", "container_registry", "id")
    store = usage.fact("workspace", "container_registry")
    mode = field(store, "role_assignment_mode")
    login = text(store, "login_server")
    host = None if _is_built(environment) else text(field(environment, "image"), "registry")
    is_elsewhere = host is not None and login is not None and host.lower() != login.lower()
    if needed is True and (is_elsewhere or (host is not None and scope == NO_SUCH_RESOURCE)):
        scope = Unknown("registry-unknown", f"the resource id of the registry {host} is not known")
        mode = Unknown("registry-unknown", f"whether {host} grants by repository is not known")
    elif scope == NO_SUCH_RESOURCE and needed is not False:
        # Azure makes the registry with the first image; a project builds into the registry of its hub
        scope = mode = Unknown(
            "registry-unknown", "which registry holds the image is not known: the workspace names none"
        )
    by_repository = isinstance(mode, str) and mode.lower() == "abacrepositorypermissions"
    if not by_repository:
        classic = mode if isinstance(mode, Unknown) and needed is True else needed
        action = "Microsoft.ContainerRegistry/registries/pull/read"
        elsewhere = why if needed is False else None
        yield Operation("image-pull", action, scope, classic, why, "create", target=host, elsewhere=elsewhere)
    if needed is not False and (by_repository or isinstance(mode, Unknown)):
        wanted = needed if by_repository else mode
        for key, action in (("content", f"{REPOSITORIES}/content/read"), ("metadata", f"{REPOSITORIES}/metadata/read")):
            why_so = f"{why} The registry grants by repository, so AcrPull and Reader have no effect."
            yield Operation(f"image-pull-{key}", action, scope, wanted, why_so, "create", data=True, target=host)


def _is_built(environment: Json) -> bool:
    """Whether the service builds the image, into the registry of the workspace."""
    return any(isinstance(field(environment, key), dict) for key in ("build", "conda_file"))


def _needs_pull(usage: Usage, environment: Json) -> tuple[Json, str]:
    """Whether the image lies in a private registry; (None, …) where there is nothing to tell."""
    if usage.is_logged("registries/pull/read", "registries/repositories/content/read"):
        return True, "A log shows that the image could not be pulled."
    if isinstance(environment, Unknown):
        return environment, "An image in a private registry is pulled by the endpoint's identity."
    if environment is None:
        return None, ""
    asset_registry = field(environment, "asset_registry")
    if isinstance(asset_registry, str):
        return None, ""
    if isinstance(asset_registry, Unknown):
        return asset_registry, "An environment of the workspace may have an image in a private registry."
    if _is_built(environment):
        return True, "The environment is built into an image in the workspace's registry."
    build, conda = field(environment, "build"), field(environment, "conda_file")
    host = text(field(environment, "image"), "registry")
    if host is None or isinstance(build, Unknown) or isinstance(conda, Unknown):
        reason = next((one for one in (build, conda) if isinstance(one, Unknown)), None)
        unread = reason or Unknown("image-unknown", "the registry of the image is not known")
        return unread, "An image in a private registry is pulled by the endpoint's identity."
    if host.lower().endswith((".azurecr.io", ".azurecr.cn", ".azurecr.us")):
        return True, f"The image lies in the private registry {host}."
    return False, f"The image comes from {host}, which is no Azure container registry of yours."


def _registry_assets(usage: Usage) -> Iterator[Operation]:
    """Models and environments of an Azure ML registry."""
    for part in ("model", "environment"):
        name = usage.fact(part, "asset_registry")
        if name is None or (isinstance(name, str) and name.lower() in MICROSOFTS_REGISTRIES):
            continue
        needed: Json = name if isinstance(name, Unknown) else True
        shown = name if isinstance(name, str) else None
        scope = Unknown("registry-unknown", f"the resource id of the Azure ML registry {shown or ''} is not known")
        why = f"The {part} comes from the Azure ML registry {shown}." if shown else f"Which {part} it is was not read."
        for key, action in (("registry-read", f"{REGISTRIES}/read"), ("registry-assets", f"{REGISTRIES}/assets/read")):
            yield Operation(f"{key}-{part}", action, scope, needed, why, "create", target=shown)


def _downloads(usage: Usage) -> Iterator[Operation]:
    """The model and the code, fetched by the storage-initializer when a container starts."""
    model = usage.fact("model")
    registry = field(model, "asset_registry")
    if model is not None and not isinstance(registry, str):
        # a model of an Azure ML registry is not in the workspace's storage
        needed: Json = registry if isinstance(registry, Unknown) else True
        why = "The storage-initializer downloads the model at every start of a container."
        scope = _model_container(usage, model)
        yield Operation(
            "model-download", f"{BLOBS}/read", scope, needed, why, "start", data=True, target=text(model, "name")
        )
    code = usage.fact("deployment", "code_id")
    if code is not None:
        why = "The storage-initializer downloads the scoring code at every start of a container."
        scope = default_container(usage)
        needed = code if isinstance(code, Unknown) else True
        yield Operation("code-download", f"{BLOBS}/read", scope, needed, why, "start", data=True)


def _model_container(usage: Usage, model: Json) -> Json:
    account, container = text(model, "storage_account"), text(model, "container")
    datastores, why = elements(usage.fact("datastores"))
    for store in datastores:
        if text(store, "name") == text(model, "datastore") and text(model, "datastore") is not None:
            return container_of(store)
        if container is not None and (text(store, "account"), text(store, "container")) == (account, container):
            return container_of(store)
    own = usage.fact("workspace", "storage")
    if account is not None and container is not None and text(own, "name") == account and text(own, "id"):
        return f"{text(own, 'id')}/blobServices/default/containers/{container}"
    return why or Unknown("model-storage-unknown", "the storage container of the model is not known")


# -------------------------------------------------------------------------------------------------------- background


def _background(usage: Usage) -> Iterator[Operation]:
    """Metrics, data collection and telemetry: without them the endpoint answers, but leaves no trace."""
    why = "The endpoint writes its CPU, memory and disk metrics; without it there are none, and requests are served."
    yield Operation(
        "metrics-write", f"{ML}/metrics/resource/write", workspace(usage), True, why, "background", through_arm=False
    )
    collected, why_open = elements(usage.fact("settings", "collected_names"))
    if collected or why_open is not None:
        why = "The data collector writes requests and answers to the workspace's default container."
        collector = usage.fact("deployment", "data_collector", "collections")
        own = any(field(one, "has_data") is True for one in elements(collector)[0])
        elsewhere = Unknown("collection-path", "a collection names a data asset of its own")
        scope = elsewhere if own else default_container(usage)
        needed: Json = True if collected else why_open
        yield Operation("data-collection", f"{BLOBS}/write", scope, needed, why, "background", data=True)
    yield from _telemetry(usage)


def _telemetry(usage: Usage) -> Iterator[Operation]:
    component = usage.fact("workspace", "application_insights")
    if component is not None:
        setting = usage.variable("APPLICATIONINSIGHTS_AUTHENTICATION_STRING")
        by_role = isinstance(setting, str) and "authorization=aad" in setting.lower().replace(" ", "")
        by_key = "The exporter sends telemetry with the key of its connection string; no role is asked for."
        yield Operation(
            "telemetry",
            "Microsoft.Insights/Telemetry/Write",
            resource_id(usage, "workspace", "application_insights", "id"),
            setting if isinstance(setting, Unknown) else component if isinstance(component, Unknown) else by_role,
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING makes the exporter sign in." if by_role else by_key,
            "background",
            data=True,
            through_arm=False,
            elsewhere=by_key if not by_role and not isinstance(setting, Unknown) else None,
        )
    exporter = usage.variable("OTEL_EXPORTER_OTLP_AAD_AUTH_ENABLE")
    if isinstance(exporter, Unknown) or str(exporter).lower() == "true":
        needed: Json = exporter if isinstance(exporter, Unknown) else True
        why = "OTEL_EXPORTER_OTLP_AAD_AUTH_ENABLE makes the exporter sign in to its collector."
        scope = Unknown("collector-unknown", "which permission the OpenTelemetry collector asks for is not known")
        yield Operation("telemetry-otlp", "", scope, needed, why, "background", data=True, through_arm=False)
