"""Deployment definitions as facts: one normalised form for CLI, SDK and Azure Resource Manager dialects.

What the CLI accepts was read in azure-ai-ml 1.35.2 (azure/ai/ml/_schema/_deployment): unknown keys are refused there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pfdoctor.collect.arm_text import seconds
from pfdoctor.collect.folder.environment import unknown_keys
from pfdoctor.collect.folder.files import Tree
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder, placeholder, placeholder_text, template, unfilled_mapping
from pfdoctor.collect.probe_budget import probe_budget, whole_number
from pfdoctor.core.model import Json, Unknown
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
_ASSET = Pattern(r"azureml:(?P<name>[^:@/]+)(?::(?P<version>[^:@/]+)|@(?P<label>[^:@/]+))?\Z")
_REGISTRY = Pattern(
    r"azureml://registries/(?P<registry>[^/]+)/(?:environments|models)/(?P<name>[^/]+)/?(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))?",
    re.IGNORECASE,
)
_ARM_ASSET = Pattern(
    r"/(?:environments|models)/(?P<name>[^/]+)/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))", re.IGNORECASE
)
_SECRET_REFERENCE = Pattern(r"\s*\$\{\{\s*(?:azureml|keyvault):")


def read_deployment(tree: Tree, folder: Path, section: Section, file: str, kind: str) -> dict[str, Json]:
    """The facts of a deployment mapping. `kind` is managed or kubernetes; `section.arm` tells the ARM dialect."""
    outer = section
    properties = section.child("properties") if section.arm else None
    body = properties or section
    sku = outer.child("sku") if section.arm else None
    count = sku.get("capacity") if sku is not None and sku.get("capacity") is not None else body.get("instance_count")
    facts: dict[str, Json] = {
        "$file": file,
        "$at": outer.places("name", "endpoint_name")
        | body.places(
            "instance_type",
            "instance_count",
            "environment_variables",
            "app_insights_enabled",
            "request_settings",
            "model",
            "environment",
            "code_configuration",
            "data_collector",
            "scale_settings",
            "egress_public_network_access",
        ),
        "name": _name(outer.text("name"), section.arm),
        "file": file,
        "kind": kind,
        "dialect": "arm" if section.arm else "cli",
        "schema_url": outer.text("$schema"),
        "endpoint_name": _endpoint_name(outer),
        "instance_type": body.text("instance_type"),
        "instance_count": count,
        "model": _asset(body, "model"),
        "environment": _asset(body, "environment" if not section.arm else "environment_id", "environment"),
        "code_configuration": _code(tree, folder, body),
        "environment_variables": _variables(body),
        "malformed_environment_variables": _malformed_variables(body),
        "app_insights_enabled": body.get("app_insights_enabled"),
        "model_mount_path": body.text("model_mount_path"),
        "egress_public_network_access": body.text("egress_public_network_access"),
        "request_settings": _request_settings(body),
        "scale_type": _scale_type(body),
        "data_collector": _data_collector(body),
        "unknown_keys": [] if section.arm else _unknown_keys(body),
        "wrong_types": [] if section.arm else _wrong_types(body),
        "malformed_references": [] if section.arm else _malformed_references(tree, folder, body),
        "near_misses": [],
    }
    for probe in ("liveness_probe", "readiness_probe", "startup_probe"):
        facts[probe] = _probe(body, probe)
    facts["probe_budgets"] = [
        {"$at": facts[name]["$at"], **probe_budget(name, facts[name])}
        for name in ("liveness_probe", "readiness_probe")
        if facts[name] is not None
    ]
    filled, unrendered = _unfilled(outer)
    facts["placeholders"], facts["unrendered"] = filled, unrendered
    facts["is_template"] = bool(unrendered) or "template" in os.path.basename(file).lower()
    return facts


def _name(name: str | None, arm: bool) -> str | None:
    """An ARM child resource is named endpoint/deployment."""
    return name.rpartition("/")[2] if arm and name else name


def _endpoint_name(section: Section) -> str | None:
    named = section.text("endpoint_name")
    name = section.text("name")
    if named is None and section.arm and name and "/" in name:
        return name.split("/")[-2]
    return named


def _asset(section: Section, *names: str) -> dict[str, Json]:
    """How a model or environment is named: inline, by name and version, from a registry, or not at all."""
    key = next((name for name in names if section.get(name) is not None), names[0])
    value = section.get(key)
    facts: dict[str, Json] = {
        "$at": {"": section.place(key)},
        "kind": None,
        "name": None,
        "version": None,
        "label": None,
    }
    if value is None:
        return facts | {"kind": "none"}
    if isinstance(value, dict):
        return facts | {"kind": "inline", "name": value.get("name") and str(value["name"])}
    text = str(value)
    match = _REGISTRY.match(text)
    curated = match is not None
    match = match or _ASSET.match(text) or _ARM_ASSET.search(text)
    if match is None:
        if any_placeholder(text):
            return {**facts, "kind": Unknown("placeholder", f"{key} is the placeholder {text}").to_json()}
        if text.startswith("file:") or (names[0] == "model" and ":" not in text):
            return facts | {"kind": "inline", "name": None}
        return {**facts, "kind": Unknown("malformed", f"{key} {text!r} names no asset").to_json()}
    groups = match.groupdict()
    kind = "registered"
    if curated or groups["name"].startswith("AzureML-"):
        kind = "curated" if "environment" in names[-1] else "registry"
    return facts | {
        "kind": kind,
        "name": groups["name"],
        "version": groups.get("version"),
        "label": groups.get("label"),
    }


def _code(tree: Tree, folder: Path, section: Section) -> Json:
    child = section.child("code_configuration")
    if child is None:
        return None
    code = child.text("code") or child.text("code_id")
    script = child.text("scoring_script")
    facts: dict[str, Json] = {
        "$at": child.places("code", "scoring_script"),
        "code": code,
        "scoring_script": script,
        "code_exists": None,
        "scoring_script_exists": None,
    }
    if code is None:
        return facts
    remote = code.startswith(("azureml:", "/subscriptions/")) or "://" in code
    base = Path(os.path.normpath(folder / code))
    if remote or any_placeholder(code) or not tree.inside(base):
        why = Unknown("remote", f"the code {code} is not among the files").to_json()
        return facts | {"code_exists": why, "scoring_script_exists": why if script else None}
    facts["code_exists"] = tree.existence(base, os.path.isdir(base))
    if script is not None:
        if any_placeholder(script):
            facts["scoring_script_exists"] = Unknown("placeholder", f"{script} is a placeholder").to_json()
        else:
            present = os.path.isfile(base / script) and tree.exists(base / script)
            facts["scoring_script_exists"] = tree.existence(base / script, present)
    return facts


def _variables(section: Section) -> Json:
    child = section.child("environment_variables")
    if child is None:
        raw = section.get("environment_variables")
        if raw in (None, [], ""):
            return None
        return Unknown("malformed", "environment_variables is no mapping of name to text").to_json()
    facts: dict[str, Json] = {"$at": child.places(*child.value)}
    for name, value in child.value.items():
        unrendered = template(value) and _SECRET_REFERENCE.match(value) is None
        facts[name] = Unknown("template", f"{name} is the template {value}").to_json() if unrendered else value
    return facts


def _malformed_variables(section: Section) -> list[Json]:
    raw = section.get("environment_variables")
    found: list[Json] = []
    if isinstance(raw, dict):
        child = section.child("environment_variables")
        for name, value in raw.items():
            problem = None
            if value is None:
                problem = "null"
            elif isinstance(value, dict | list | bool | int | float):
                problem = "not-a-text"
            if problem is not None and child is not None:
                found.append(
                    {
                        "$at": {"": child.place(name)},
                        "name": name,
                        "value": value,
                        "value_type": _type_name(value),
                        "problem": problem,
                    }
                )
        return found
    if isinstance(raw, list):
        for index, value in enumerate(raw):
            at = section.document.place(*section.path, section.key("environment_variables") or "", index)
            found.append(
                {"$at": {"": list(at or [1])}, "name": None, "value": value, "value_type": "list", "problem": "list"}
            )
    elif isinstance(raw, str) and not any_placeholder(raw):
        found.append(
            {
                "$at": {"": section.place("environment_variables")},
                "name": None,
                "value": raw,
                "value_type": "text",
                "problem": "equals-sign",
            }
        )
    return found


def _type_name(value: Json) -> str:
    """The YAML type of a value."""
    for kind, name in (
        (type(None), "null"),
        (bool, "boolean"),
        (int | float, "number"),
        (list, "list"),
        (dict, "mapping"),
    ):
        if isinstance(value, kind):
            return name
    return "text"


def _request_settings(section: Section) -> Json:
    child = section.child("request_settings")
    if child is None:
        return None
    facts: dict[str, Json] = {
        "$at": child.places("request_timeout_ms", "max_concurrent_requests_per_instance", "max_queue_wait_ms")
    }
    for name, old in (("request_timeout_ms", "request_timeout"), ("max_queue_wait_ms", "max_queue_wait")):
        facts[name] = _milliseconds(child.get(name), child.get(old), name)
        facts["$at"].setdefault(name, child.place(old))
    facts["max_concurrent_requests_per_instance"] = whole_number(child.get("max_concurrent_requests_per_instance"))
    return facts


def _milliseconds(value: Json, duration: Json, name: str) -> Json:
    """Milliseconds of the CLI's integer, or of the duration that Azure Resource Manager writes."""
    if value is None and duration is not None:
        length = seconds(duration)
        if length is None:
            return Unknown("malformed", f"{name} {duration!r} is no duration").to_json()
        return round(length * 1000)
    return whole_number(value)


