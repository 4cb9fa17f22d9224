"""Secrets planted in every kind of file that is read never reach an output, a snapshot or a replayed report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pfdoctor.cli.main import main

CANARIES = {
    "openai": "sk-proj-Zq3vR8mKp2TnWx7LbYc5JdHs9FgAe4Uo1Ni6Mt0Q",
    "azure-openai": "4f9c1e7ab2d84c6f9e0d3b5a7c8e1f20",
    "storage": "Qm9sZHlHb1doZXJlTm9LZXlIYXNHb25lQmVmb3JlMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXY0dw==",
    "sas": "pR7xK2mQ9vT4wZ8nB3cF6hJ1sL5dG0yE%2BuA%3D",
    "github": "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "password": "correct-horse-9battery!staple",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLWNhbmFyeS0xMjM0NTY",
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A repository with a broken flow, so that findings show the lines around the secrets."""
    files = {
        "flow/flow.dag.yaml": f"""\
inputs:
  question: {{type: string, default: "{CANARIES["openai"]}"}}
outputs:
  answer: {{type: string, reference: "${{nowhere.output}}"}}
environment_variables:
  OPENAI_API_KEY: {CANARIES["openai"]}
nodes:
- name: n
  type: python
  source: {{type: code, path: n.py}}
  inputs: {{api_key: {CANARIES["azure-openai"]}, question: "${{inputs.question}}", unexpected: {CANARIES["jwt"]}}}
- name: l
  type: llm
  source: {{type: code, path: l.jinja2}}
  inputs: {{deployment_name: "", text: "{CANARIES["github"]}"}}
  connection: ""
  api: chat
""",
        "flow/n.py": f"""\
from promptflow.core import tool
API_KEY = "{CANARIES["openai"]}"
ACCOUNT = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={CANARIES["storage"]};EndpointSuffix=core.net"
@tool
def n(api_key: str, question: str, missing: str):
    return api_key
""",
        "flow/l.jinja2": f"system:\npassword: {CANARIES['password']}\nuser:\n{{{{missing}}}}\n",
        "flow/.env": f"AZURE_OPENAI_API_KEY={CANARIES['azure-openai']}\nDB_PASSWORD={CANARIES['password']}\n",
        "flow/requirements.txt": f"--extra-index-url https://user:{CANARIES['github']}@feed.example.com/\nnope ==\n",
        "flow/samples.json": '{"question": "' + CANARIES["jwt"],
        "connection.yaml": f"""\
$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json
name: aoai
type: azure_open_ai
api_key: {CANARIES["azure-openai"]}
api_base: https://x.openai.azure.com
""",
        "deployment.yaml": f"""\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: chat
model: {{path: flow}}
environment:
  image: python:3.11
instance_type: Standard_DS3_v2
instance_count: one
environment_variables:
  AZURE_OPENAI_API_KEY: {CANARIES["azure-openai"]}
  STORAGE: https://a.blob.core.windows.net/c?sv=2024-01-01&sig={CANARIES["sas"]}
  PROMPTFLOW_RESPONSE_INCLUDED_FIELDS: {CANARIES["github"]}
  PRT_CONFIG_OVERRIDE: deployment.subscription_id={CANARIES["github"]}
""",
    }
    (tmp_path / ".git").mkdir()
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["check", "-v"], ["check", "--format", "json"], ["facts", "-o", "-"]],
    ids=" ".join,
)
def test_no_canary_leaves(planted: Path, arguments: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    main([*arguments, str(planted)])
    captured = capsysbinary.readouterr()
    printed = (captured.out + captured.err).decode()
    assert printed
    assert [name for name, canary in CANARIES.items() if canary in printed] == []


def test_a_replayed_snapshot_reports_the_same_and_holds_none(planted: Path, tmp_path: Path) -> None:
    snapshot, direct, replayed = tmp_path / "facts.json", tmp_path / "direct.json", tmp_path / "replayed.json"
    main(["facts", str(planted), "-o", str(snapshot)])
    main(["check", str(planted), "--format", "json", "-o", str(direct)])
    main(["check", "--facts", str(snapshot), "--format", "json", "-o", str(replayed)])
    assert direct.read_bytes() == replayed.read_bytes()
    assert not any(canary in snapshot.read_text() for canary in CANARIES.values())


def test_the_secrets_are_findings(planted: Path, tmp_path: Path) -> None:
    main(["check", str(planted), "--format", "json", "-o", str(tmp_path / "report.json")])
    findings = json.loads((tmp_path / "report.json").read_text())["findings"]
    found = {(one["path"], one["line"]) for one in findings if one["rule"].startswith("secret-")}
    assert {("flow/n.py", 2), ("flow/n.py", 3), ("connection.yaml", 4), ("flow/.env", 1)} <= found
