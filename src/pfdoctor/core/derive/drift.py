"""Where what is live differs from what the files say.

Only what both views know is compared, and what does not exist yet differs in nothing; only what the files state: a
setting that a file leaves to its default, a name left to the command line and a placeholder are no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.derive.nodes import items
from pfdoctor.core.facts import join
from pfdoctor.core.model import Json

_REDACTED = "[redacted"
_MISSING = object()
_SECTIONS: dict[str, tuple[str, ...]] = {
    "deployment": (
        "instance_type",
        "instance_count",
        "app_insights_enabled",
        "model_mount_path",
        "egress_public_network_access",
        "scale_type",
        "environment.name",
        "environment.version",
        "model.name",
        "model.version",
        "request_settings.request_timeout_ms",
        "request_settings.max_concurrent_requests_per_instance",
        "request_settings.max_queue_wait_ms",
        *(
            f"{probe}.{key}"
            for probe in ("liveness_probe", "readiness_probe", "startup_probe")
            for key in ("initial_delay", "period", "timeout", "failure_threshold", "success_threshold")
        ),
    ),
    "endpoint": ("auth_mode", "identity_type", "public_network_access", "enforce_access_to_default_secret_stores"),
    "environment": (
        "image.reference",
        *(
            f"inference_config.{route}.{key}"
            for route in ("liveness_route", "readiness_route", "scoring_route")
            for key in ("port", "path")
        ),
    ),
    "model": ("type",),
}
_MAPPINGS = (("deployment", "environment_variables"), ("environment", "environment_variables"), ("model", "properties"))
_ONLY_IN_AZURE = ("azureml.", "mlflow.")
"""Prefixes of model properties that the service adds by itself."""


def derive_drift(declared: dict[str, Json], live: dict[str, Json]) -> Json:
    """The fact `drift` of two views of one case, its differences in the order of the schema."""
    differences = [*_settings(declared, live), *_mappings(declared, live)]
    sections: Json = list(_sections(differences, live))
    # a section that nobody could read may differ, too
    unread = (
        live[name].get("$unknown") for name in _SECTIONS if declared.get(name) and isinstance(live.get(name), dict)
    )
    why = next(filter(None, unread), None)
    if why is not None:
        sections = {"$incomplete": why, "items": sections}
    return {"differences": differences, "sections": sections}


_TOLD_APART = frozenset(
    (
        "deployment.environment.version",
        "deployment.model.version",
        "endpoint.identity_type",
        "deployment.egress_public_network_access",
    )
)
"""Differences that have rules of their own."""
_SHOWN = 60
"""Characters of a value that are shown: a long one is recognised by its beginning."""


def _sections(differences: list[dict[str, Json]], live: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The differences in words, section by section; without those that a sharper rule tells of."""
    routes = _at(live.get("environment"), "inference_config.scoring_route") is None
    said: dict[str, list[Json]] = {}
    for one in differences:
        path = one["path"]
        if path in _TOLD_APART or (routes and path.startswith("environment.inference_config.")):
            continue
        name = path.removeprefix(f"{one['section']}.")
        azure = "not set" if one["live"] is None else _shown(one["live"])
        files = "not" if one["declared"] is None else _shown(one["declared"])
        said.setdefault(one["section"], []).append(f"{name} is {azure} in Azure and {files} in the files")
    return ({"section": section, "said": texts} for section, texts in said.items())


def _shown(value: Json) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _settings(declared: dict[str, Json], live: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for section, paths in _SECTIONS.items():
        if live.get(section) is None:
            continue
        stated = _placeholders(declared.get(section))
        for path in paths:
            left, right = _at(declared.get(section), path), _at(live.get(section), path)
            if left is _MISSING or right is _MISSING or left is None or path in stated:
                continue
            if not _same(left, right):
                kind = "only-declared" if right is None else "changed"
                yield _difference(section, f"{section}.{path}", left, right, kind)


def _mappings(declared: dict[str, Json], live: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for section, name in _MAPPINGS:
        left, right = _at(declared.get(section), name), _at(live.get(section), name)
        if live.get(section) is None:
            continue
        if left is None and section == "deployment":
            left = {}
        if not _plain(left) or not _plain(right):
            continue
        for key in sorted({*left, *right}):
            if key.startswith(_ONLY_IN_AZURE) and key not in left:
                continue
            ours, theirs = left.get(key), right.get(key)
            if _unsure(ours) or _unsure(theirs) or _same(ours, theirs):
                continue
            kind = "only-live" if key not in left else "only-declared" if key not in right else "changed"
            yield _difference(section, join(f"{section}.{name}", key), ours, theirs, kind)


def _difference(section: str, path: str, declared: Json, live: Json, kind: str) -> dict[str, Json]:
    return {"section": section, "path": path, "declared": declared, "live": live, "kind": kind}


def _at(value: Json, path: str) -> Json:
    """The value below a section; `_MISSING` where nobody knows it."""
    for key in path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or "$unknown" in value or "$incomplete" in value or key not in value:
            return _MISSING
        value = value[key]
    return _MISSING if _unsure(value) else value


def _plain(value: Json) -> bool:
    return isinstance(value, dict) and "$unknown" not in value and "$incomplete" not in value


def _unsure(value: Json) -> bool:
    return (isinstance(value, dict) and "$unknown" in value) or (isinstance(value, str) and _REDACTED in value)


def _placeholders(section: Json) -> set[Json]:
    """The keys of a declared section that somebody or something still has to fill in."""
    if not isinstance(section, dict):
        return set()
    return {one.get("key") for name in ("placeholders", "unrendered") for one in items(section.get(name))}


def _same(left: Json, right: Json) -> bool:
    """Equality as Azure sees it: it keeps the case of names and takes any, and turns every variable into a text."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).casefold() == str(right).casefold()
    return bool(left == right) or (left is not None and right is not None and str(left) == str(right))
