"""`file:` references to YAML files, as azure-ai-ml resolves them."""

from __future__ import annotations

from pathlib import Path

from pfdoctor.collect.folder import collect

DEPLOYMENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: chat
model: file:parts/model.yaml
environment: file:parts/environment.yaml
instance_type: Standard_DS3_v2
instance_count: 1
"""


def test_model_and_environment_are_read_from_the_files_they_name(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
    (tmp_path / "parts" / "model.yaml").write_text("name: m\npath: ../flow\n")
    (tmp_path / "parts" / "environment.yaml").write_text("name: e\nimage: python:3.11\n")
    (tmp_path / "flow").mkdir()
    case = next(facts for facts in collect([tmp_path]).cases if facts.case["kind"] == "deployment")
    view = case.document["declared"]
    assert view["model"]["name"] == "m"
    assert view["model"]["path_exists"] is True
    assert view["environment"]["image"]["repository"] == "python"