def _probe(section: Section, name: str) -> Json:
    child = section.child(name)
    if child is None:
        return None
    facts: dict[str, Json] = {
        "$at": child.places(
            "initial_delay", "period", "timeout", "failure_threshold", "success_threshold", "path", "port"
        )
    }
    for key in ("initial_delay", "period", "timeout"):
        raw = child.get(key)
        length = seconds(raw if not (isinstance(raw, str) and raw.isdigit()) else int(raw))
        facts[key] = (
            length if raw is None or length is not None else Unknown("malformed", f"{raw!r} is no duration").to_json()
        )
    for key in ("failure_threshold", "success_threshold", "port"):
        facts[key] = child.get(key)
    http = child.child("http_get")
    facts["path"] = child.text("path") or (http.text("path") if http is not None else None)
    return facts


def _scale_type(section: Section) -> str | None:
    child = section.child("scale_settings")
    if child is None:
        return None
    return child.text("type") or child.text("scale_type")


def _data_collector(section: Section) -> Json:
    child = section.child("data_collector")
    if child is None:
        return None
    collections: list[Json] = []
    for name, one in child.children("collections"):
        collections.append(
            {
                "$at": one.places("enabled"),
                "name": str(name),
                "enabled": one.get("enabled", one.get("data_collection_mode")),
                "has_data": one.get("data") is not None,
            }
        )
    rate = child.get("sampling_rate")
    return {
        "$at": child.places("sampling_rate", "rolling_rate"),
        "sampling_rate": rate
        if rate is None or isinstance(rate, int | float)
        else Unknown("malformed", f"{rate!r} is no number").to_json(),
        "rolling_rate": child.text("rolling_rate"),
        "collections": collections,
    }


def _unknown_keys(section: Section) -> list[Json]:
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


def _wrong_types(section: Section) -> list[Json]:
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


def _malformed_references(tree: Tree, folder: Path, section: Section) -> list[Json]:
    """Names of a model or environment that azure-ai-ml 1.35.2 refuses: without azureml:, or without a version."""
    found: list[Json] = []
    for what in ("model", "environment"):
        text = section.text(what)
        if text is None or any_placeholder(text):
            continue
        match = _ASSET.match(text)
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


def _unfilled(section: Section) -> tuple[list[Json], list[Json]]:
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
                if _SECRET_REFERENCE.match(value) is None:
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
