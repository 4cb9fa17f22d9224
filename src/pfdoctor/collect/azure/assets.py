"""The environment version and the model version that a deployment pins."""

from __future__ import annotations

import asyncio

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Reading
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import ML, last
from pfdoctor.collect.azure.body import Body, sourced, unread
from pfdoctor.collect.azure.deployment import AssetId
from pfdoctor.collect.image import read_image
from pfdoctor.collect.inference_config import ROUTES, deviations, port_of
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_PYTHON = Pattern(r"^\s*-\s*[\"']?python\s*=+\s*(?P<version>3\.\d+)", 8)  # re.MULTILINE
_PIP = Pattern(r"^\s*-\s*[\"']?pip\b", 8)
_DATASTORE = Pattern(r"/datastores/(?P<name>[^/]+)/paths/", 2)  # re.IGNORECASE
_ROUTES_OF_AZURE = ("liveness", "readiness", "scoring")
_BLOB = Pattern(r"https://(?P<account>[^./]+)\.(?:blob|dfs)\.[^/]+/(?P<container>[^/?]+)")


def _registry_unknown(asset: AssetId, what: str) -> Json:
    detail = f"the {what} {asset.name} is in the registry {asset.registry}, which is not read"
    return Unknown("in-registry", detail).to_json()


async def _is_gone(reader: Reader, workspace: str, reading: Reading) -> bool:
    """Whether an asset that was asked for does not exist: it was not found, and its workspace was."""
    if not reading.is_missing:
        return False
    around = await reader.get(workspace, versions.WORKSPACE, f"{ML}/workspaces/read")
    return around.unknown is None


async def read_environment(reader: Reader, workspace: str, named: Json, asset: AssetId | None) -> Json:
    """The facts `environment`. `named` is what the deployment says; null when it pins none."""
    if asset is None:
        return None if named["kind"] == "none" else named["kind"]
    if asset.registry is not None:
        return _registry_unknown(asset, "environment")
    container = f"{workspace}/environments/{asset.name}"
    if asset.version is None:
        detail = f"the deployment names the environment {asset.name} without a version"
        return Unknown("no-version", detail).to_json()
    path = f"{container}/versions/{asset.version}"
    needed = f"{ML}/workspaces/environments/read"
    reading, latest = await asyncio.gather(
        reader.get(path, versions.ASSET, f"{ML}/workspaces/environments/versions/read"),
        reader.get(container, versions.ASSET, needed),
    )
    if reading.body is None:
        if await _is_gone(reader, workspace, reading):
            return None
        return unread(reading, f"the environment {asset.name}:{asset.version}")
    facts = _environment(Body(reading.body), asset, path, latest)
    facts["latest_has_routes"] = await _has_routes(reader, container, asset.version, facts["latest_version"])
    return sourced(facts, reading.source)


async def _has_routes(reader: Reader, container: str, version: str, latest: Json) -> Json:
    """Whether the newest version of an environment can serve; null where it is the one at hand."""
    if not isinstance(latest, str) or latest == version:
        return None if isinstance(latest, str) else latest
    needed = f"{ML}/workspaces/environments/versions/read"
    reading = await reader.get(f"{container}/versions/{latest}", versions.ASSET, needed)
    if reading.body is None:
        return unread(reading, f"the newest version {latest} of the environment")
    config = Body(reading.body).child("properties").child("inferenceConfig")
    return not config.is_absent and not any(config.child(f"{one}Route").is_absent for one in _ROUTES_OF_AZURE)


