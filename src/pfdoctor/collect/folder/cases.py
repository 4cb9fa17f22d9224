"""Joins what was found into cases: a deployment with its endpoint, environment, model and flow, and what is left.

What reads definitions is imported where one is read: a flow alone needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pfdoctor.collect.folder.discover import Definition, Inventory
from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.flow import read_flow
from pfdoctor.collect.folder.gathered import FLOW_FILES, Gathered
from pfdoctor.collect.folder.requirements_facts import RequirementsCollector
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.folder.settle import excerpts, settle
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.redact import find_secrets
from pfdoctor.yaml_document import Dialect, YamlError, read

if TYPE_CHECKING:
    from pfdoctor.collect.folder.environment import EnvironmentFacts

_LIVE = "pfdoctor check FOLDER_OF_THE_FLOW FOLDER_OF_THE_DEPLOYMENT"

Note: TypeAlias = Callable[[str, Path, str], None]
"""Records a join: what was joined, where it is, and how that is known."""


def _not_found(what: str, why: str) -> Json:
    return Unknown("not-in-files", f"no {what} among the files: {why}", collect_command=_LIVE).to_json()


class CasePlan(NamedTuple):
    """One case before its files are read: which deployment, which flow, or which lone definition it is about."""

    kind: str
    path: Path
    deployment: Definition | None = None
    definition: Definition | None = None
    flow: tuple[Path, Path | None] | None = None


def plan_cases(inventory: Inventory, joiner: Joiner) -> list[CasePlan]:
    """Every case of the inventory: deployments first claim flows and definitions, the rest stand alone."""
    plans: list[CasePlan] = []
    claimed_flows: set[str] = set()
    claimed: set[int] = set()
    for deployment in inventory.of("deployment"):
        joined = joiner.join(deployment)
        plans.append(CasePlan("deployment", deployment.path, deployment=deployment, flow=joined.flow))
        if joined.flow is not None:
            claimed_flows.add(os.path.normpath(joined.flow[0]))
        claimed |= {id(one) for one in (joined.endpoint, joined.environment, joined.model) if one is not None}
    for folder, file in inventory.flows:
        if os.path.normpath(folder) not in claimed_flows or (file is not None and file.suffix == ".prompty"):
            plans.append(CasePlan("flow", file or folder, flow=(folder, file)))
            claimed |= {id(one) for one in joiner.models_of(folder)}
    for definition in inventory.definitions:
        if definition.kind != "deployment" and id(definition) not in claimed:
            plans.append(CasePlan(definition.kind, definition.path, definition=definition))
    return plans


class Joined(NamedTuple):
    """What belongs to a deployment, and how each was found."""

    endpoint: Definition | None
    environment: Definition | None
    model: Definition | None
    flow: tuple[Path, Path | None] | None
    joins: tuple[dict[str, Json], ...]


class Joiner:
    """Finds what a deployment refers to: by path wherever it may be read, by name among what was found."""

    def __init__(self, tree: Tree, inventory: Inventory) -> None:
        self._tree = tree
        self._known: dict[int, Joined] = {}
        self._by_name: dict[tuple[str, str | None], list[Definition]] = {}
        self._endpoints_in: dict[Path, list[Definition]] = {}
        self._models_at: dict[str, list[Definition]] | None = None
        self._models = inventory.of("model")
        for one in inventory.definitions:
            self._by_name.setdefault((one.kind, _last(one.section.text("name"))), []).append(one)
        for one in inventory.of("endpoint"):
            self._endpoints_in.setdefault(one.path.parent, []).append(one)

    def join(self, deployment: Definition) -> Joined:
        """Everything joined to the deployment; remembered."""
        known = self._known.get(id(deployment))
        if known is None:
            known = self._known[id(deployment)] = self._join(deployment)
        return known

    def _join(self, deployment: Definition) -> Joined:
        from pfdoctor.collect.folder.deployment import read_deployment

        joins: list[dict[str, Json]] = []
        here = self._tree.name(deployment.path)
        facts = read_deployment(self._tree, deployment.path.parent, deployment.section, here, deployment.flavour)

        def note(what: str, target: Path, how: str) -> None:
            joins.append({"from": here, "what": what, "to": self._tree.name(target), "how": how})

        endpoint = self._endpoint(deployment, facts["endpoint_name"], note)
        environment = self._asset(deployment, "environment", facts["environment"], note)
        model = self._asset(deployment, "model", facts["model"], note)
        flow = self._flow(deployment, model, note)
        return Joined(endpoint, environment, model, flow, tuple(joins))

    def _endpoint(self, deployment: Definition, name: str | None, note: Note) -> Definition | None:
        if name is not None:
            found = _nearest(deployment.path, self._by_name.get(("endpoint", name), []))
            if found is not None:
                note("endpoint", found.path, f"endpoint_name {name} is its name")
            return found
        beside = self._endpoints_in.get(deployment.path.parent, [])
        if len(beside) == 1:
            note("endpoint", beside[0].path, "the only endpoint definition beside it, and no endpoint_name is given")
            return beside[0]
        return None

    def _asset(self, deployment: Definition, kind: str, named: dict[str, Json], note: Note) -> Definition | None:
        if named["kind"] != "registered":
            return None
        name, version = named["name"], named["version"]
        candidates = self._by_name.get((kind, name), [])
        exact = [one for one in candidates if version is not None and one.section.text("version") == version]
        found = _nearest(
            deployment.path,
            exact or [one for one in candidates if version is None or one.section.text("version") is None],
        )
        if found is not None:
            given = found.section.text("version")
            how = (
                f"azureml:{name}:{version} is its name and version"
                if given == version and version
                else f"azureml:{name} is its name"
            )
            note(kind, found.path, how)
        return found

    def _flow(self, deployment: Definition, model: Definition | None, note: Note) -> tuple[Path, Path | None] | None:
        from pfdoctor.collect.folder.model import flow_folders

        facts, target = model_facts(self._tree, deployment, model)
        if target is not None:
            folders = flow_folders(self._tree, target)
            if len(folders) == 1:
                note("flow", folders[0], f"the model's path {facts['path']} holds it" if facts else "")
                return folders[0], None
            if target.is_file() and target.name in FLOW_FILES:
                note("flow", target, "the model's path names it")
                return target.parent, target
            return None
        if facts is not None and (
            facts["path"] is not None and not facts["is_remote"] and facts["path_exists"] is False
        ):
            return None
        return self._surrounding_flow(deployment, note)

    def _surrounding_flow(self, deployment: Definition, note: Note) -> tuple[Path, Path | None] | None:
        """The flow in whose folder the deployment lies, when the deployment speaks of prompt flow."""
        variables = deployment.section.child("environment_variables")
        text = " ".join(variables.value) if variables is not None else ""
        if "PROMPTFLOW" not in text and "PRT_CONFIG" not in text and "PF_" not in text:
            return None
        for parent in list(deployment.path.parents)[:3]:
            if not self._tree.inside(parent):
                return None
            if any(name in (self._tree.listing(parent) or ()) for name in FLOW_FILES):
                note("flow", parent, "the deployment lies in its folder and sets prompt flow variables")
                return parent, None
        return None

    def models_of(self, folder: Path) -> list[Definition]:
        """Model definitions whose path is the flow's folder."""
        if self._models_at is None:
            self._models_at = {}
            for one in self._models:
                target = model_facts(self._tree, None, one)[1]
                if target is not None:
                    self._models_at.setdefault(os.path.normpath(target), []).append(one)
        return self._models_at.get(os.path.normpath(folder), [])


