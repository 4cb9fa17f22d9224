"""Finds what cases are made of: flow folders, and YAML files that are deployments, endpoints, environments, models …"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import FLOW_FILES
from pfdoctor.collect.folder.section import Section
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Dialect, YamlError, read

SKIPPED_FOLDERS = frozenset(
    "node_modules __pycache__ .git .hg .svn .venv venv site-packages .tox .nox .mypy_cache .ruff_cache .pytest_cache "
    ".ipynb_checkpoints .promptflow .azureml .idea .vscode dist-info".split()
)
_YAML = (".yaml", ".yml")
_MAX_ENTRIES = 500_000

# a cheap look at the text before it is parsed: repositories hold many YAML files that are none of ours
_OURS = Pattern(
    r"azuremlschemas|endpoint_name|instance_type|inference_config|auth_mode|conda_file|azureml[:.]|promptflow|api_base"
    r"|custom_model|mlflow_model|endpointComputeType|authMode|MachineLearningServices|\bAADToken\b|dockerfile_path|api_key"
)
_ROLE = Pattern(r'"(?:Not|Data)?[Aa]ctions"|Microsoft\.MachineLearning')
_TOGETHER = "is read together with the flow or environment that names it: check the folder of that one"
# files that say nothing by themselves
_PART = Pattern(
    r"(?:\S*\.)?dockerfile(?:\.\S*)?|\S*requirements\S*\.(?:txt|in)|\S+\.(?:py|jinja2|j2)|pyproject\.toml|\.env",
    re.IGNORECASE,
)
_ROLE_NAME = Pattern(r"role|permission|rbac", re.IGNORECASE)
_ARM_NAME = Pattern(r"deploy|endpoint|environment|connection|role|permission|rbac", re.IGNORECASE)


class Definition(NamedTuple):
    """A YAML mapping that defines something: its kind (deployment, endpoint, environment, model), file and flavour."""

    kind: str
    path: Path
    section: Section
    flavour: str = ""


class Inventory:
    """Everything that was found. `documents` are files that look like ours and could not be read, by file name."""

    def __init__(self) -> None:
        self.flows: list[tuple[Path, Path | None]] = []
        self.flow_folders: set[Path] = set()
        self.definitions: list[Definition] = []
        self.connections: list[dict[str, Json]] = []
        self.roles: list[dict[str, Json]] = []
        self.documents: list[dict[str, Json]] = []
        self.problems: list[dict[str, Json]] = []

    def of(self, kind: str) -> list[Definition]:
        return [one for one in self.definitions if one.kind == kind]


def discover(tree: Tree, path: Path, inventory: Inventory) -> None:
    """Adds to the inventory what the path holds: a folder with everything below, or one file."""
    if os.path.isfile(path):
        _file(tree, path, inventory)
        return
    for folder, names in _walk(tree, path, inventory):
        _folder(tree, folder, names, inventory)


def _walk(tree: Tree, top: Path, inventory: Inventory) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the names of their files, in sorted order; a link that leads back up is noted, not followed."""
    entries = 0
    stack: list[tuple[str, frozenset[str]]] = [(str(top), frozenset((os.path.realpath(top),)))]
    while stack:
        folder, above = stack.pop()
        files: list[str] = []
        folders: list[tuple[str, frozenset[str]]] = []
        try:
            with os.scandir(folder) as found:
                listed = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            inventory.problems.append(
                _problem(tree, folder, "unreadable", f"cannot be listed: {error.strerror or error}")
            )
            continue
        entries += len(listed)
        if entries > _MAX_ENTRIES:
            inventory.problems.append(
                _problem(tree, folder, "too-large", f"more than {_MAX_ENTRIES:,} files: the rest was not examined")
            )
            return
        for entry in listed:
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False
            if not is_folder:
                files.append(entry.name)
            elif entry.name not in SKIPPED_FOLDERS and not entry.name.endswith((".egg-info", ".dist-info")):
                real = os.path.realpath(entry.path)
                refused = _refused_link(tree, entry, real, above) if entry.is_symlink() else None
                if refused is not None:
                    inventory.problems.append(refused)
                else:
                    folders.append((entry.path, above | {real}))
        yield Path(folder), files
        stack += reversed(folders)


def _refused_link(tree: Tree, entry: os.DirEntry[str], real: str, above: frozenset[str]) -> dict[str, Json] | None:
    """Why a symbolic link to a folder is not followed, or None."""
    if real in above:
        return _problem(tree, entry.path, "symlink-loop", "a link to a folder above it: not followed")
    if not tree.inside(entry.path):
        return _problem(tree, entry.path, "outside-boundary", "a link out of the read boundary: not followed")
    return None


def _problem(tree: Tree, path: str, code: str, detail: str) -> dict[str, Json]:
    return {"path": tree.name(path), "problem": code, "detail": detail}


