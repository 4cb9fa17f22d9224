"""Environment definitions as facts: image, build context, conda file and inference_config."""

from __future__ import annotations

import difflib
import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path

from pfdoctor.collect.arm_text import snake
from pfdoctor.collect.folder.dockerfile import read_copies, read_dockerfile, read_uncopied_installs
from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.image import read_image
from pfdoctor.collect.inference_config import ROUTES, deviations, port_of
from pfdoctor.core.model import Json, Unknown
from pfdoctor.yaml_document import Dialect, YamlDocument, YamlError, read

KEYS = frozenset(
    "$schema name version id description tags properties image build conda_file conda_dependencies os_type "
    "inference_config environment_variables creation_context latest_version datasets is_anonymous "
    "resource_group auto_rebuild stage".split()
)
_ROUTE_LIKE = frozenset(
    (*ROUTES, "inference_config", "inferenceConfig", "live_route", "liveRoute", "ready_route", "score_route")
)


@dataclass(slots=True)
class EnvironmentFacts:
    """The facts `environment` and `dockerfile`, the conda document for its requirements, and problems of files."""

    environment: dict[str, Json]
    dockerfile: Json = None
    conda: YamlDocument | None = None
    conda_file: str | None = None
    context: Path | None = None
    documents: list[dict[str, Json]] = field(default_factory=list)


def read_environment(
    tree: Tree, folder: Path, section: Section, file: str, *, inline: bool, outer: Section | None = None
) -> EnvironmentFacts:
    """The facts of an environment mapping. `outer` is the deployment around an inline one."""
    image = section.text("image")
    result = EnvironmentFacts(
        {
            "$file": file,
            "$at": section.places("name", "version", "image", "build", "inference_config", "conda_file"),
            "name": section.text("name"),
            "version": section.text("version"),
            "file": file,
            "inline": inline,
            "image": read_image(image) if image is not None else None,
            "build": None,
            "conda_file": None,
            "inference_config": _inference_config(section),
            "misplaced": _misplaced(section, outer, inline=inline),
            "unknown_keys": unknown_keys(section, KEYS) if not section.arm else [],
            "environment_variables": section.get("environment_variables"),
        }
    )
    build = section.child("build")
    if build is not None:
        _build(tree, folder, build, result)
    _conda(tree, folder, section, result)
    _base(result)
    return result


def unknown_keys(section: Section, known: frozenset[str], prefix: str = "") -> list[Json]:
    """Keys that the schema does not have, with the nearest that it has."""
    found: list[Json] = []
    for key in section.value:
        if key in known or key == "<<":
            continue
        close = difflib.get_close_matches(snake(key), known, n=1)
        found.append(
            {
                "$at": {"": list(section.document.key_place(*section.path, key) or [1])},
                "key": prefix + key,
                "suggestion": close[0] if close else None,
            }
        )
    return found


def _inference_config(section: Section) -> Json:
    config = section.child("inference_config")
    if config is None:
        return None
    facts: dict[str, Json] = {"$at": config.places(*ROUTES)}
    for name in ROUTES:
        route = config.child(name)
        facts[name] = (
            {"$at": route.places("port", "path"), "port": port_of(route.get("port")), "path": route.text("path")}
            if route is not None
            else None
        )
    facts["deviations"] = [text for name in ROUTES if facts[name] is not None for text in deviations(name, facts[name])]
    return facts


def _misplaced(section: Section, outer: Section | None, *, inline: bool) -> list[Json]:
    """Keys of inference_config where the schema does not look for them."""
    home = "environment.inference_config" if inline else "inference_config, at the top of the environment"
    found: list[Json] = []
    if not section.arm:
        found += _route_keys(section, "the environment", home, but="inference_config")
        found += [
            one
            for name in ("build", "environment_variables", "properties")
            for one in _route_keys(section.child(name), name, home)
        ]
        found += _unknown_routes(section.child("inference_config"))
    found += _route_keys(outer, "the deployment", home)
    return found


