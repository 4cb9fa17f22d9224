"""A container image reference, taken apart, and what the image is known to be."""

from __future__ import annotations

import re

from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_MCR = "mcr.microsoft.com"
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")

# Publishers on Docker Hub whose images are general ones.
_PUBLIC = frozenset(
    (
        *("alpine", "amazon", "amd64", "arm64v8", "bitnami", "condaforge", "continuumio", "library", "mambaorg"),
        *("nvidia", "pytorch", "rayproject", "rocker", "tensorflow", "tiangolo"),
    )
)
_PYTHON_TAG = Pattern(r"(?:^|-)(?P<major>\d)\.(?P<minor>\d+)")
_PYTHON_PART = Pattern(r"(?:^|[^a-z0-9])py(?:thon)?-?(?P<major>3)\.?(?P<minor>\d{1,2})(?![0-9.])")
_RUNTIME_TAG = Pattern(r"(?P<year>20\d\d)\d{4}\.v\d+")

# The first year whose runtime images are known to hold Python 3.10 (issue microsoft/promptflow#3996); nothing was
# seen about the earlier ones.
_PYTHON_310_SINCE = 2025


def read_image(reference: str) -> dict[str, Json]:
    """The facts `image` of a reference such as registry/path:tag@digest. Never raises, never asks a registry.

    The registry of a bare name is docker.io, and its repository has no `library/`. `family` is unknown for an image
    that no table knows, `python` wherever neither the tag nor the name says it.
    """
    text = reference.strip()
    rest, _, digest = text.partition("@")
    registry, path = _registry(rest)
    repository, tag = _tag(path)
    if registry == _DOCKER_HUB[0]:
        repository = repository.removeprefix("library/")
    placeholder = any_placeholder(text)
    facts: dict[str, Json] = {
        "reference": reference,
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest or None,
        "placeholder": placeholder,
    }
    if placeholder:
        unknown = Unknown("placeholder", f"{text} is a placeholder").to_json()
        # the family may stand before a placeholder for the tag
        named = None if any_placeholder(f"{registry}/{repository}") else _family(registry, repository)
        return {**facts, "family": named or unknown, "python": unknown}
    known = _family(registry, repository)
    family = known or Unknown("image-unknown", f"nothing is known about what {text} holds").to_json()
    return {**facts, "family": family, "python": _python(known, repository, tag, text)}


def _registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (_DOCKER_HUB[0] if first.lower() in _DOCKER_HUB else first.lower()), rest
    return _DOCKER_HUB[0], text


def _tag(path: str) -> tuple[str, str | None]:
    repository, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        return path, None
    return repository, tag or None


def _family(registry: str, repository: str) -> str | None:
    path = repository.lower()
    if registry == _MCR:
        if path.startswith("azureml/promptflow/"):
            return "promptflow"
        if path.startswith("azureml/"):
            return "azureml-inference" if "inference" in path else "azureml-base"
        if path.startswith("mirror/docker/library/python"):
            return "python"
        return "other"
    if registry == _DOCKER_HUB[0]:
        if path == "python":
            return "python"
        return "other" if "/" not in path or path.partition("/")[0] in _PUBLIC else None
    if registry == "public.ecr.aws" and path == "docker/library/python":
        return "python"
    if registry == "nvcr.io" or (registry == "public.ecr.aws" and path.startswith("docker/library/")):
        return "other"
    return None


def _python(family: str | None, repository: str, tag: str | None, text: str) -> Json:
    name = repository.lower()
    match: re.Match[str] | None = None
    if family == "promptflow":
        runtime = _RUNTIME_TAG.fullmatch(tag or "")
        if "runtime" in name and runtime is not None and int(runtime["year"]) >= _PYTHON_310_SINCE:
            return "3.10"
    elif family == "python" or name.rpartition("/")[2] == "python":
        match = _PYTHON_TAG.search(tag or "")
    else:
        match = _PYTHON_PART.search(name) or _PYTHON_PART.search((tag or "").lower())
    if match is None:
        return Unknown("not-told", f"{text} does not tell its version of Python").to_json()
    return f"{match['major']}.{match['minor']}"
