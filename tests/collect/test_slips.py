"""Slips of a newcomer: misspelt names, references and files that nothing else would tell of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pfdoctor.collect.folder import collect
from pfdoctor.collect.folder.join import is_slip
from pfdoctor.core.derive import derive

DEPLOYMENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: chat
model: azureml:product-chat:3
environment: azureml:chat-env@latest
instance_type: Standard_DS3_v2
instance_count: 1
"""
ENVIRONMENT = "name: chat-env\nbuild: {path: ./docker}\ninference_config: {}\n"
MODEL = (
    "$schema: https://azuremlschemas.azureedge.net/latest/model.schema.json\nname: product-chat\nversion: 3\npath: .\n"
)
WORKSPACE = "/subscriptions/a/resourceGroups/b/providers/Microsoft.MachineLearningServices/workspaces/w"
FLOW = """\
inputs:
  q: {type: string}
outputs:
  a: {type: string, reference: "${{n.output}}"}
nodes:
- name: n
  type: python
  source: {type: code, path: n.py}
  inputs: {q: "REFERENCE"}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "docker").mkdir()
    return tmp_path


def deployed(folder: Path, text: str) -> dict[str, Any]:
    (folder / "blue.yml").write_text(text)
    cases = [facts for facts in collect([folder]).cases if facts.case["kind"] == "deployment"]
    (facts,) = cases
    declared: dict[str, Any] = derive(facts).document["declared"]
    return declared


def dockerfile(folder: Path, text: str) -> dict[str, Any]:
    (folder / "env.yml").write_text(ENVIRONMENT)
    (folder / "docker" / "Dockerfile").write_text(text)
    facts: dict[str, Any] = deployed(folder, DEPLOYMENT)["dockerfile"]
    return facts


@pytest.mark.parametrize(
    ("instruction", "missing"),
    [
        ("COPY req.txt .", ["req.txt"]),
        ("COPY ./req.txt there.txt /app/", ["./req.txt"]),
        ('COPY ["req.txt", "/app/"]', ["req.txt"]),
        ("ADD --chown=a:b /req.txt .", ["/req.txt"]),
        ("COPY there.txt .", []),
        ("COPY ../there.txt .", []),
        ("COPY req*.txt .", []),
        ("COPY ${WHAT} .", []),
        ("COPY --from=builder /x .", []),
        ("ADD https://example.org/x.txt .", []),
        ("COPY <<EOF /x\nhello\nEOF", []),
    ],
)
def test_a_copy_of_what_is_not_in_the_context(repository: Path, instruction: str, missing: list[str]) -> None:
    (repository / "docker" / "there.txt").write_text("")
    facts = dockerfile(repository, f"FROM python:3.11\n{instruction}\n")
    assert [one["source"] for one in facts["missing_copies"]] == missing


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("COPY there.txt .\nRUN pip install -r ther.txt", ["ther.txt"]),
        ("COPY there.txt ther.txt\nRUN pip install -r ther.txt", []),
        ("COPY . .\nRUN pip install -r ther.txt", []),
        ("COPY *.txt .\nRUN pip install -r ther.txt", []),
        ("RUN curl -o ther.txt https://example.org/x && pip install -r ther.txt", []),
        ("RUN --mount=type=bind,target=. pip install -r ther.txt", []),
        ("RUN pip install -r /opt/ther.txt", []),
        ("RUN pip install -r ${FILE}", []),
    ],
)
def test_an_install_from_what_nothing_copies(repository: Path, text: str, missing: list[str]) -> None:
    (repository / "docker" / "there.txt").write_text("")
    facts = dockerfile(repository, f"FROM python:3.11\n{text}\n")
    assert [one["path"] for one in facts["missing_installs"]] == missing


def test_a_misspelt_from_is_no_base(repository: Path) -> None:
    (repository / "env.yml").write_text(ENVIRONMENT)
    (repository / "docker" / "Dockerfile").write_text("# ours\n\nFORM python:3.11\n")
    (repository / "blue.yml").write_text(DEPLOYMENT)
    facts = next(one for one in collect([repository]).cases if one.case["kind"] == "deployment")
    assert facts.document["declared"]["dockerfile"]["base"] is None
    assert facts.document["origins"]["declared"]["dockerfile.file"][:2] == ["docker/Dockerfile", 3]


def test_a_base_that_is_not_known_may_hold_the_file(repository: Path) -> None:
    assert dockerfile(repository, "FROM me.azurecr.io/x:1\nRUN pip install -r r.txt\n")["missing_installs"] == []


def test_a_dockerfile_without_a_context_is_not_judged(repository: Path) -> None:
    (repository / "flow.dag.yaml").write_text(FLOW)
    (repository / "Dockerfile").write_text("FROM python:3.11\nCOPY req.txt .\n")
    (facts,) = collect([repository]).cases
    assert "$unknown" in facts.document["declared"]["dockerfile"]["missing_copies"]


@pytest.mark.parametrize(
    ("old", "new", "what", "suggestion"),
    [
        ("product-chat:3", "product-chatt@latest", "model", "product-chat"),
        ("product-chat:3", "product-chat:4", "model", "product-chat:3"),
        ("chat-env@latest", "chta-env@latest", "environment", "chat-env"),
        ("chat-env@latest", "chat_env:1", "environment", "chat-env"),
        ("endpoint_name: chat", "endpoint_name: chatt", "endpoint", "chat"),
        ("endpoint_name: chat", "endpoint_name: support", "endpoint", None),
    ],
)
def test_a_name_that_is_nearly_known(repository: Path, old: str, new: str, what: str, suggestion: str | None) -> None:
    (repository / "env.yml").write_text(ENVIRONMENT)
    (repository / "model.yml").write_text(MODEL)
    (repository / "endpoint.yml").write_text("name: chat\nauth_mode: key\n")
    assert deployed(repository, DEPLOYMENT)["deployment"]["near_misses"] == []
    found = deployed(repository, DEPLOYMENT.replace(old, new))["deployment"]["near_misses"]
    assert [(one["what"], one["suggestion"]) for one in found] == ([(what, suggestion)] if suggestion else [])


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("chat-1", "chat-2"),
        ("chat-east", "chat-west"),
        ("chat-dev", "chat-prod"),
        ("chat", "chat-v2"),
        ("chat", "chat"),
        ("model3", "model4"),
    ],
)
def test_names_that_are_no_slip_of_one_another(name: str, other: str) -> None:
    assert not is_slip(name, other)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("environment: chat-env@latest", [("environment", "azureml:chat-env@latest")]),
        ("environment: azureml:chat-env", [("environment", "azureml:chat-env@latest")]),
        ("environment: azureml:AzureML-x", []),
        ("environment: file:env.yml", []),
        ("environment: <environment>", []),
        ("model: chat", [("model", "azureml:chat@latest")]),
        ("model: chat:3", [("model", "azureml:chat:3")]),
        ("model: docker", []),
        ("model: ./chat", []),
        ("model: azureml://registries/r/models/m/versions/1", []),
        ("model: ${{ parameters.model }}", []),
        (f"model: azureml:{WORKSPACE}/models/m/versions/1", []),
    ],
)
def test_a_reference_that_azure_ai_ml_refuses(repository: Path, line: str, expected: list[tuple[str, str]]) -> None:
    key = line.partition(":")[0]
    text = "\n".join(line if old.startswith(f"{key}:") else old for old in DEPLOYMENT.splitlines())
    found = deployed(repository, text)["deployment"]["malformed_references"]
    assert [(one["what"], one["suggestion"]) for one in found] == expected


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("enabled", []), ("Disabled", []), ("enable", ["enable"]), ("true", [True]), ("<access>", [])],
)
def test_egress_is_enabled_or_disabled(repository: Path, value: str, wrong: list[object]) -> None:
    found = deployed(repository, f"{DEPLOYMENT}egress_public_network_access: {value}\n")["deployment"]["wrong_types"]
    assert [one["value"] for one in found] == wrong


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("PROMPTFLOW_WORKERS_NUM", "PROMPTFLOW_WORKER_NUM"),
        ("PROMPTFLOW_SERVING_ENGIN", "PROMPTFLOW_SERVING_ENGINE"),
        ("promptflow_worker_num", "PROMPTFLOW_WORKER_NUM"),
        ("PROMPTFLOW_WORKER_NUM", None),
        ("PF_WORKER_COUNT", None),
        ("AZURE_OPENAI_ENDPOINT", None),
        ("PF_HOME", None),
    ],
)
def test_a_variable_that_is_nearly_known(repository: Path, variable: str, suggestion: str | None) -> None:
    text = f'{DEPLOYMENT}environment_variables: {{{variable}: "1"}}\n'
    found = deployed(repository, text)["settings"]["near_variables"]
    assert [one["suggestion"] for one in found] == ([suggestion] if suggestion else [])


def test_probes_come_with_their_defaults(repository: Path) -> None:
    facts = deployed(repository, f"{DEPLOYMENT}liveness_probe: {{initial_delay: 5, failure_threshold: 2}}\n")
    (probe,) = facts["deployment"]["probe_budgets"]
    assert probe == {
        "probe": "liveness_probe",
        "initial_delay": 5,
        "period": 10,
        "failure_threshold": 2,
        "gives_up_after": 25,
    }


def test_a_placeholder_is_shown_without_the_text_around_it(repository: Path) -> None:
    facts = deployed(repository, f'{DEPLOYMENT}environment_variables: {{X: "a=<subscription_id>,b=<name>,c=1"}}\n')
    assert [one["placeholder"] for one in facts["deployment"]["placeholders"]] == ["<subscription_id>, <name>"]


@pytest.mark.parametrize(
    ("reference", "kind", "suggestion"),
    [
        ("${{inputs.q}}", "malformed", "${inputs.q}"),
        ("${ inputs.q }", "malformed", "${inputs.q}"),
        ("${{ zz.output }}", "malformed", None),
        ("${inputs}", "malformed", None),
        ("${inputs.q}", "flow-input", None),
    ],
)
def test_a_malformed_reference_says_what_it_means(
    repository: Path, reference: str, kind: str, suggestion: str | None
) -> None:
    (repository / "flow.dag.yaml").write_text(FLOW.replace("REFERENCE", reference))
    (facts,) = collect([repository]).cases
    graph = derive(facts).document["declared"]["graph"]
    mine = next(one for one in graph["references"] if one["user"] == "n")
    assert (mine["target_kind"], mine["suggestion"]) == (kind, suggestion)
    assert (mine["expected"] is None) is (kind != "malformed")
    output = next(one for one in graph["references"] if one["user"] == "a")
    assert (output["target_kind"], output["suggestion"]) == ("malformed", "${n.output}")
    assert "$unknown" in graph["unreachable_nodes"]
    (flow_input,) = derive(facts).document["declared"]["flow"]["inputs"]
    assert flow_input["used"] is (suggestion is not None or kind == "flow-input")


def test_routes_in_words(repository: Path) -> None:
    (repository / "env.yml").write_text(
        "name: chat-env\nimage: mcr.microsoft.com/azureml/promptflow/promptflow-runtime-stable:20251211.v2\n"
        'inference_config:\n  liveness_route: {port: "8080", path: health}\n'
        "  readiness_route: {port: 80, path: /health/}\n  scoring_route: {port: 8080, path: /score}\n"
    )
    config = deployed(repository, DEPLOYMENT)["environment"]["inference_config"]
    assert config["liveness_route"]["port"] == 8080
    assert config["deviations"] == [
        "liveness_route has path health (without the slash at its beginning) instead of /health",
        "readiness_route has port 80 instead of 8080",
        "readiness_route has path /health/ (with a slash at its end) instead of /health",
    ]


@pytest.mark.parametrize("name", ["Dockerfile", "requirements.txt", "tool.py", "a.jinja2", "conda.yaml"])
def test_a_part_of_something_says_where_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / name).write_text("dependencies: [python=3.11]\n")
    monkeypatch.chdir(tmp_path)
    (problem,) = collect([Path("parts", name)]).problems
    assert problem["path"] == f"parts/{name}"
    assert "read together with the flow or environment" in problem["detail"]