def _folder(tree: Tree, folder: Path, names: list[str], inventory: Inventory) -> None:
    if any(name in names for name in FLOW_FILES):
        inventory.flows.append((folder, None))
        inventory.flow_folders.add(folder)
    else:
        for name in names:
            if name.endswith(".prompty") and not _inside_flow(folder, inventory):
                inventory.flows.append((folder, folder / name))
    for name in names:
        is_yaml = name.endswith(_YAML) and name not in FLOW_FILES
        if is_yaml or (name.endswith(".json") and _ARM_NAME.search(name) and not name.endswith(".schema.json")):
            _yaml(tree, folder / name, inventory)


def _inside_flow(folder: Path, inventory: Inventory) -> bool:
    """Whether a flow folder lies above: a .prompty there is a part of that flow."""
    return any(parent in inventory.flow_folders for parent in folder.parents)


def _file(tree: Tree, path: Path, inventory: Inventory) -> None:
    if path.name in FLOW_FILES:
        several = sum(name in FLOW_FILES for name in tree.listing(path.parent) or ()) > 1
        inventory.flows.append((path.parent, path if several else None))
    elif path.suffix == ".prompty":
        inventory.flows.append((path.parent, path))
    elif path.suffix in (*_YAML, ".json"):
        before = (
            len(inventory.definitions) + len(inventory.connections) + len(inventory.roles) + len(inventory.documents)
        )
        _yaml(tree, path, inventory, certain=True)
        after = (
            len(inventory.definitions) + len(inventory.connections) + len(inventory.roles) + len(inventory.documents)
        )
        if before == after:
            inventory.problems.append(
                _problem(
                    tree,
                    str(path),
                    "not-ours",
                    _TOGETHER
                    if _is_conda(tree, path)
                    else "is no flow, deployment, endpoint, environment, model, connection or role definition",
                )
            )
    elif any(name in (tree.listing(path.parent) or ()) for name in FLOW_FILES):
        # a tool, a template or requirements of a flow: the flow is what can be examined
        inventory.flows.append((path.parent, None))
    else:
        detail = _TOGETHER if _PART.fullmatch(path.name) else "is no file of a flow or of a deployment"
        inventory.problems.append(_problem(tree, str(path), "not-ours", detail))


def _is_conda(tree: Tree, path: Path) -> bool:
    text = tree.read(path)
    try:
        documents = [] if isinstance(text, Problem) else read(text.text, Dialect.AZURE)
    except YamlError:
        return False
    return any(isinstance(one.value, dict) and "dependencies" in one.value for one in documents)


def _yaml(tree: Tree, path: Path, inventory: Inventory, *, certain: bool = False) -> None:
    """Reads a YAML or JSON file that may define something. `certain`: the user named it, so say what hinders."""
    text = tree.read(path)
    name = tree.name(path)
    likely = certain or _ARM_NAME.search(path.name) is not None
    if isinstance(text, Problem):
        if likely and path.suffix in _YAML and (certain or text.code != "outside-boundary"):
            inventory.documents.append(text.fact(name, role_of(path.name, "")))
        return
    if not certain and _OURS.search(text.text) is None and _ROLE.search(text.text) is None:
        return
    try:
        documents = read(text.text, Dialect.AZURE)
    except YamlError as error:
        if (likely or "azuremlschemas" in text.text) and path.suffix in _YAML:
            role = role_of(path.name, text.text)
            if role != "unknown" or certain:
                code = "template" if "{{" in text.text or "{%" in text.text else error.code
                inventory.documents.append(Problem(code, error.detail, error.line).fact(name, role))
        return
    before = len(inventory.definitions)
    for document in documents:
        if isinstance(document.value, dict):
            _definition(path, name, Section(document, (), document.value), inventory)
    if len(inventory.definitions) > before:
        kind = inventory.definitions[before].kind
        problems = [text.problem] if text.problem is not None else []
        if len(documents) > 1:
            place = documents[1].place()
            problems.append(Problem("several-documents", "holds several YAML documents", place[0] if place else 1))
        for document in documents:
            problems += [
                Problem("duplicate-key", f"the key {key!r} appears twice", line) for key, line in document.duplicates
            ]
        inventory.documents += [problem.fact(name, kind) for problem in problems]


def _definition(path: Path, name: str, section: Section, inventory: Inventory) -> None:
    kind, flavour, arm = classify(section.value)
    if kind is not None:
        if arm:
            section = Section(section.document, section.path, section.value, arm=True)
        inventory.definitions.append(Definition(kind, path, section, flavour))
        return
    # imported here: most folders define neither
    from pfdoctor.collect.folder.connection import read_connection
    from pfdoctor.collect.folder.role import read_role

    connection = read_connection(section.document, section.value, name)
    if connection is not None:
        inventory.connections.append(connection)
        return
    role = read_role(section.document, section.value, name)
    if role is not None:
        inventory.roles.append(role)