def _route_keys(section: Section | None, parent: str, expected: str, but: str | None = None) -> list[Json]:
    if section is None:
        return []
    return [
        _misplaced_key(section, key, parent, expected) for key in section.value if key in _ROUTE_LIKE and key != but
    ]


def _unknown_routes(config: Section | None) -> list[Json]:
    found: list[Json] = []
    for key in config.value if config is not None else ():
        if key not in ROUTES and config is not None:
            close = difflib.get_close_matches(snake(key), ROUTES, n=1, cutoff=0.5)
            expected = close[0] if close else "one of " + ", ".join(ROUTES)
            found.append(_misplaced_key(config, key, "inference_config", expected))
    return found


def _misplaced_key(section: Section, key: str, parent: str, expected: str) -> dict[str, Json]:
    place = section.document.key_place(*section.path, key)
    return {"$at": {"": list(place or [1])}, "key": key, "parent": parent, "expected": expected}


def _build(tree: Tree, folder: Path, build: Section, result: EnvironmentFacts) -> None:
    path = build.text("path") or build.text("context_uri")
    named = build.text("dockerfile_path")
    facts: dict[str, Json] = {
        "$at": build.places("path", "dockerfile_path"),
        "path": path,
        "dockerfile_path": named or "Dockerfile",
        "path_exists": None,
        "dockerfile_exists": None,
        "dockerfile_actual": None,
    }
    result.environment["build"] = facts
    if path is None:
        return
    if "://" in path or path.startswith("azureml:"):
        remote = Unknown("remote", f"the build context {path} is not among the files").to_json()
        facts |= {"path_exists": remote, "dockerfile_exists": remote}
        result.dockerfile = remote
        return
    context = Path(os.path.normpath(folder / path))
    if not tree.inside(context):
        outside = Unknown("outside-boundary", f"the build context {path} lies outside what may be read").to_json()
        facts |= {"path_exists": outside, "dockerfile_exists": outside}
        result.dockerfile = outside
        return
    facts["path_exists"] = os.path.isdir(context)
    if not facts["path_exists"]:
        facts["path_exists"] = tree.existence(context, present=False)
        return
    result.context = context
    dockerfile = context / (named or "Dockerfile")
    facts["dockerfile_exists"] = os.path.isfile(dockerfile) and tree.exists(dockerfile)
    if not facts["dockerfile_exists"]:
        actual = tree.spelling(dockerfile)
        facts["dockerfile_actual"] = actual if actual is not None and actual != dockerfile.name else None
        facts["dockerfile_exists"] = tree.existence(dockerfile, present=False)
        return
    result.dockerfile = dockerfile_facts(tree, dockerfile, result.documents, context)


def dockerfile_facts(tree: Tree, path: Path, documents: list[dict[str, Json]], context: Path | None = None) -> Json:
    """The facts of a Dockerfile, or why there are none. `context` is the folder that it is built in, where known."""
    text = tree.read(path)
    if isinstance(text, Problem):
        documents.append(text.fact(tree.name(path), "dockerfile"))
        return text.unknown().to_json()
    facts = read_dockerfile(text.text, tree.name(path))
    if context is None:
        unknown = Unknown(
            "context-unknown", "no environment names the folder that the Dockerfile is built in"
        ).to_json()
        facts |= {"missing_copies": unknown, "missing_installs": unknown}
    else:
        facts |= _missing(tree, context, text.text, facts["base"])
    return {"$file": tree.name(path), **facts, "file": tree.name(path)}