def _environment(body: Body, asset: AssetId, path: str, latest: Reading) -> dict[str, Json]:
    properties = body.child("properties")
    image = properties.text("image")
    read = read_image(image) if isinstance(image, str) else image
    build = properties.child("build")
    base = read
    if read is None and not build.is_absent:
        base = Unknown("remote", "the image is built from a context that is not downloaded").to_json()
    family = base.get("family") if isinstance(base, dict) and "$unknown" not in base else base
    newest = latest.unknown.to_json() if latest.unknown else Body(latest.body).child("properties").text("latestVersion")
    return {
        "name": asset.name,
        "version": asset.version,
        "file": None,
        "inline": False,
        "image": read,
        "build": _build(build),
        "conda_file": _conda(properties),
        "inference_config": _inference_config(properties.child("inferenceConfig")),
        "misplaced": [],
        "base_image": base,
        "unknown_keys": [],
        "environment_variables": _variables(properties),
        "built_on_promptflow": family if isinstance(family, dict) else family == "promptflow",
        "id": path,
        "provisioning_state": properties.text("provisioningState"),
        "latest_version": newest,
        "anonymous": properties.boolean("isAnonymous"),
        "asset_registry": None,
    }


def _variables(properties: Body) -> Json:
    return properties.map("environmentVariables")


def _build(build: Body) -> Json:
    if build.is_absent:
        return None
    remote = Unknown("remote", "the build context lies in a storage account and is not downloaded").to_json()
    return {
        "path": build.text("contextUri"),
        "path_exists": remote,
        "dockerfile_path": build.text("dockerfilePath") or "Dockerfile",
        "dockerfile_exists": remote,
        "dockerfile_actual": None,
    }


def _conda(properties: Body) -> Json:
    """The conda specification, which the service keeps as the text of its file."""
    text = properties.text("condaFile")
    if not isinstance(text, str):
        return text
    python = _PYTHON.search(text)
    return {
        "path": None,
        "exists": True,
        "python": python["version"] if python is not None else None,
        "has_pip": _PIP.search(text) is not None,
    }


def _inference_config(config: Body) -> Json:
    if config.is_absent:
        return None
    facts: dict[str, Json] = {}
    for name, key in zip(ROUTES, ("livenessRoute", "readinessRoute", "scoringRoute"), strict=True):
        route = config.child(key)
        facts[name] = None if route.is_absent else {"port": port_of(route.raw("port")), "path": route.text("path")}
    facts["deviations"] = [
        text
        for name in ROUTES
        if facts[name] is not None and not isinstance(facts[name]["path"], dict)
        for text in deviations(name, facts[name])
    ]
    return facts


async def read_model(reader: Reader, workspace: str, named: Json, asset: AssetId | None) -> Json:
    """The facts `model`. `named` is what the deployment says; null when it pins none."""
    if asset is None:
        return None if named["kind"] == "none" else named["kind"]
    if asset.registry is not None:
        return _registry_unknown(asset, "model")
    if asset.version is None:
        return Unknown("no-version", f"the deployment names the model {asset.name} without a version").to_json()
    path = f"{workspace}/models/{asset.name}/versions/{asset.version}"
    reading = await reader.get(path, versions.ASSET, f"{ML}/workspaces/models/versions/read")
    if reading.body is None:
        if await _is_gone(reader, workspace, reading):
            return None
        return unread(reading, f"the model {asset.name}:{asset.version}")
    return sourced(_model(Body(reading.body), asset, path), reading.source)


def _model(body: Body, asset: AssetId, path: str) -> dict[str, Json]:
    properties = body.child("properties")
    uri = properties.text("modelUri")
    store = _DATASTORE.search(uri) if isinstance(uri, str) else None
    blob = _BLOB.match(uri) if isinstance(uri, str) else None
    remote = Unknown("remote", "the model's files lie in a storage account and are not downloaded").to_json()
    kind = properties.lower("modelType")
    return {
        "name": asset.name,
        "version": asset.version,
        "file": None,
        "inline": False,
        "type": "custom_model" if kind is None else kind,
        "path": uri,
        "path_exists": remote if uri is not None else None,
        "is_remote": uri is not None,
        "properties": properties.map("properties"),
        "folder": None,
        "flow_folders": remote,
        "entries": remote,
        "id": path,
        "datastore": store["name"] if store is not None else None,
        "storage_account": blob["account"] if blob is not None else None,
        "container": blob["container"] if blob is not None else None,
        "asset_registry": last(asset.registry),
    }