def _last(name: str | None) -> str | None:
    return name.rpartition("/")[2] if name else name


def _nearest(path: Path, candidates: list[Definition]) -> Definition | None:
    """The candidate closest in the folder tree; None when two are equally close, for then nobody can tell."""
    if not candidates:
        return None
    ranked = sorted(candidates, key=lambda one: _distance(path, one.path))
    if len(ranked) > 1 and _distance(path, ranked[0].path) == _distance(path, ranked[1].path):
        return None
    return ranked[0]


def _distance(left: Path, right: Path) -> int:
    a, b = left.parent.parts, right.parent.parts
    shared = next((i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))
    return len(a) + len(b) - 2 * shared


def model_facts(
    tree: Tree, deployment: Definition | None, model: Definition | None
) -> tuple[dict[str, Json] | None, Path | None]:
    """The model's facts and its local path: from the model file, or inline in the deployment; None without either."""
    from pfdoctor.collect.folder.model import read_model, read_path_model

    if model is not None:
        return read_model(tree, model.path.parent, model.section, tree.name(model.path), inline=False)
    if deployment is None:
        return None, None
    name = tree.name(deployment.path)
    section = deployment.section
    inner = section.child("model")
    if inner is not None:
        return read_model(tree, deployment.path.parent, inner, name, inline=True)
    text = section.text("model")
    if text is None:
        return None, None
    if text.startswith("file:") and text.endswith((".yml", ".yaml")):
        referred = _referred(tree, deployment.path.parent, text)
        if referred is not None:
            return read_model(tree, referred[0].parent, referred[1], tree.name(referred[0]), inline=False)
    if not text.startswith("azureml:") and "/subscriptions/" not in text:
        return read_path_model(tree, deployment.path.parent, text, name, section.place("model"))
    return None, None


