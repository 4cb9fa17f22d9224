"""Connection definitions as facts: promptflow's own YAML, the YAML of `az ml connection`, and the ARM form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pfdoctor.collect.arm_text import snake
from pfdoctor.collect.connection_class import case_insensitive, connection_class_of, kind_of
from pfdoctor.collect.folder.section import Section
from pfdoctor.collect.placeholder import any_placeholder
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact import redact_value
from pfdoctor.yaml_document import Key, YamlDocument

# `type` of promptflow's YAML, and the class that the serving app makes of it (promptflow/_sdk/schemas/_connection.py)
_PROMPTFLOW_TYPES = {
    "azure_open_ai": "AzureOpenAIConnection",
    "open_ai": "OpenAIConnection",
    "serverless": "ServerlessConnection",
    "qdrant": "QdrantConnection",
    "weaviate": "WeaviateConnection",
    "cognitive_search": "CognitiveSearchConnection",
    "serp": "SerpConnection",
    "azure_ai_services": "AzureAIServicesConnection",
    "azure_content_safety": "AzureContentSafetyConnection",
    "form_recognizer": "FormRecognizerConnection",
    "custom": "CustomConnection",
}
# `type` of azure-ai-ml's YAML as (category, kind) of the workspace connection that it creates
_CLI_TYPES = {
    "azure_open_ai": ("AzureOpenAI", None),
    "azure_ai_services": ("AIServices", None),
    "azure_ai_search": ("CognitiveSearch", None),
    "azure_content_safety": ("CognitiveService", "Content Safety"),
    "azure_speech_services": ("CognitiveService", "speech"),
    "open_ai": ("OpenAI", None),
    "serp": ("Serp", None),
    "serverless": ("Serverless", None),
    "custom": ("CustomKeys", None),
    "api_key": ("ApiKey", None),
    "azure_blob": ("AzureBlob", None),
    "azure_data_lake_gen2": ("ADLSGen2", None),
    "microsoft_one_lake": ("AzureOneLake", None),
    "azure_sql_db": ("AzureSqlDb", None),
    "azure_synapse_analytics": ("AzureSynapseAnalytics", None),
    "azure_my_sql_db": ("AzureMySqlDb", None),
    "azure_postgres_db": ("AzurePostgresDb", None),
    "container_registry": ("ContainerRegistry", None),
    "git": ("Git", None),
    "python_feed": ("PythonFeed", None),
    "s3": ("S3", None),
    "snowflake": ("Snowflake", None),
}
_ARM_TYPE = "microsoft.machinelearningservices/workspaces/connections"
# keys that only connections have; one of them makes a mapping with a known `type` a connection
_ADDRESSES = (
    "target",
    "api_base",
    "azure_endpoint",
    "endpoint",
    "base_url",
    "url",
    "account_name",
    "one_lake_workspace_name",
)
_CREDENTIALS = ("api_key", "credentials", "secrets", "configs", "open_ai_resource_id")
_ENVIRONMENT = Pattern(r"\s*\$\{env:([^}]+)\}\s*\Z")
# what promptflow's examples leave to be filled in, besides <…>; `<user-input>` is asked for when it is created
_FILL_IN = Pattern(r"to[-_ ]replace[-_ ]with|\byour[-_ ]|[-_ ]here\Z|\Aplaceholder\Z", re.IGNORECASE)
_ASKED_FOR = frozenset(("<user-input>", "<no-change>"))


def read_connection(
    document: YamlDocument, value: dict[str, Json], file: str, path: tuple[Key, ...] = ()
) -> dict[str, Json] | None:
    """The facts of the mapping at `path` of the document, or None when it defines no connection."""
    schema = value.get("$schema")
    schema = schema.lower() if isinstance(schema, str) else ""
    if _is_arm(value):
        return _arm(Section(document, path, value, arm=True), file)
    section = Section(document, path, value)
    kind = section.text("type")
    known = kind is not None and snake(kind) in (_PROMPTFLOW_TYPES.keys() | _CLI_TYPES.keys())
    if "connection" not in schema and not (known and any(key in value for key in (*_ADDRESSES, *_CREDENTIALS))):
        return None
    return _yaml(section, file, promptflow=_is_promptflow(value, schema))


def _is_arm(value: dict[str, Json]) -> bool:
    resource = str(value.get("type", "")).partition("@")[0].lower()
    properties = value.get("properties")
    if not isinstance(properties, dict):
        return False
    return resource == _ARM_TYPE or ("category" in properties and "authType" in properties)


def _is_promptflow(value: dict[str, Json], schema: str) -> bool:
    """Whether promptflow's own client reads the file, and not the Azure CLI: they share some types."""
    if "promptflow" in schema:
        return True
    if "azureml" in schema or "credentials" in value or "azure_endpoint" in value or "target" in value:
        return False
    marks = (
        "api_base",
        "api_type",
        "configs",
        "secrets",
        "auth_mode",
        "module",
        "custom_type",
        "organization",
        "base_url",
    )
    return any(key in value for key in marks) or value.get("type") in (
        "cognitive_search",
        "form_recognizer",
        "qdrant",
        "weaviate",
    )