def _missing(tree: Tree, context: Path, text: str, base: Json) -> dict[str, Json]:
    """What the Dockerfile copies from its context, or installs from, and is not there."""
    copies: list[Json] = []
    everything_known = True
    for copy in read_copies(text):
        if copy.certain:
            # Docker takes every source as relative to the context, with or without a slash before it
            target = context / posixpath.normpath("/" + copy.source).lstrip("/")
            inside = tree.inside(target)
            if inside and tree.existence(target, _exists(target)) is False:
                copies.append({"$at": {"": [copy.line]}, "source": copy.source})
            everything_known = everything_known and inside and not os.path.isdir(target)
        else:
            everything_known = False
    family = base.get("family") if isinstance(base, dict) and "$unknown" not in base else None
    installs: Json = []
    if everything_known and isinstance(family, str):
        installs = [{"$at": {"": [one.line]}, "path": one.source} for one in read_uncopied_installs(text)]
    return {"missing_copies": copies, "missing_installs": installs}


def _exists(target: Path) -> bool:
    """Whether the target is there; one that cannot be looked at counts as there."""
    try:
        return os.path.exists(target)
    except (OSError, ValueError):
        return True


def _conda(tree: Tree, folder: Path, section: Section, result: EnvironmentFacts) -> None:
    raw = section.get("conda_file")
    if raw is None:
        return
    facts: dict[str, Json] = {
        "$at": section.places("conda_file"),
        "path": None,
        "exists": True,
        "python": None,
        "has_pip": None,
    }
    result.environment["conda_file"] = facts
    if isinstance(raw, dict):
        child = section.child("conda_file")
        if child is not None:
            result.conda = YamlDocument(raw, section.document.node(child.path))
            result.conda_file = result.environment["file"]
    elif isinstance(raw, str):
        facts["path"] = raw
        path = Path(os.path.normpath(folder / raw))
        if not tree.inside(path) or "://" in raw:
            facts["exists"] = Unknown("outside-boundary", f"{raw} lies outside what may be read").to_json()
            return
        facts["exists"] = os.path.isfile(path) and tree.exists(path)
        if facts["exists"]:
            result.conda = _conda_document(tree, path, result)
            result.conda_file = tree.name(path)
        else:
            facts["exists"] = tree.existence(path, present=False)
    if result.conda is not None:
        _conda_content(result.conda.value, facts)


def _conda_document(tree: Tree, path: Path, result: EnvironmentFacts) -> YamlDocument | None:
    text = tree.read(path)
    problem = text if isinstance(text, Problem) else None
    if not isinstance(text, Problem):
        try:
            documents = read(text.text, Dialect.AZURE)
            if documents and isinstance(documents[0].value, dict):
                return documents[0]
            problem = Problem("not-a-mapping", "is no conda specification: it holds no mapping", 1)
        except YamlError as error:
            problem = Problem(error.code, error.detail, error.line)
    if problem is not None:
        result.documents.append(problem.fact(tree.name(path), "conda"))
    return None


def _conda_content(value: Json, facts: dict[str, Json]) -> None:
    dependencies = value.get("dependencies") if isinstance(value, dict) else None
    names = [one for one in dependencies if isinstance(one, str)] if isinstance(dependencies, list) else []
    facts["has_pip"] = any(one.split("=")[0].strip() == "pip" for one in names)
    for one in names:
        name, _, version = one.replace(" ", "").partition("=")
        if name == "python" and version:
            parts = version.strip("=<>~").split(".")
            facts["python"] = ".".join(parts[:2]) if len(parts) > 1 else None


def _base(result: EnvironmentFacts) -> None:
    """The image that the environment stands on: its own, or the last FROM of its Dockerfile."""
    environment = result.environment
    base = environment["image"]
    if base is None and environment["build"] is not None:
        base = result.dockerfile
        if isinstance(base, dict) and "$unknown" not in base:
            base = base["base"]
        elif base is None:
            base = Unknown("missing", "the Dockerfile of the build context was not found").to_json()
    environment["base_image"] = base
    family = base.get("family") if isinstance(base, dict) and "$unknown" not in base else base
    if isinstance(family, dict):
        environment["built_on_promptflow"] = family
    else:
        environment["built_on_promptflow"] = family == "promptflow"
