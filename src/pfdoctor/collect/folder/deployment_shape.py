"""The shape of a deployment's definition: what azure-ai-ml refuses in it, and what still waits to be filled in.

Its schema was read in azure-ai-ml 1.35.2 (azure/ai/ml/_schema/_deployment): unknown keys are refused there.
"""

from __future__ import annotations

import os
from pathlib import Path

from pfdoctor.collect.folder.environment import unknown_keys
from pfdoctor.collect.folder.files import Tree
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder, placeholder, placeholder_text, template, unfilled_mapping
from pfdoctor.collect.probe_budget import whole_number
from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Key

_KEYS = frozenset(
    "$schema name endpoint_name description id tags properties model code_configuration environment "
    "environment_variables app_insights_enabled scale_settings request_settings liveness_probe readiness_probe "
    "startup_probe provisioning_state instance_count type model_mount_path instance_type data_collector "
    "egress_public_network_access private_network_connection resources creation_context code_path "
    "scoring_script location".split()
)
_NESTED = {
    "request_settings": frozenset("request_timeout_ms max_concurrent_requests_per_instance max_queue_wait_ms".split()),
    "liveness_probe": frozenset("period initial_delay timeout success_threshold failure_threshold".split()),
    "readiness_probe": frozenset("period initial_delay timeout success_threshold failure_threshold".split()),
    "scale_settings": frozenset(
        "type polling_interval target_utilization_percentage min_instances max_instances".split()
    ),
    "code_configuration": frozenset(("code", "scoring_script")),
    "data_collector": frozenset("collections rolling_rate sampling_rate request_logging".split()),
}
_INTEGERS = (
    ("instance_count",),
    *(("request_settings", key) for key in sorted(_NESTED["request_settings"])),
    *((probe, key) for probe in ("liveness_probe", "readiness_probe") for key in sorted(_NESTED[probe])),
)
_REQUIRED = ("instance_type", "instance_count", "model", "environment", "endpoint_name", "name", "code_configuration")
ASSET = Pattern(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?\Z")
SECRET_REFERENCE = Pattern(r"\s*\$\{\{\s*(?:azureml|keyvault):")


def keys_refused(section: Section) -> list[Json]:
    """The keys that azure-ai-ml does not know, each with the nearest that it knows, or where it belongs."""
    found = unknown_keys(section, _KEYS)
    for name, known in _NESTED.items():
        child = section.child(name)
        if child is not None:
            found += unknown_keys(child, known, f"{name}.")
    for one in found:
        home = _home(one["key"].rpartition(".")[2])
        if home is not None and home != one["key"]:
            one["suggestion"] = home
    return found


def _home(key: str) -> str | None:
    """Where a key that exists in the schema belongs, as a dotted key."""
    if key in _KEYS:
        return key
    return next((f"{name}.{key}" for name, known in _NESTED.items() if key in known), None)


def wrong_types(section: Section) -> list[Json]:
    """Values that the CLI's schema refuses; a text of digits is taken as the number it spells."""
    found: list[Json] = []

    def note(path: tuple[str, ...], value: Json, expected: str) -> None:
        place = section.document.key_place(*section.path, *path)
        found.append({"$at": {"": list(place or [1])}, "key": ".".join(path), "value": value, "expected": expected})

    for path in _INTEGERS:
        value = _below(section.value, path)
        if value is not None and not any_placeholder(value) and isinstance(whole_number(value), dict):
            note(path, value, "a whole number")
    for name in _NESTED:
        value = section.get(name)
        if value is not None and not isinstance(value, dict) and not any_placeholder(value):
            note((name,), value, "a mapping")
    enabled = section.get("app_insights_enabled")
    if isinstance(enabled, dict | list) or (
        isinstance(enabled, str) and enabled.lower() not in _BOOLEANS and not any_placeholder(enabled)
    ):
        note(("app_insights_enabled",), enabled, "true or false")
    egress = section.get("egress_public_network_access")
    known = isinstance(egress, str) and (egress.lower() in ("enabled", "disabled") or any_placeholder(egress))
    if egress is not None and not known and unfilled_mapping(egress) is None:
        note(("egress_public_network_access",), egress, "enabled or disabled")
    collector = section.child("data_collector")
    for collection, one in collector.children("collections") if collector is not None else ():
        if isinstance(one.get("enabled"), bool):
            note(
                ("data_collector", "collections", str(collection), "enabled"),
                one.get("enabled"),
                "the text 'True' or 'False'",
            )
    for name in ("name", "endpoint_name", "instance_type"):
        value = section.get(name)
        if isinstance(value, dict | list | bool | int | float):
            note((name,), value, "a text")
    return found


_BARE_NAME = Pattern(r"[A-Za-z0-9][\w.-]*(?::[\w.]+|@[\w.-]+)?\Z")


def malformed_references(tree: Tree, folder: Path, section: Section) -> list[Json]:
    """Names of a model or environment that azure-ai-ml 1.35.2 refuses: without azureml:, or without a version."""
    found: list[Json] = []
    for what in ("model", "environment"):
        text = section.text(what)
        if text is None or any_placeholder(text):
            continue
        match = ASSET.match(text)
        problem = suggestion = None
        if match is not None and not match["version"] and not match["label"]:
            # the short names of curated environments are filled in by the service
            if not match["name"].startswith("AzureML-"):
                problem, suggestion = "no-version", f"{text}@latest"
        elif _BARE_NAME.match(text) is not None:
            is_file = text.endswith((".yml", ".yaml"))
            # a model may be meant as the folder or file of that name
            if not is_file and not (what == "model" and _may_be_path(tree, folder / text)):
                problem = "no-prefix"
                suggestion = f"azureml:{text}" if ":" in text or "@" in text else f"azureml:{text}@latest"
        if problem is not None:
            found.append(
                {
                    "$at": {"": section.place(what)},
                    "what": what,
                    "value": text,
                    "problem": problem,
                    "suggestion": suggestion,
                }
            )
    return found


def _may_be_path(tree: Tree, path: Path) -> bool:
    return not tree.inside(path) or os.path.exists(path)


# what marshmallow's Bool field takes
_BOOLEANS = ("true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0")


def _below(value: Json, path: tuple[str, ...]) -> Json:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def unfilled(section: Section) -> tuple[list[Json], list[Json]]:
    """Values that wait for somebody's hand, and values that wait for a template engine."""
    by_hand: list[Json] = []
    by_engine: list[Json] = []

    def visit(value: Json, path: tuple[Key, ...]) -> None:
        value = unfilled_mapping(value) or value
        if isinstance(value, dict):
            for key, element in value.items():
                if key not in ("description", "tags"):
                    visit(element, (*path, key))
        elif isinstance(value, list):
            for index, element in enumerate(value):
                visit(element, (*path, index))
        elif isinstance(value, str):
            place = section.document.place(*section.path, *path)
            dotted = ".".join(map(str, path))
            if template(value):
                if SECRET_REFERENCE.match(value) is None:
                    by_engine.append({"$at": {"": list(place or [1])}, "key": dotted, "value": value})
            elif placeholder(value):
                by_hand.append(
                    {
                        "$at": {"": list(place or [1])},
                        "key": dotted,
                        "value": value,
                        "placeholder": placeholder_text(value),
                        "required": bool(path)
                        and path[0] in _REQUIRED
                        # any text will do for a property or a description
                        and "properties" not in path
                        and path[-1] not in ("description", "version_description"),
                    }
                )

    visit(section.value, ())
    return by_hand, by_engine
