"""Deployment definitions as facts: one normalised form for CLI, SDK and Azure Resource Manager dialects."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pfdoctor.collect.arm_text import seconds
from pfdoctor.collect.folder.deployment_shape import (
    ASSET,
    SECRET_REFERENCE,
    keys_refused,
    malformed_references,
    unfilled,
    wrong_types,
)
from pfdoctor.collect.folder.files import Tree
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder, template
from pfdoctor.collect.probe_budget import probe_budget, whole_number
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_REGISTRY = Pattern(
    r"azureml://registries/(?P<registry>[^/]+)/(?:environments|models)/(?P<name>[^/]+)/?(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))?",
    re.IGNORECASE,
)
_ARM_ASSET = Pattern(
    r"/(?:environments|models)/(?P<name>[^/]+)/(?:versions/(?P<version>[^/]+)|labels/(?P<label>[^/]+))", re.IGNORECASE
)


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
        "unknown_keys": [] if section.arm else keys_refused(body),
        "wrong_types": [] if section.arm else wrong_types(body),
        "malformed_references": [] if section.arm else malformed_references(tree, folder, body),
        "near_misses": [],
    }
    for probe in ("liveness_probe", "readiness_probe", "startup_probe"):
        facts[probe] = _probe(body, probe)
    facts["probe_budgets"] = [
        {"$at": facts[name]["$at"], **probe_budget(name, facts[name])}
        for name in ("liveness_probe", "readiness_probe")
        if facts[name] is not None
    ]
    filled, unrendered = unfilled(outer)
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
    match = match or ASSET.match(text) or _ARM_ASSET.search(text)
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
        unrendered = template(value) and SECRET_REFERENCE.match(value) is None
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
