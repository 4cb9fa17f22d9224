"""Settings of a deployment that the serving app parses, taken apart as the app does.

Each form was run with promptflow-core 1.18.5 (promptflow/core/_serving): docs/decisions/0003-what-was-run.md.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable

from pfdoctor.core.derive.nodes import items
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_GUID = Pattern(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_PROVIDER = Pattern(
    r"azureml:/{1,2}subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/(?P<workspace>[^/]+)\Z"
)
_SECRET_FORMS = (
    Pattern(r"\$\{\{azureml://connections/[^/{}\s]+(?:/(?:target|metadata/[^/{}\s]+|credentials/[^/{}\s]+))?\}\}\Z"),
    Pattern(r"\$\{\{keyvault:https://[^/{}\s]+/secrets/[^/{}\s]+/[^/{}\s]+\}\}\Z"),
)
_PLACEHOLDER = Pattern(r"<[^<>]*>|\{[^{}]*\}|__\w+__")
# what the serving container reads: docs/decisions/0003-what-was-run.md
_CONTAINER_VARIABLES = frozenset(
    "PROMPTFLOW_RUN_MODE PROMPTFLOW_PROJECT_PATH PF_PROJECT_PATH PROMPTFLOW_CONNECTION_PROVIDER PF_CONNECTION_PROVIDER "
    "PRT_CONFIG_OVERRIDE PROMPTFLOW_ENCODED_CONNECTIONS PROMPTFLOW_RESPONSE_INCLUDED_FIELDS PF_FLOW_INIT_CONFIG "
    "PROMPTFLOW_SERVING_ENGINE PROMPTFLOW_WORKER_NUM PROMPTFLOW_WORKER_THREADS PF_DISABLE_TRACING "
    "PF_BUILTIN_TRACE_EXPORTERS_DISABLE AML_APP_INSIGHTS_KEY APPINSIGHTS_INSTRUMENTATIONKEY "
    "APPLICATIONINSIGHTS_CONNECTION_STRING PF_SERVING_METRICS_COMMON_DIMENSIONS PF_LOGGING_LEVEL PF_LOG_FORMAT "
    "PF_LOG_DATETIME_FORMAT PF_USE_SANDBOX_FOR_JINJA PF_LONG_RUNNING_LOGGING_INTERVAL PF_USE_ASYNC "
    "PF_DISABLE_SERIALIZATION PF_SKIP_SERIALIZATION_CHECK PF_WAIT_SECONDS_AFTER_CANCELLATION "
    # read by batch runs only: another rule speaks of them
    "PF_WORKER_COUNT PF_BATCH_METHOD".split()
)
_CONTAINER_PREFIX = Pattern(r"P[A-Z]{0,8}F|PRT|AML_APP|APP[A-Z]*INS", re.IGNORECASE)
_PROMPT_FLOW_VARIABLES = Pattern(r"(?:PROMPTFLOW_|PRT_CONFIG_OVERRIDE|PF_)")


def derive_settings(view: dict[str, Json]) -> Json:
    """The fact `settings` of a view; null without a deployment, unknown where the deployment is."""
    deployment = view.get("deployment")
    if not isinstance(deployment, dict):
        return None
    if "$unknown" in deployment:
        return deployment
    variables = deployment.get("environment_variables")
    if isinstance(variables, dict) and "$unknown" in variables:
        return variables
    reader = _Variables(variables or {})
    workers, threads = reader.integer("PROMPTFLOW_WORKER_NUM"), reader.integer("PROMPTFLOW_WORKER_THREADS")
    engine = reader.get("PROMPTFLOW_SERVING_ENGINE")
    provider = reader.derive("PROMPTFLOW_CONNECTION_PROVIDER", _provider, empty_is_unset=True)
    return {
        "response_fields": reader.derive(
            "PROMPTFLOW_RESPONSE_INCLUDED_FIELDS", lambda text: _response_fields(text, view)
        ),
        "init_config": reader.derive("PF_FLOW_INIT_CONFIG", _init_config),
        **_init_arguments(view, reader),
        # the app reads the override only where no connection provider is set
        "config_override": None
        if provider is not None
        else reader.derive("PRT_CONFIG_OVERRIDE", _config_override, empty_is_unset=True),
        "connection_provider": provider,
        "secret_references": _secret_references(reader),
        "engine": "flask" if engine is None else engine,
        "worker_count": workers,
        "worker_threads": 1 if threads is None else threads,
        "capacity": workers * (1 if threads is None else threads)
        if isinstance(workers, int) and (threads is None or isinstance(threads, int))
        else workers
        if isinstance(workers, dict)
        else threads
        if isinstance(threads, dict)
        else None,
        "connection_overrides": _connection_overrides(view, reader),
        "application_insights": reader.derive("APPLICATIONINSIGHTS_CONNECTION_STRING", _application_insights),
        "collected_names": _collected(deployment),
        "near_variables": _near_variables(view, reader),
    }


class _Variables:
    """The deployment's environment variables as the container will see them: texts."""

    def __init__(self, raw: dict[str, Json]) -> None:
        self.raw = raw

    def get(self, name: str) -> Json:
        """The text of a variable; null when unset, unknown when it is a template."""
        value = self.raw.get(name)
        if value is None or isinstance(value, str) or (isinstance(value, dict) and "$unknown" in value):
            return value
        if isinstance(value, bool):
            return str(value)
        return str(value) if isinstance(value, int | float) else json.dumps(value)

    def source(self, name: str) -> str:
        return f"deployment.environment_variables.{name}"

    def derive(self, name: str, take_apart: Callable[[str], dict[str, Json]], *, empty_is_unset: bool = False) -> Json:
        """A variable taken apart; null when unset, unknown when it is a template."""
        value = self.get(name)
        if value is None or isinstance(value, dict) or (empty_is_unset and value == ""):
            return None if value == "" else value
        return {"$from": self.source(name), **take_apart(value)}

    def integer(self, name: str) -> Json:
        """The number a variable holds; null when unset or when it holds none."""
        value = self.get(name)
        if isinstance(value, dict):
            return value
        return int(value) if isinstance(value, str) and value.strip().isdigit() else None


