"""Reads the files of planned cases into facts.

What reads definitions is imported where one is read: a flow alone needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.collect.folder.discover import Definition, Inventory
from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.flow import read_flow
from pfdoctor.collect.folder.gathered import Gathered
from pfdoctor.collect.folder.join import CasePlan, Joiner, definition_at, model_facts
from pfdoctor.collect.folder.requirements_facts import RequirementsCollector
from pfdoctor.collect.settle import excerpts, settle
from pfdoctor.core.facts import SCHEMA_NAME, Facts
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.redact import find_secrets

if TYPE_CHECKING:
    from pfdoctor.collect.folder.environment import EnvironmentFacts

_LIVE = "pfdoctor check FOLDER_OF_THE_FLOW FOLDER_OF_THE_DEPLOYMENT"


def _not_found(what: str, why: str) -> Json:
    return Unknown("not-in-files", f"no {what} among the files: {why}", collect_command=_LIVE).to_json()


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
        deployment["near_misses"] = self._joiner.near_misses(definition, deployment)
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
                "model definition", f"{deployment['model']['name'] or 'the model'} is not defined among these files"
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
        elif (
            text is not None
            and text.startswith("file:")
            and (referred := definition_at(tree, folder, text)) is not None
        ):
            facts = read_environment(tree, referred[0].parent, referred[1], tree.name(referred[0]), inline=True)
            deployment["environment"]["kind"] = "inline"
        else:
            named = deployment["environment"]
            if named["kind"] == "none":
                view["environment"] = None
            else:
                detail = f"the environment {named['name'] or text} is not defined among these files"
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
            if self._tree.exists(path) and os.path.isfile(path):
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