_SCHEMAS = (
    ("managedonlinedeployment", "deployment", "managed"),
    ("kubernetesonlinedeployment", "deployment", "kubernetes"),
    ("managedonlineendpoint", "endpoint", "managed"),
    ("kubernetesonlineendpoint", "endpoint", "kubernetes"),
    ("environment.schema", "environment", ""),
    ("model.schema", "model", ""),
)
_DEPLOYMENT_KEYS = frozenset(
    "endpoint_name instance_type instance_count request_settings code_configuration app_insights_enabled "
    "liveness_probe readiness_probe scale_settings environment_variables egress_public_network_access "
    "data_collector".split()
)
# what a connection has besides auth_mode, and an endpoint has not
_CONNECTION_KEYS = frozenset(
    "api_base api_key api_type api_version endpoint target credentials configs secrets".split()
)
_MODEL_KEYS = frozenset(
    "$schema name version path type description properties tags flavors stage id model_format datastore".split()
)
_BATCH = frozenset(("mini_batch_size", "max_concurrency_per_instance", "output_action", "resources", "compute"))


def classify(value: dict[str, Json]) -> tuple[str | None, str, bool]:
    """What a mapping defines: (kind, flavour, whether in the ARM dialect), or (None, "", False).

    `$schema` decides where it names one of ours; else the keys do, and they must leave no doubt.
    """
    properties = value.get("properties")
    arm_type = str(value.get("type", "")).lower()
    if isinstance(properties, dict) and (
        "microsoft.machinelearningservices/" in arm_type
        or "endpointComputeType" in properties
        or "authMode" in properties
    ):
        return _classify_arm(arm_type, properties)
    schema = str(value.get("$schema", "")).lower()
    if "batch" in schema or "pipelinejob" in schema or "commandjob" in schema:
        return None, "", False
    for marker, kind, flavour in _SCHEMAS:
        if marker in schema:
            return kind, flavour, False
    keys = set(value)
    if "nodes" in keys or "jobs" in keys or "services" in keys or "steps" in keys or "kind" in keys or "stages" in keys:
        return None, "", False
    if (
        keys & {"model", "environment", "code_configuration"}
        and len(keys & _DEPLOYMENT_KEYS) >= 2
        and not keys & (_BATCH - {"resources"})
    ):
        kubernetes = str(value.get("type", "")).lower() == "kubernetes" or "resources" in keys
        return "deployment", "kubernetes" if kubernetes else "managed", False
    authenticates = str(value.get("auth_mode", "")).lower() in ("key", "aml_token", "aad_token")
    if authenticates and "inputs" not in keys and not keys & _CONNECTION_KEYS:
        return "endpoint", "kubernetes" if "compute" in keys else "managed", False
    if _is_environment(value, keys):
        return "environment", "", False
    path = value.get("path")
    if (
        keys <= _MODEL_KEYS
        and isinstance(path, str)
        and (
            str(value.get("type")) in ("custom_model", "mlflow_model", "triton_model")
            or _promptflow_property(properties)
        )
    ):
        return "model", "", False
    return None, "", False


def _is_environment(value: dict[str, Json], keys: set[str]) -> bool:
    from pfdoctor.collect.folder.environment import KEYS

    if not keys <= KEYS | {
        "inferenceConfig",
        "live_route",
        "liveness_route",
        "readiness_route",
        "scoring_route",
    }:
        return False
    if keys & {"inference_config", "inferenceConfig", "conda_file"}:
        return bool(keys & {"name", "image", "build", "conda_file"})
    build = value.get("build")
    return "name" in keys and isinstance(build, dict) and bool({"path", "dockerfile_path"} & set(build))


def _promptflow_property(properties: Json) -> bool:
    return isinstance(properties, dict) and any(str(key).startswith("azureml") for key in properties)


def _classify_arm(arm_type: str, properties: dict[str, Json]) -> tuple[str | None, str, bool]:
    compute = str(properties.get("endpointComputeType", "")).lower()
    flavour = "kubernetes" if compute == "kubernetes" else "managed"
    if arm_type.endswith("/onlineendpoints/deployments") or compute:
        return "deployment", flavour, True
    if arm_type.endswith("/onlineendpoints") or "authMode" in properties:
        return "endpoint", flavour, True
    if arm_type.endswith("/environments/versions"):
        return "environment", "", True
    if arm_type.endswith("/models/versions"):
        return "model", "", True
    return None, "", False


def role_of(name: str, text: str) -> str:
    """What a file that cannot be parsed was meant to be, by its $schema line, else by its name."""
    schema = re.search(r"azuremlschemas\S*/(\w+)\.schema\.json", text)
    hint = (schema[1] if schema else name).lower()
    for word in ("deployment", "endpoint", "environment", "connection", "model"):
        if word in hint:
            return word
    return "unknown"