def _response_fields(text: str, view: dict[str, Json]) -> dict[str, Json]:
    # an empty text is falsy for the app: all outputs are returned
    if text == "":
        return {"value": text, "is_json_list": True, "usable": True, "names": [], "unknown_names": []}
    try:
        value = json.loads(text)
    except ValueError:
        return {"value": text, "is_json_list": False, "usable": False, "names": [], "unknown_names": []}
    names = [str(one) for one in value] if isinstance(value, list | dict) else []
    flow = view.get("flow")
    outputs = flow.get("outputs") if isinstance(flow, dict) else None
    if isinstance(flow, dict) and flow.get("kind") in ("dag", None) and isinstance(outputs, list):
        known = {one["name"] for one in outputs}
        unknown: Json = [name for name in names if name not in known]
    else:
        unknown = Unknown("not-in-files", "the outputs of the flow are not known").to_json()
    usable = isinstance(value, list | dict | str)
    facts = {"value": text, "is_json_list": isinstance(value, list), "usable": usable}
    return facts | {"names": names, "unknown_names": unknown}


def _init_config(text: str) -> dict[str, Json]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return {"value": text, "is_json_object": True, "names": list(value)}
    return {"value": text, "is_json_object": False, "names": []}


def _init_arguments(view: dict[str, Json], reader: _Variables) -> dict[str, Json]:
    """What the class of a flex flow still needs at its start, and what it is given and does not take.

    `sample.init` of the flow file counts only when the deployment gives nothing, `init` always.
    Source: promptflow-core 1.18.5, executor/_script_executor.py, run.
    """
    flow = view.get("flow")
    flex = flow.get("flex") if isinstance(flow, dict) else None
    target = flex.get("target") if isinstance(flex, dict) else None
    names = ("missing_init_arguments", "unknown_init_arguments")
    if isinstance(flow, dict) and "$unknown" in flow:
        return dict.fromkeys(names, flow)
    if not isinstance(flex, dict) or not isinstance(target, dict):
        return dict.fromkeys(names)
    if "$unknown" in target or target.get("kind") != "class":
        return dict.fromkeys(names, target if "$unknown" in target else None)
    config = reader.derive("PF_FLOW_INIT_CONFIG", _init_config)
    if isinstance(config, dict) and "$unknown" in config:
        return dict.fromkeys(names, config)
    parameters = target["parameters"]
    if not isinstance(parameters, list):
        return dict.fromkeys(names, parameters)
    given = (config["names"] if isinstance(config, dict) else []) or flex.get("sample_init") or []
    known = {*given, *(flex.get("init_defaults") or ())}
    taken = {one["name"] for one in parameters}
    return {
        "missing_init_arguments": [one["name"] for one in parameters if one["required"] and one["name"] not in known],
        "unknown_init_arguments": []
        if target.get("accepts_any_keyword") is not False or target.get("has_init") is False
        else [name for name in given if name not in taken],
    }


def _config_override(text: str) -> dict[str, Json]:
    """`deployment.key=value` segments between commas; what has no equals sign makes the app raise IndexError."""
    segments = text.split(",")
    values: dict[str, str] = {}
    for segment in segments:
        name, equals, value = segment.partition("=")
        if equals:
            values[name] = value
    spaced = [segment for segment in segments if segment != segment.strip()]
    return {
        "value": text,
        "segments_without_value": [segment for segment in segments if "=" not in segment],
        "has_spaces": bool(spaced),
        "has_placeholder": any(_PLACEHOLDER.search(value) for value in values.values()),
        "subscription_id": values.get("deployment.subscription_id"),
        "resource_group": values.get("deployment.resource_group"),
        "workspace": values.get("deployment.workspace_name"),
        "endpoint_name": values.get("deployment.endpoint_name"),
        "deployment_name": values.get("deployment.deployment_name"),
    }