def _yaml(section: Section, file: str, *, promptflow: bool) -> dict[str, Json]:
    kind = section.text("type")
    credentials = section.child("credentials")
    metadata = section.get("metadata")
    if promptflow:
        connection_class: Json = None if kind is None else _PROMPTFLOW_TYPES.get(snake(kind))
        auth = section.text("auth_mode")
        if "custom_type" in section.value:
            connection_class = section.text("custom_type")
    else:
        category, subtype = _CLI_TYPES.get(snake(kind or ""), (kind, None))
        connection_class = connection_class_of(category, subtype, metadata)
        auth = credentials.text("type") if credentials is not None else None
        if auth is None:
            auth = "api_key" if section.get("api_key") else "aad"
    if any_placeholder(kind):
        connection_class = Unknown("placeholder", f"the type is the placeholder {kind}").to_json()
    target = next((name for name in _ADDRESSES if section.get(name) is not None), None)
    return {
        "$file": file,
        "$at": section.places("name", "type", "auth_mode", "api_key", "api_version", "credentials")
        | _alias(section, "target", target)
        | _alias(section, "auth_type", "auth_mode" if promptflow else "credentials"),
        "name": section.text("name"),
        "file": file,
        "dialect": "promptflow" if promptflow else "cli",
        "type": kind,
        "connection_class": connection_class,
        "auth_type": auth,
        "target": section.text(target) if target is not None else None,
        "api_version": section.text("api_version"),
        **_values(section.value, bool(section.get("api_key") or section.get("secrets") or _keys(credentials))),
    }


def _arm(section: Section, file: str) -> dict[str, Json]:
    properties = section.child("properties") or section
    category = properties.text("category")
    metadata = properties.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    credentials = properties.child("credentials")
    name = section.text("name")
    connection_class: Json = connection_class_of(category, kind_of(metadata), metadata)
    if category is not None and (category.startswith("[") or any_placeholder(category)):
        connection_class = Unknown("template", f"the category is the template {category}").to_json()
    facts = {
        "$file": file,
        "$at": section.places("name")
        | _alias(properties, "type", "category")
        | _alias(properties, "auth_type", "auth_type")
        | _alias(properties, "target", "target"),
        # a template's name is workspace/connection
        "name": name.rpartition("/")[2] if name is not None and not name.startswith("[") else name,
        "file": file,
        "dialect": "arm",
        "type": category,
        "connection_class": connection_class,
        "auth_type": properties.text("auth_type"),
        "target": properties.text("target"),
        "api_version": case_insensitive(metadata, "ApiVersion"),
        **_values(properties.value, _keys(credentials)),
    }
    if credentials is None and "id" in section.value:
        # an answer of Azure never shows the credentials
        facts["has_credentials"] = Unknown("not-shown", "the answer does not show credentials").to_json()
    return facts


def _alias(section: Section, fact: str, key: str | None) -> dict[str, list[int]]:
    """The place of a key under the name of the fact that it became."""
    place = section.place(key) if key is not None else None
    return {fact: place} if place is not None else {}


def _keys(credentials: Section | None) -> bool:
    """Whether credentials hold more than their own type."""
    return credentials is not None and any(value for key, value in credentials.value.items() if key != "type")


def _values(value: dict[str, Json], has_credentials: bool) -> dict[str, Json]:
    """What the texts of the definition say: references to variables, placeholders, literal secrets."""
    variables: list[str] = []
    placeholders: list[str] = []
    secret = False
    for key, parent, text in _texts(value, ""):
        variable = _ENVIRONMENT.match(text)
        if variable is not None:
            variables.append(variable[1])
        elif text not in _ASKED_FOR and (any_placeholder(text) or _FILL_IN.search(text)):
            placeholders.append(key)
        elif redact_value({key: text}, parent) != {key: text}:
            secret = True
    return {
        "environment_placeholders": sorted(set(variables)),
        "placeholders": placeholders,
        "has_secret": secret,
        "has_credentials": has_credentials,
    }


def _texts(value: dict[str, Json], parent: str) -> Iterator[tuple[str, str, str]]:
    """Every text of the definition as (its key, the key above it, the text)."""
    for key, element in value.items():
        if key in ("$schema", "name", "type", "description", "tags", "module"):
            continue
        if isinstance(element, str):
            yield key, parent, element
        elif isinstance(element, dict):
            yield from _texts(element, key)


def used_by(name: str | None, nodes: Json) -> Json:
    """The names of the nodes that name the connection, as `connection` or as an input; unknown when the nodes are."""
    if not isinstance(nodes, list) or name is None:
        return nodes if isinstance(nodes, dict) else []
    return [
        node["name"]
        for node in nodes
        if node.get("connection") == name or any(one["value"] == name for one in node.get("inputs") or ())
    ]