def _referred(tree: Tree, folder: Path, text: str) -> tuple[Path, Section] | None:
    """The YAML file behind `file:path`, as azure-ai-ml resolves it."""
    path = Path(os.path.normpath(folder / text.removeprefix("file:")))
    content = tree.read(path)
    if isinstance(content, Problem):
        return None
    try:
        documents = read(content.text, Dialect.AZURE)
    except YamlError:
        return None
    if len(documents) == 1 and isinstance(documents[0].value, dict):
        return path, Section(documents[0], (), documents[0].value)
    return None


class CaseReader:
    """Reads the files of planned cases into facts."""

    def __init__(self, tree: Tree, inventory: Inventory, joiner: Joiner) -> None:
        self._tree = tree
        self._inventory = inventory
        self._joiner = joiner

    def read(self, plan: CasePlan) -> Facts:
        """The facts of one case."""
        view: dict[str, Json] = {}
        documents: list[dict[str, Json]] = []
        joins: tuple[dict[str, Json], ...] = ()
        environment: EnvironmentFacts | None = None
        if plan.deployment is not None:
            joins, environment = self._deployment(plan.deployment, view)
        elif plan.definition is not None:
            environment = self._definition(plan.definition, view)
        gathered = self._flow(plan, view)
        if gathered is not None:
            documents += gathered.documents
        if environment is not None:
            documents += environment.documents
        self._dockerfile(plan, view, environment, documents)
        requirements = self._requirements(plan, gathered, environment)
        view["requirements"] = requirements.facts() if requirements is not None else None
        documents += requirements.documents if requirements is not None else []
        view["connections"] = self._connections(plan, gathered)
        view["roles"] = []
        view["documents"] = list({(one["file"], one["problem"], one["detail"]): one for one in documents}.values())
        view["secrets"] = self._secrets(view, plan)
        return self._facts(plan, view, joins)

    def leftovers(self) -> Iterator[Facts]:
        """Cases for files that belong to no other: unreadable definitions, role definitions, lone connections."""
        by_file: dict[str, dict[str, list[Json]]] = {}
        for name, items in (
            ("documents", self._inventory.documents),
            ("roles", self._inventory.roles),
            (
                "connections",
                [{**one, "used_by": []} for one in self._inventory.connections if not self._beside_flow(one)],
            ),
        ):
            for item in items:
                by_file.setdefault(item["file"], {}).setdefault(name, []).append(item)
        for file, parts in sorted(by_file.items()):
            view: dict[str, Json] = dict.fromkeys(
                ("flow", "deployment", "endpoint", "environment", "model", "dockerfile", "requirements")
            )
            view |= {"documents": [], "roles": [], "connections": [], **parts}
            path = self._tree.root / file
            view["secrets"] = self._secrets(view, None)
            yield self._facts(CasePlan("file", path), view, ())

    def _facts(self, plan: CasePlan, view: dict[str, Json], joins: tuple[dict[str, Json], ...]) -> Facts:
        settled, origins = settle(view)
        name = self._tree.name(plan.path)
        # a lone folder outside of git is its own root: its name says more than a dot
        title = plan.path.name if name == "." else name
        texts = {}
        for file in {origin[0] for origin in origins.values()}:
            text = self._tree.read(self._tree.root / file)
            if not isinstance(text, Problem):
                texts[file] = text.text
        return Facts(
            {
                "schema": SCHEMA_NAME,
                "case": {"name": title, "kind": plan.kind, "file": name},
                "declared": settled,
                "origins": {"declared": origins},
                "excerpts": excerpts(origins, texts),
                "joins": list(joins),
            }
        )

    def _deployment(
        self, definition: Definition, view: dict[str, Json]
    ) -> tuple[tuple[dict[str, Json], ...], EnvironmentFacts | None]:
        from pfdoctor.collect.folder.deployment import read_deployment
        from pfdoctor.collect.folder.endpoint import read_endpoint

        tree, folder = self._tree, definition.path.parent
        name = tree.name(definition.path)
        joined = self._joiner.join(definition)
        deployment = read_deployment(tree, folder, definition.section, name, definition.flavour)
        view["deployment"] = deployment
        if joined.endpoint is not None:
            endpoint = joined.endpoint
            view["endpoint"] = read_endpoint(endpoint.section, tree.name(endpoint.path), endpoint.flavour)
        else:
            view["endpoint"] = _not_found("endpoint definition", f"none is joined to {name}")
        environment = self._environment(definition, joined.environment, deployment, view)
        model = model_facts(tree, definition, joined.model)[0]
        kind = deployment["model"]["kind"]
        if model is None and kind != "none":
            model = _not_found(
                "model definition", f"{deployment['model']['name'] or 'the model'} is registered elsewhere"
            )
        view["model"] = model
        return joined.joins, environment

    def _environment(
        self, definition: Definition, joined: Definition | None, deployment: dict[str, Json], view: dict[str, Json]
    ) -> EnvironmentFacts | None:
        from pfdoctor.collect.folder.environment import read_environment

        tree, folder = self._tree, definition.path.parent
        section = definition.section
        if section.arm:
            section = section.child("properties") or section
        inline = section.child("environment")
        text = section.text("environment")
        if inline is not None:
            name = tree.name(definition.path)
            facts = read_environment(tree, folder, inline, name, inline=True, outer=section)
        elif joined is not None:
            facts = _lone_environment(tree, joined)
        elif text is not None and text.startswith("file:") and (referred := _referred(tree, folder, text)) is not None:
            facts = read_environment(tree, referred[0].parent, referred[1], tree.name(referred[0]), inline=True)
            deployment["environment"]["kind"] = "inline"
        else:
            named = deployment["environment"]
            if named["kind"] == "none":
                view["environment"] = None
            else:
                detail = f"the environment {named['name'] or text} is registered elsewhere"
                view["environment"] = _not_found("environment definition", detail)
            return None
        view["environment"] = facts.environment
        return facts

    def _definition(self, definition: Definition, view: dict[str, Json]) -> EnvironmentFacts | None:
        """A definition that no deployment here uses; whether one elsewhere does is unknown."""
        from pfdoctor.collect.folder.endpoint import read_endpoint
        from pfdoctor.collect.folder.model import read_model

        tree = self._tree
        name = tree.name(definition.path)
        missing = _not_found("deployment definition", f"nothing here deploys {name}")
        view |= {"flow": None, "deployment": missing, "endpoint": None, "environment": None, "model": None}
        if definition.kind == "endpoint":
            view["endpoint"] = read_endpoint(definition.section, name, definition.flavour)
        elif definition.kind == "model":
            view["model"] = read_model(tree, definition.path.parent, definition.section, name, inline=False)[0]
        else:
            environment = _lone_environment(tree, definition)
            view["environment"] = environment.environment
            return environment
        return None

    def _flow(self, plan: CasePlan, view: dict[str, Json]) -> Gathered | None:
        if plan.flow is None:
            if plan.deployment is not None:
                view["flow"] = self._absent_flow(view)
            return None
        folder, file = plan.flow
        gathered = read_flow(self._tree, folder, file)
        view["flow"] = gathered.flow
        if plan.deployment is None:
            missing = _not_found("deployment definition", "the flow may be deployed from elsewhere")
            view |= {"deployment": missing, "endpoint": missing, "environment": missing, "model": missing}
            models = self._joiner.models_of(folder)
            if len(models) == 1:
                view["model"] = model_facts(self._tree, None, models[0])[0]
        return gathered

    def _absent_flow(self, view: dict[str, Json]) -> Json:
        """Null when the model's files are here and hold no flow, unknown when the model is elsewhere."""
        model = view["model"]
        if model is None or (isinstance(model, dict) and model.get("flow_folders") == []):
            return None
        return _not_found("flow", "the model that the deployment serves is not among them")

    def _dockerfile(
        self,
        plan: CasePlan,
        view: dict[str, Json],
        environment: EnvironmentFacts | None,
        documents: list[dict[str, Json]],
    ) -> None:
        """The Dockerfile of the environment; for a flow without a deployment, the one in its folder."""
        view["dockerfile"] = environment.dockerfile if environment is not None else None
        if environment is None and plan.flow is not None:
            path = plan.flow[0] / "Dockerfile"
            if self._tree.exists(path) and path.is_file():
                from pfdoctor.collect.folder.environment import dockerfile_facts

                view["dockerfile"] = dockerfile_facts(self._tree, path, documents)

    def _requirements(
        self, plan: CasePlan, gathered: Gathered | None, environment: EnvironmentFacts | None
    ) -> RequirementsCollector | None:
        collector = RequirementsCollector(self._tree)
        if gathered is not None and plan.flow is not None:
            block = gathered.flow.get("environment")
            if isinstance(block, dict) and "$unknown" not in block:
                self._flow_requirements(collector, gathered, plan.flow[0], block)
        if environment is not None:
            collector.add_environment(environment)
        return collector if gathered is not None or environment is not None else None

    def _flow_requirements(
        self, collector: RequirementsCollector, gathered: Gathered, folder: Path, block: dict[str, Json]
    ) -> None:
        named = block["python_requirements"]
        if named is not None:
            place = block["$at"].get("python_requirements_txt")
            collector.add_file(folder / named, "flow", named, place, gathered.flow["file"])
        elif block["requirements_file"] is not None:
            collector.add_file(folder / block["requirements_file"], "folder", block["requirements_file"])
        elif self._tree.exists(folder / "pyproject.toml"):
            collector.add_pyproject(folder / "pyproject.toml")

    def _beside_flow(self, connection: dict[str, Json]) -> bool:
        return any((self._tree.root / connection["file"]).is_relative_to(folder) for folder, _ in self._inventory.flows)

    def _connections(self, plan: CasePlan, gathered: Gathered | None) -> list[Json]:
        """Connection files below the flow's folder, and those elsewhere whose name the flow uses."""
        if gathered is None or plan.flow is None or not self._inventory.connections:
            return []
        from pfdoctor.collect.folder.connection import used_by

        nodes = gathered.flow.get("nodes")
        names = {node["connection"] for node in nodes if node["connection"]} if isinstance(nodes, list) else set()
        names |= {
            one["value"]
            for node in (nodes if isinstance(nodes, list) else ())
            for one in node["inputs"]
            if isinstance(one["value"], str)
        }
        folder = plan.flow[0]
        return [
            {**one, "used_by": used_by(one["name"], nodes if isinstance(nodes, list) else [])}
            for one in self._inventory.connections
            if (self._tree.root / one["file"]).is_relative_to(folder) or one["name"] in names
        ]

    def _secrets(self, view: dict[str, Json], plan: CasePlan | None) -> list[Json]:
        """Literal secrets in every file that the case was read from, and in the .env beside the flow."""
        files = dict.fromkeys(sorted(_files_of(view)))
        folder = plan.flow[0] if plan is not None and plan.flow is not None else None
        hidden = set()
        flow = view.get("flow")
        if isinstance(flow, dict) and isinstance(flow.get("ignored_files"), list):
            hidden = {one["file"] for one in flow["ignored_files"]}
        found: list[Json] = []
        for file in files:
            path = self._tree.root / file
            text = self._tree.read(path)
            if isinstance(text, Problem):
                continue
            for secret in find_secrets(text.text, _kind_of(path)):
                below = folder is not None and path.is_relative_to(folder)
                uploaded = below and folder is not None and os.path.relpath(path, folder) not in hidden
                found.append(
                    {
                        "$file": file,
                        "$at": {"": [secret["line"], secret["column"], secret["end_column"]]},
                        "file": file,
                        "kind": secret["kind"],
                        "recognised": secret["recognised"],
                        "name": secret["name"],
                        "uploaded": uploaded,
                    }
                )
        return found


def _lone_environment(tree: Tree, definition: Definition) -> EnvironmentFacts:
    from pfdoctor.collect.folder.environment import read_environment

    section = definition.section
    folder = definition.path.parent
    body = (section.child("properties") if section.arm else None) or section
    facts = read_environment(tree, folder, body, tree.name(definition.path), inline=False)
    if section.arm:
        facts.environment["name"] = facts.environment["name"] or section.text("name")
    return facts


def _files_of(node: Json) -> Iterator[str]:
    """Every file that a part of the view was read from."""
    if isinstance(node, dict):
        if "$file" in node:
            yield node["$file"]
        for value in node.values():
            if isinstance(value, dict | list):
                yield from _files_of(value)
    elif isinstance(node, list):
        for value in node:
            if isinstance(value, dict | list):
                yield from _files_of(value)


def _kind_of(path: Path) -> str:
    """How secrets are written in a file: env, yaml, python, dockerfile, json or text."""
    if path.name.startswith(".env"):
        return "env"
    if path.name.lower().startswith("dockerfile"):
        return "dockerfile"
    return {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".json": "json", ".prompty": "yaml"}.get(
        path.suffix, "text"
    )
