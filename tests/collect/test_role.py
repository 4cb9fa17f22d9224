"""Role definitions, and operations that are misprinted in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pfdoctor.collect.folder.role import operation_meant, read_role
from pfdoctor.yaml_document import Dialect, read

_ML = "Microsoft.MachineLearningServices/workspaces"


def _read(value: Any) -> Any:
    document = read(json.dumps(value, indent=1), Dialect.AZURE)[0]
    return read_role(document, document.value, "role.json")


def test_cli_form() -> None:
    facts = _read(
        {
            "Name": "runtime",
            "Actions": ["MachineLearningService/workspace/datastore/reader", f"{_ML}/connections/listsecrets/action"],
            "NotActions": [],
            "DataActions": ["Microsoft.CognitiveServices/accounts/OpenAI/*"],
            "AssignableScopes": ["/subscriptions/s"],
        }
    )
    assert facts["name"] == "runtime"
    assert facts["data_actions"] == ["Microsoft.CognitiveServices/accounts/OpenAI/*"]
    assert [(one["action"], one["suggestion"]) for one in facts["misprinted_actions"]] == [
        ("MachineLearningService/workspace/datastore/reader", f"{_ML}/datastores/read")
    ]
    assert facts["$at"]["misprinted_actions"][0] == 4


def test_arm_form() -> None:
    facts = _read(
        {
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": "ea01e6af-a1c1-4350-9563-ad00f8c72ec5",
            "properties": {
                "roleName": "Secrets Reader",
                "permissions": [{"actions": [f"{_ML}/metadata/secrets/read"], "notActions": ["*/delete"]}],
                "assignableScopes": ["/"],
            },
        }
    )
    assert facts["name"] == "Secrets Reader"
    assert facts["actions"] == [f"{_ML}/metadata/secrets/read"]
    assert facts["not_actions"] == ["*/delete"]
    assert facts["misprinted_actions"] == []


@pytest.mark.parametrize(
    "value", [{}, {"Name": "x"}, {"actions": ["build", "test"]}, {"permissions": {"contents": "read"}}]
)
def test_what_is_no_role(value: Any) -> None:
    assert _read(value) is None


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        ("Microsoft.MachineLearningService/workspaces/datastores/read", f"{_ML}/datastores/read"),
        ("Microsoft.MachineLearningServices/workspace/connections/read", f"{_ML}/connections/read"),
        (f"{_ML}/connections/listsecrets", f"{_ML}/connections/listsecrets/action"),
        (f"{_ML}/connections/listSecrets/read", f"{_ML}/connections/listSecrets/action"),
        (f"{_ML}/onlineEndpoints/*/actions", f"{_ML}/onlineEndpoints/*/action"),
        (f"{_ML}/connections/listsecrets/action", None),
        (f"{_ML.lower()}/onlineendpoints/listkeys/action", None),
        (f"{_ML}/*/read", None),
        ("Microsoft.MachineLearningServices/*", None),
        ("Microsoft.MachineLearningServices/register/action", None),
        ("Microsoft.Storage/storageAccounts/reader", None),
        ("*", None),
    ],
)
def test_operation_meant(action: str, meant: str | None) -> None:
    assert operation_meant(action) == meant
