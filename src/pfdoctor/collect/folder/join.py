"""Joins what was found: a deployment with its endpoint, environment, model and flow, each with the reason.

What reads definitions is imported where one is read: a flow alone needs none of it.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from pfdoctor.collect.folder.discover import Definition, Inventory
from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.gathered import FLOW_FILES
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json
from pfdoctor.yaml_document import Dialect, YamlError, read

Note: TypeAlias = Callable[[str, Path, str], None]
"""Records a join: what was joined, where it is, and how that is known."""


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

    def __init__(self, tree: Tree, inventory: Inventory, named: frozenset[Path]) -> None:
        self._tree = tree
        self._inventory = inventory
        self._named = named
        """The paths that the user gave."""
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
            if os.path.isfile(target) and target.name in FLOW_FILES:
                note("flow", target, "the model's path names it")
                return target.parent, target
            return None
        if facts is not None and (
            facts["path"] is not None and not facts["is_remote"] and facts["path_exists"] is False
        ):
            return None
        return self._surrounding_flow(deployment, note) or self._flow_named_with(deployment, note)

    def _flow_named_with(self, deployment: Definition, note: Note) -> tuple[Path, Path | None] | None:
        """The flow that was given together with the deployment, where the two are all of their kind."""
        flows = self._inventory.flows
        if len(flows) != 1 or len(self._inventory.of("deployment")) != 1 or deployment.path not in self._named:
            return None
        folder, file = flows[0]
        if (
            folder not in self._named
            and file not in self._named
            and not any(name in self._named for name in (folder / one for one in FLOW_FILES))
        ):
            return None
        note("flow", file or folder, "the flow and the deployment were given together")
        return flows[0]

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

    def near_misses(self, deployment: Definition, facts: dict[str, Json]) -> list[Json]:
        """Names in the deployment that no definition here has, while one has nearly that name or another version.

        `facts` are those of the deployment. A name that two definitions bear is no near miss.
        """
        joined = self.join(deployment)
        found: list[Json] = []
        for kind, definition in (("model", joined.model), ("environment", joined.environment)):
            named = facts[kind]
            if named["kind"] == "registered" and definition is None:
                found += self._near(deployment, kind, named["name"], named["version"], named["$at"])
        name = facts["endpoint_name"]
        if name is not None and joined.endpoint is None and not any_placeholder(name):
            found += self._near(deployment, "endpoint", name, None, {"": facts["$at"].get("endpoint_name")})
        return found

    def _near(
        self, deployment: Definition, kind: str, name: str, version: str | None, at: dict[str, Json]
    ) -> list[Json]:
        same = self._by_name.get((kind, name), [])
        if same:
            nearest = _nearest(deployment.path, same)
            other = nearest.section.text("version") if nearest is not None else None
            if version is None or other is None or any(one.section.text("version") == version for one in same):
                return []
            written, suggestion = f"{name}:{version}", f"{name}:{other}"
        else:
            names = [one for of, one in self._by_name if of == kind and one is not None and is_slip(name, one)]
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            nearest = _nearest(deployment.path, self._by_name[kind, close[0]]) if close else None
            if nearest is None:
                return []
            written, suggestion = name, close[0]
        file = self._tree.name(nearest.path) if nearest is not None else None
        return [{"$at": at, "what": kind, "name": written, "suggestion": suggestion, "file": file}]

    def models_of(self, folder: Path) -> list[Definition]:
        """Model definitions whose path is the flow's folder."""
        if self._models_at is None:
            self._models_at = {}
            for one in self._models:
                target = model_facts(self._tree, None, one)[1]
                if target is not None:
                    self._models_at.setdefault(os.path.normpath(target), []).append(one)
        return self._models_at.get(os.path.normpath(folder), [])


def is_slip(name: str, other: str) -> bool:
    """Whether one name reads like a slip of the other: names that differ in a number or in a whole word do not."""
    left, right = (re.split(r"[-_.]", one.lower()) for one in (name, other))
    if name == other or any_placeholder(other):
        return False
    if "".join(left) == "".join(right):
        return True
    differing = [pair for pair in zip(left, right, strict=False) if pair[0] != pair[1]]
    if len(left) != len(right) or len(differing) != 1:
        return False
    a, b = differing[0]
    if re.sub(r"\d", "", a) == re.sub(r"\d", "", b) or min(len(a), len(b)) < 4:
        return False
    # letters that changed places, or one too many or too few: dev and prod, east and west differ in more
    return sorted(a) == sorted(b) or difflib.SequenceMatcher(None, a, b).ratio() >= 0.8


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
        referred = definition_at(tree, deployment.path.parent, text)
        if referred is not None:
            return read_model(tree, referred[0].parent, referred[1], tree.name(referred[0]), inline=False)
    if not text.startswith("azureml:") and "/subscriptions/" not in text:
        return read_path_model(tree, deployment.path.parent, text, name, section.place("model"))
    return None, None


def definition_at(tree: Tree, folder: Path, text: str) -> tuple[Path, Section] | None:
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
