"""The class that the serving app makes of a workspace connection."""

from __future__ import annotations

from pfdoctor.core.model import Json

# category of a workspace connection, and the class that the serving app makes of it
# in promptflow/core/_connection_provider/_workspace_connection_provider.py
_CATEGORIES = {
    "AzureOpenAI": "AzureOpenAIConnection",
    "OpenAI": "OpenAIConnection",
    "Serp": "SerpConnection",
    "CognitiveSearch": "CognitiveSearchConnection",
    "Serverless": "ServerlessConnection",
    "AIServices": "AzureAIServicesConnection",
    "CustomKeys": "CustomConnection",
}
_KINDS = {"Content Safety": "AzureContentSafetyConnection", "Form Recognizer": "FormRecognizerConnection"}


def connection_class_of(category: str | None, kind: str | None, metadata: Json) -> str | None:
    """The class that the serving app makes of a workspace connection; None when it recognises none."""
    if category is None or (category not in _CATEGORIES and category != "CognitiveService"):
        return None
    legacy = case_insensitive(metadata, "azureml.flow.connection_type") if isinstance(metadata, dict) else None
    if legacy is not None:
        return legacy if legacy.endswith("Connection") else f"{legacy}Connection"
    if category == "CognitiveService":
        return _KINDS.get(kind or "")
    return _CATEGORIES[category]


def kind_of(metadata: dict[str, Json]) -> str | None:
    return case_insensitive(metadata, "Kind")


def case_insensitive(mapping: dict[str, Json], key: str) -> str | None:
    return next(
        (str(value) for name, value in mapping.items() if name.lower() == key.lower() and value is not None), None
    )
