"""Connection definitions of every dialect end in the same facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pfdoctor.collect.folder.connection import read_connection, used_by
from pfdoctor.yaml_document import Dialect, read


def _read(text: str) -> Any:
    document = read(text, Dialect.AZURE)[0]
    return read_connection(document, document.value, "connection.yaml")


def test_promptflow() -> None:
    facts = _read(
        "$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json\n"
        "name: aoai\ntype: azure_open_ai\napi_key: <user-input>\napi_base: https://a.openai.azure.com/\n"
    )
    assert facts["dialect"] == "promptflow"
    assert facts["connection_class"] == "AzureOpenAIConnection"
    assert facts["target"] == "https://a.openai.azure.com/"
    # asked for when it is created: nothing to fill in
    assert facts["placeholders"] == []
    assert facts["has_credentials"] is True
    assert facts["$at"]["type"] == [3, 7, 20]


def test_custom() -> None:
    facts = _read(
        "name: c\ntype: custom\nconfigs:\n  a: b\nsecrets:\n  x: 0123456789abcdef0123456789abcdef\n  y: ${env:KEY}\n"
    )
    assert facts["connection_class"] == "CustomConnection"
    assert facts["environment_placeholders"] == ["KEY"]
    assert facts["has_secret"] is True


@pytest.mark.parametrize(
    ("body", "name", "auth"),
    [
        ("type: azure_open_ai\nazure_endpoint: https://x", "AzureOpenAIConnection", "aad"),
        ("type: azure_open_ai\nazure_endpoint: https://x\napi_key: <key>", "AzureOpenAIConnection", "api_key"),
        ("type: azure_ai_search\nendpoint: https://x", "CognitiveSearchConnection", "aad"),
        ("type: azure_content_safety\nendpoint: https://x", "AzureContentSafetyConnection", "aad"),
        ("type: azure_speech_services\nendpoint: https://x", None, "aad"),
        ("type: api_key\ntarget: https://x\napi_key: <key>", None, "api_key"),
        ("type: git\ntarget: https://x\ncredentials: {type: pat, pat: <pat>}", None, "pat"),
    ],
)
def test_cli(body: str, name: str | None, auth: str) -> None:
    facts = _read(f"$schema: https://azuremlschemas.azureedge.net/latest/connection.schema.json\nname: c\n{body}\n")
    assert (facts["dialect"], facts["connection_class"], facts["auth_type"]) == ("cli", name, auth)


def test_arm() -> None:
    facts = _read(
        json.dumps(
            {
                "type": "Microsoft.MachineLearningServices/workspaces/connections@2024-04-01",
                "name": "workspace/safety",
                "properties": {
                    "category": "CognitiveService",
                    "authType": "ApiKey",
                    "target": "https://x",
                    "credentials": {"key": "[parameters('key')]"},
                    "metadata": {"kind": "Content Safety", "apiversion": "2023-10-01"},
                },
            }
        )
    )
    assert facts["dialect"] == "arm"
    assert facts["name"] == "safety"
    assert facts["connection_class"] == "AzureContentSafetyConnection"
    assert facts["api_version"] == "2023-10-01"
    assert facts["has_credentials"] is True


def test_an_answer_of_azure_does_not_say_whether_there_is_a_key() -> None:
    facts = _read(
        json.dumps(
            {"id": "/x", "name": "c", "properties": {"category": "Serverless", "authType": "ApiKey", "target": "t"}}
        )
    )
    assert "$unknown" in facts["has_credentials"]


def test_placeholders() -> None:
    facts = _read("name: c\ntype: open_ai\napi_key: to_replace_with_openai_api_key\nbase_url: <url>\n")
    assert facts["placeholders"] == ["api_key", "base_url"]


@pytest.mark.parametrize(
    "text",
    [
        "name: m\ntype: custom_model\npath: model\n",
        "name: e\nimage: x\n",
        "type: custom\n",
        "name: d\nendpoint_name: x\nmodel: azureml:m:1\n",
        "{}",
    ],
)
def test_what_is_no_connection(text: str) -> None:
    assert _read(text) is None


def test_used_by() -> None:
    nodes = [
        {"name": "a", "connection": "c", "inputs": []},
        {"name": "b", "connection": None, "inputs": [{"name": "conn", "value": "c"}]},
        {"name": "d", "connection": "other", "inputs": []},
    ]
    assert used_by("c", nodes) == ["a", "b"]
    assert used_by(None, nodes) == []
    assert used_by("c", None) == []
    assert used_by("c", {"$unknown": {"code": "x", "detail": "y"}}) == {"$unknown": {"code": "x", "detail": "y"}}