def _provider(text: str) -> dict[str, Json]:
    match = _PROVIDER.match(text)
    workspace = match["workspace"] if match is not None else None
    return {"value": text, "well_formed": text == "local" or match is not None, "workspace": workspace}


def _secret_references(reader: _Variables) -> list[Json]:
    found: list[Json] = []
    for name, value in reader.raw.items():
        if isinstance(value, str) and value.lstrip().startswith("${{"):
            valid = any(form.match(value) for form in _SECRET_FORMS)
            found.append({"$from": reader.source(name), "variable": name, "value": value, "valid": valid})
    return found


def _connection_overrides(view: dict[str, Json], reader: _Variables) -> Json:
    """Variables named like a connection of the flow. The app looks for the name with `_` for each blank."""
    needs = view.get("needs")
    if isinstance(needs, dict) and "$unknown" in needs:
        return needs
    connections = needs.get("connections") if isinstance(needs, dict) else None
    if not isinstance(connections, list):
        return connections
    names = {one["name"] for one in connections if isinstance(one["name"], str) and one["name"]}
    found: list[Json] = []
    for variable in reader.raw:
        for name in sorted(names):
            expected = name.replace(" ", "_")
            if _folded(variable) == _folded(name):
                found.append(
                    {
                        "$from": reader.source(variable),
                        "variable": variable,
                        "connection": name,
                        "effective": variable == expected,
                        "expected": expected,
                    }
                )
    return found


def _near_variables(view: dict[str, Json], reader: _Variables) -> list[Json]:
    """Variables that the container does not read, whose name differs by a slip from one that it reads.

    A variable that the flow's own code reads, or that names a connection or one of its keys, is meant as it is.
    """
    needs, flow = view.get("needs") or {}, view.get("flow") or {}
    own = {one["name"] for part in ("environment_variables", "connections") for one in items(needs.get(part))}
    sources = items(flow.get("sources"))
    own |= {read["name"] for source in sources for read in items(source.get("environment_reads"))}
    found: list[Json] = []
    for variable in reader.raw:
        if variable in _CONTAINER_VARIABLES or variable in own or _CONTAINER_PREFIX.match(variable) is None:
            continue
        close = difflib.get_close_matches(variable.upper(), _CONTAINER_VARIABLES, n=1, cutoff=0.88)
        if close and close[0] not in reader.raw:
            found.append({"$from": reader.source(variable), "variable": variable, "suggestion": close[0]})
    return found


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "_", name).lower()


def _application_insights(text: str) -> dict[str, Json]:
    if text.startswith("${{") or "[redacted" in text:
        why = Unknown("redacted", "the connection string is a reference or was redacted").to_json()
        return {"well_formed": why}
    parts = dict(part.partition("=")[::2] for part in text.split(";") if part)
    key = next((value for name, value in parts.items() if name.lower() == "instrumentationkey"), None)
    return {"well_formed": "=" in text and key is not None and _GUID.match(key) is not None}


def _collected(deployment: dict[str, Json]) -> Json:
    collector = deployment.get("data_collector")
    if not isinstance(collector, dict) or "$unknown" in collector:
        return collector if isinstance(collector, dict) else []
    collections = collector.get("collections")
    if isinstance(collections, dict) and "$unknown" in collections:
        return collections
    names: list[Json] = []
    unread = collections.get("$incomplete") if isinstance(collections, dict) else None
    for one in items(collections):
        enabled = one if "$unknown" in one else one["enabled"]
        if isinstance(enabled, dict) and "$unknown" in enabled:
            unread = unread or enabled["$unknown"]
        elif str(enabled).lower() in ("true", "enabled"):
            names.append(one["name"])
    return names if unread is None else {"$incomplete": unread, "items": names}


def derive_serves_prompt_flow(view: dict[str, Json]) -> Json:
    """Whether the deployment is known to serve prompt flow: by its flow, its image, its variables or its model."""
    deployment, flow = view.get("deployment"), view.get("flow")
    if isinstance(flow, dict) and "$unknown" not in flow:
        return True
    variables = (deployment or {}).get("environment_variables")
    if isinstance(variables, dict) and any(_PROMPT_FLOW_VARIABLES.match(name) for name in variables):
        return True
    environment = view.get("environment")
    built = environment.get("built_on_promptflow") if isinstance(environment, dict) else None
    if built is True:
        return True
    model = view.get("model")
    properties = model.get("properties") if isinstance(model, dict) else None
    if isinstance(properties, dict) and any(name.startswith("azureml.promptflow") for name in properties):
        return True
    code = (deployment or {}).get("code_configuration")
    if isinstance(code, dict) and code.get("scoring_script"):
        # a scoring script is a server of its own
        return False
    if flow is None and (built is False or environment is None):
        return False
    return Unknown("not-in-files", "neither the model nor the image of the deployment is among the files").to_json()
