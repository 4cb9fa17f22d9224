"""Every class of defect that was counted in public repositories, made in a healthy repository: its rule must fire.

The healthy repository is the twin of them all, and has no finding that is more than a hint.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from pfdoctor import catalog
from pfdoctor.collect.folder import collect
from pfdoctor.core.diagnose import diagnose
from pfdoctor.core.model import Origin, Severity
from pfdoctor.core.rule import Catalogue
from pfdoctor.yaml_document import Dialect, read

Changes: TypeAlias = Mapping[str, str | tuple[str, str] | None]
"""What to do to files of the healthy repository: a whole text, (old, new) within the text, or None to delete it."""

FLOW, TOOL, TEMPLATE = "flow/flow.dag.yaml", "flow/ask.py", "flow/prompt.jinja2"
REQUIREMENTS, FLEX = "flow/requirements.txt", "flow/flow.flex.yaml"
DEPLOYMENT, ENDPOINT, MODEL = "deploy/deployment.yml", "deploy/endpoint.yml", "deploy/model.yml"

HEALTHY = {
    FLOW: """\
environment:
  python_requirements_txt: requirements.txt
inputs:
  question: {type: string, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true, default: []}
outputs:
  answer: {type: string, reference: "${llm.output}", is_chat_output: true}
nodes:
- name: prompt
  type: prompt
  source: {type: code, path: prompt.jinja2}
  inputs: {question: "${ask.output}", chat_history: "${inputs.chat_history}"}
- name: ask
  type: python
  source: {type: code, path: ask.py}
  inputs: {question: "${inputs.question}"}
- name: llm
  type: llm
  source: {type: code, path: chat.jinja2}
  inputs: {deployment_name: gpt-4o, text: "${prompt.output}"}
  api: chat
  provider: AzureOpenAI
  connection: aoai
""",
    TOOL: "from promptflow.core import tool\n\n@tool\ndef ask(question: str) -> str:\n    return question.strip()\n",
    TEMPLATE: "{% for turn in chat_history %}{{ turn }}{% endfor %}{{ question }}\n",
    "flow/chat.jinja2": "# user:\n{{ text }}\n",
    REQUIREMENTS: "promptflow\n",
    DEPLOYMENT: """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: chat-service
model: azureml:chat:1
environment:
  image: mcr.microsoft.com/azureml/promptflow/promptflow-runtime:20240619.v2
  inference_config:
    liveness_route: {port: 8080, path: /health}
    readiness_route: {port: 8080, path: /health}
    scoring_route: {port: 8080, path: /score}
instance_type: Standard_DS3_v2
instance_count: 1
request_settings: {request_timeout_ms: 90000, max_concurrent_requests_per_instance: 4}
environment_variables: {PROMPTFLOW_RUN_MODE: serving}
""",
    ENDPOINT: """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: chat-service
auth_mode: key
properties: {enforce_access_to_default_secret_stores: enabled}
""",
    MODEL: """\
$schema: https://azuremlschemas.azureedge.net/latest/model.schema.json
name: chat
path: ../flow
properties: {azureml.promptflow.source_flow_id: chat}
""",
}
IMAGE = "  image: mcr.microsoft.com/azureml/promptflow/promptflow-runtime:20240619.v2\n"
NO_DEPLOYMENT: Changes = {DEPLOYMENT: None, ENDPOINT: None, MODEL: None}
PLAIN_PYTHON: Changes = {
    DEPLOYMENT: (IMAGE, "  build: {path: image}\n"),
    "deploy/image/Dockerfile": "FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    'COPY start.sh .\nCMD ["bash", "start.sh"]\n',
    "deploy/image/start.sh": "pf flow serve\n",
}
NODE_OF_PACKAGE = """\
- name: extra
  type: python
  source: {type: package, tool: TOOL}
  inputs: {input: "${inputs.question}", connection: aoai}
"""


class Defect(NamedTuple):
    """A class by its name in docs/field-classes.yaml, a rule that covers it, and how to make it."""

    named: str
    rule: str
    changes: Changes


def in_flow(old: str, new: str) -> Changes:
    return {FLOW: (old, new)}


def in_deployment(old: str, new: str) -> Changes:
    return {DEPLOYMENT: (old, new)}


def package_tool(tool: str) -> Changes:
    return in_flow("nodes:\n", "nodes:\n" + NODE_OF_PACKAGE.replace("TOOL", tool))


def flex(entry: str, code: str | None = None) -> Changes:
    return {FLOW: None, FLEX: f"entry: {entry}\n", "flow/main.py": code or "def run(q: str):\n    return q\n"}


AGGREGATION = """\
- name: sum
  type: python
  aggregation: true
  source: {type: code, path: ask.py}
  inputs: {question: "${ask.output}"}
"""
COUNTED_TWICE = "- {name: ask, type: python, source: {type: code, path: ask.py}, inputs: {question: x}}\n"
CLASS = """\
class Chat:
    def __init__(self, model: str):
        self.model = model

    def __call__(self, question: str) -> str:
        return question
"""
LEGACY = "promptflow_vectordb.tool.vector_db_lookup.VectorDBLookup.search"

DEFECTS = [
    Defect("`promptflow` unpinned in requirements", "promptflow-unpinned", NO_DEPLOYMENT),
    Defect(
        "evaluation flow deployed or deployable by mistake",
        "evaluation-flow-deployed",
        in_flow("nodes:\n", f"nodes:\n{AGGREGATION}"),
    ),
    Defect(
        "evaluation flow deployed or deployable by mistake",
        "evaluation-flow",
        {**NO_DEPLOYMENT, FLOW: ("nodes:\n", f"nodes:\n{AGGREGATION}")},
    ),
    Defect(
        "package tool of a third party not installable as written",
        "package-tool-not-provided",
        package_tool("my_tools.search.run"),
    ),
    Defect("node source file missing (variants: 8 more)", "node-source-file-missing", {TOOL: None}),
    Defect(
        "pinned to 1.4–1.17.0, breaks on a fresh install (`_T` from marshmallow)",
        "promptflow-pin-breaks-on-marshmallow",
        {**PLAIN_PYTHON, "deploy/image/requirements.txt": "promptflow==1.10.0\n"},
    ),
    Defect(
        "pinned to 1.4–1.17.0, breaks on a fresh install (`_T` from marshmallow)",
        "promptflow-pin-breaks-fresh-install",
        {**NO_DEPLOYMENT, REQUIREMENTS: "promptflow==1.10.0\n"},
    ),
    Defect("legacy embedding tool", "legacy-embedding-tool", package_tool("promptflow.tools.embedding.embedding")),
    Defect("legacy vector lookup / open-source LLM tools", "legacy-lookup-tool", package_tool(LEGACY)),
    Defect(
        "connection or deployment name empty, a placeholder, or unknown",
        "connection-name-empty",
        in_flow("connection: aoai", "connection: ''"),
    ),
    Defect(
        "connection or deployment name empty, a placeholder, or unknown",
        "connection-placeholder",
        in_flow("connection: aoai", "connection: <your connection>"),
    ),
    Defect(
        "connection or deployment name empty, a placeholder, or unknown",
        "llm-deployment-name-placeholder",
        in_flow("gpt-4o", "<deployment>"),
    ),
    Defect(
        "connection name with a space", "connection-name-with-space", in_flow("connection: aoai", "connection: a b")
    ),
    Defect(
        "no requirements file though the flow imports packages",
        "requirements-file-missing-for-imports",
        {
            **NO_DEPLOYMENT,
            REQUIREMENTS: None,
            FLOW: ("environment:\n  python_requirements_txt: requirements.txt\n", ""),
            TOOL: ("from", "import bs4\nfrom"),
        },
    ),
    Defect("import not in requirements", "import-not-provided", {**NO_DEPLOYMENT, TOOL: ("from", "import bs4\nfrom")}),
    Defect("requirements file named but absent", "requirements-file-missing", {REQUIREMENTS: None}),
    Defect(
        "openai 0.x API use or pin",
        "openai-0x-api-use",
        {
            TOOL: "import openai\nfrom promptflow.core import tool\n\n@tool\ndef ask(question: str):\n"
            "    return openai.Completion.create(prompt=question)\n"
        },
    ),
    Defect(
        "openai 0.x API use or pin",
        "openai-pinned-to-0x",
        {**NO_DEPLOYMENT, REQUIREMENTS: "promptflow==1.18.5\nopenai==0.28.1\n"},
    ),
    Defect(
        "Jinja variable nobody supplies (renders blank, 200)",
        "template-variable-unsupplied",
        {TEMPLATE: ("{{ question }}", "{{ question }} {{ context }}")},
    ),
    Defect(
        "required Python argument not supplied / unexpected",
        "required-argument-missing",
        {TOOL: ("question: str", "question: str, top: int")},
    ),
    Defect(
        "required Python argument not supplied / unexpected",
        "unexpected-argument",
        {TOOL: ("question: str", "query: str = ''")},
    ),
    Defect(
        "flow without outputs",
        "flow-without-outputs",
        in_flow('outputs:\n  answer: {type: string, reference: "${llm.output}", is_chat_output: true}', "outputs: {}"),
    ),
    Defect("flow without nodes", "flow-without-nodes", {FLOW: "inputs: {}\noutputs: {}\nnodes: []\n"}),
    Defect(
        "chat flow: wrong number of chat inputs or outputs", "chat-input-count", in_flow(", is_chat_input: true", "")
    ),
    Defect(
        "chat flow: wrong number of chat inputs or outputs", "chat-output-count", in_flow(", is_chat_output: true", "")
    ),
    Defect(
        "chat flow without chat history",
        "chat-history-missing",
        in_flow(
            "  chat_history: {type: list, is_chat_history: true, default: []}\n", "  turns: {type: list, default: []}\n"
        ),
    ),
    Defect(
        "output refers to a node or input that is not there",
        "output-reference-missing",
        in_flow('reference: "${llm.output}"', 'reference: "${llm_node.output}"'),
    ),
    Defect(
        "reference to an undefined node or input",
        "node-reference-missing",
        in_flow("${prompt.output}", "${promt.output}"),
    ),
    Defect(
        "reference to an undefined node or input",
        "flow-input-reference-missing",
        in_flow('"${inputs.question}"', '"${inputs.query}"'),
    ),
    Defect("cycle", "node-cycle", in_flow('"${inputs.question}"', '"${llm.output}"')),
    Defect(
        "duplicate node name / node without type or source",
        "duplicate-node-name",
        in_flow("nodes:\n", f"nodes:\n{COUNTED_TWICE}"),
    ),
    Defect("duplicate node name / node without type or source", "node-type-missing", in_flow("  type: prompt\n", "")),
    Defect(
        "duplicate node name / node without type or source",
        "node-source-missing",
        in_flow("  source: {type: code, path: ask.py}\n", ""),
    ),
    Defect(
        "aggregation referenced by a normal node or output",
        "aggregation-referenced-by-node",
        {FLOW: HEALTHY[FLOW].replace("${prompt.output}", "${sum.output}") + AGGREGATION},
    ),
    Defect(
        "aggregation referenced by a normal node or output",
        "output-of-aggregation-node",
        {FLOW: HEALTHY[FLOW].replace("${llm.output}", "${sum.output}") + AGGREGATION},
    ),
    Defect(
        "invalid activate config",
        "activate-config-invalid",
        in_flow("- name: ask\n", '- name: ask\n  activate: {when: "${inputs.question}"}\n'),
    ),
    Defect(
        "unused flow input",
        "unused-flow-input",
        in_flow("inputs:\n  q", "inputs:\n  top: {type: int, default: 3}\n  q"),
    ),
    Defect("no or several `@tool` functions", "tool-function-missing", {TOOL: ("@tool\n", "")}),
    Defect(
        "no or several `@tool` functions",
        "tool-functions-several",
        {TOOL: ("@tool\n", "@tool\ndef other(question: str) -> str:\n    return question\n\n@tool\n")},
    ),
    Defect("flex: entry malformed, file or function missing, init raises", "flex-entry-malformed", flex("main.run")),
    Defect("flex: entry malformed, file or function missing, init raises", "flex-module-missing", flex("app:run")),
    Defect(
        "flex: entry malformed, file or function missing, init raises", "flex-attribute-missing", flex("main:start")
    ),
    Defect(
        "flex: entry malformed, file or function missing, init raises",
        "flex-init-arguments-missing",
        flex("main:Chat", CLASS),
    ),
    Defect(
        "flex: entry malformed, file or function missing, init raises",
        "flex-init-argument-unknown",
        flex("main:Chat\nsample: {init: {model: gpt-4o, top: 3}}", CLASS),
    ),
    Defect("two flow files in one folder", "flow-file-duplicated", {"flow/flow.dag.yml": HEALTHY[FLOW]}),
    Defect(
        "deployment: placeholder left (`<…>`, `{insert …}`)",
        "deployment-placeholder-required",
        in_deployment("Standard_DS3_v2", "<vm size>"),
    ),
    Defect(
        "deployment: placeholder left (`<…>`, `{insert …}`)",
        "deployment-placeholder-left",
        in_deployment("request_settings:", "properties: {id: {insert random GUID}}\nrequest_settings:"),
    ),
    Defect(
        "deployment: placeholder left (`<…>`, `{insert …}`)",
        "config-override-names-no-workspace",
        in_deployment(
            "{PROMPTFLOW_RUN_MODE: serving}",
            "{PROMPTFLOW_RUN_MODE: serving, PRT_CONFIG_OVERRIDE: 'deployment.subscription_id=<sub-id>,"
            "deployment.resource_group=<rg>,deployment.workspace_name=<ws>'}",
        ),
    ),
    Defect(
        "deployment: template not rendered (`{{ }}`)",
        "deployment-template-not-rendered",
        in_deployment("azureml:chat:1", '"azureml:chat:{{ version }}"'),
    ),
    Defect(
        "deployment: code, model, conda, scoring-script path missing",
        "model-path-missing",
        {MODEL: ("../flow", "../chat")},
    ),
    Defect(
        "deployment: code, model, conda, scoring-script path missing",
        "code-folder-missing",
        in_deployment("instance_count", "code_configuration: {code: src, scoring_script: score.py}\ninstance_count"),
    ),
    Defect(
        "deployment: code, model, conda, scoring-script path missing",
        "scoring-script-missing",
        in_deployment("instance_count", "code_configuration: {code: ../flow, scoring_script: s.py}\ninstance_count"),
    ),
    Defect(
        "deployment: code, model, conda, scoring-script path missing",
        "conda-file-missing",
        in_deployment(IMAGE, f"{IMAGE}  conda_file: conda.yml\n"),
    ),
    Defect(
        "timeout left at the default 5 s on an LLM flow",
        "request-timeout-default",
        in_deployment("request_timeout_ms: 90000, ", ""),
    ),
    Defect(
        "base image deprecated / unpinned / in somebody else's registry",
        "base-image-unpinned",
        in_deployment("20240619.v2", "latest"),
    ),
    Defect(
        "base image deprecated / unpinned / in somebody else's registry",
        "base-image-outdated",
        in_deployment("20240619.v2", "20230831.v1"),
    ),
    Defect(
        "base image deprecated / unpinned / in somebody else's registry",
        "base-image-foreign-registry",
        in_deployment("mcr.microsoft.com", "somebody.azurecr.io"),
    ),
    Defect(
        "`inference_config` missing or wrong",
        "inference-config-missing",
        in_deployment("    scoring_route: {port: 8080, path: /score}\n", ""),
    ),
    Defect(
        "`inference_config` missing or wrong", "inference-config-route-wrong", in_deployment("path: /score", "path: /")
    ),
    Defect(
        "`PROMPTFLOW_RUN_MODE` missing",
        "run-mode-not-serving",
        {**flex("main:run"), DEPLOYMENT: ("environment_variables: {PROMPTFLOW_RUN_MODE: serving}\n", "")},
    ),
    Defect(
        "`$schema` malformed",
        "deployment-schema-url-malformed",
        in_deployment("Deployment.schema.json", "Deployment.schema.json\\"),
    ),
    Defect(
        "`PROMPTFLOW_CONNECTION_PROVIDER` set to a connection's name",
        "connection-provider-malformed",
        in_deployment("{PROMPTFLOW_RUN", "{PROMPTFLOW_CONNECTION_PROVIDER: aoai, PROMPTFLOW_RUN"),
    ),
    Defect(
        "liveness probe on `/`",
        "inference-config-probe-on-root",
        in_deployment("liveness_route: {port: 8080, path: /health}", "liveness_route: {port: 8080, path: /}"),
    ),
    Defect(
        "endpoint name invalid",
        "endpoint-name-invalid",
        {ENDPOINT: ("chat-service", "chat_service"), DEPLOYMENT: ("chat-service", "chat_service")},
    ),
    Defect(
        "`instance_count` not an integer",
        "deployment-wrong-type",
        in_deployment("instance_count: 1", "instance_count: one"),
    ),
    Defect(
        "pinned to a very old version",
        "promptflow-pin-very-old",
        {**NO_DEPLOYMENT, REQUIREMENTS: "promptflow==0.1.0b8\n"},
    ),
]


def repository(folder: Path, changes: Changes) -> Path:
    (folder / ".git").mkdir()
    for name in {**HEALTHY, **changes}:
        change = changes.get(name, HEALTHY.get(name))
        if isinstance(change, tuple):
            old, new = change
            assert old in HEALTHY[name], f"{name} does not hold {old!r}"
            change = HEALTHY[name].replace(old, new)
        if change is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change)
    return folder


@cache
def catalogue() -> Catalogue:
    return catalog.load()


def findings(folder: Path) -> dict[str, tuple[Severity, bool]]:
    """What is found, by rule: the severity, and whether it has a file and a line."""
    return {
        one.rule: (one.severity, isinstance(one.origin, Origin) and one.origin.line is not None)
        for facts in collect([folder]).cases
        for one in diagnose(facts, catalogue()).findings
    }


def test_the_healthy_repository_has_nothing_to_warn_of(tmp_path: Path) -> None:
    found = findings(repository(tmp_path, {}))

    assert [rule for rule, (severity, _) in found.items() if severity is not Severity.INFO] == []


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.rule)
def test_the_rule_of_a_class_fires(defect: Defect, tmp_path: Path) -> None:
    found = findings(repository(tmp_path, defect.changes))

    assert defect.rule in found
    assert found[defect.rule][1], "without a place"
    covered = [name.replace("`", "") for name in catalogue().rules[defect.rule].wording.covers["field"]]
    assert defect.named.replace("`", "") in covered


def test_every_class_is_made(root: Path) -> None:
    (document,) = read((root / "docs/field-classes.yaml").read_text(), Dialect.FLOW)

    assert {one["name"] for one in document.value} == {defect.named for defect in DEFECTS}


def test_a_class_takes_its_arguments_from_the_sample_when_the_deployment_gives_none(tmp_path: Path) -> None:
    found = findings(repository(tmp_path, flex("main:Chat\nsample: {init: {model: gpt-4o}}", CLASS)))

    assert [rule for rule, (severity, _) in found.items() if severity is Severity.ERROR] == []


SCHEMAS = "$schema: https://azuremlschemas.azureedge.net/latest/"
OTHERS = {
    "MLflow, its model not among the files": "managedOnlineDeployment.schema.json\nname: blue\nendpoint_name: chat\n"
    "model: {path: model, type: mlflow_model}\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n",
    "Triton, names left to the command line": "managedOnlineDeployment.schema.json\n"
    "model: {path: models, type: triton_model}\ninstance_type: Standard_NC6s_v3\ninstance_count: 1\n",
    "another server, its model downloaded first": "managedOnlineDeployment.schema.json\nname: tfserving\n"
    "endpoint_name: tfserving-endpoint\nmodel: {name: half, path: ./half_plus_two}\nenvironment:\n"
    "  image: docker.io/tensorflow/serving:2.16.1\n  inference_config:\n"
    "    liveness_route: {port: 8501, path: /v1/models/half}\n"
    "    readiness_route: {port: 8501, path: /v1/models/half}\n"
    "    scoring_route: {port: 8501, path: '/v1/models/half:predict'}\n"
    "instance_type: Standard_DS3_v2\ninstance_count: 1\n",
    "completed by azd": "managedOnlineDeployment.schema.json\nenvironment:\n"
    "  image: mcr.microsoft.com/azureml/promptflow/promptflow-runtime:20240619.v2\n  inference_config:\n"
    "    liveness_route: {port: 8080, path: /health}\n    readiness_route: {port: 8080, path: /health}\n"
    "    scoring_route: {port: 8080, path: /score}\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n"
    "environment_variables: {PRT_CONFIG_OVERRIDE: 'deployment.subscription_id=${AZURE_SUBSCRIPTION_ID}'}\n",
    "a batch deployment": "modelBatchDeployment.schema.json\nname: b\nendpoint_name: batch\n"
    "model: {path: model}\ncode_configuration: {code: code, scoring_script: driver.py}\n"
    "environment: {conda_file: conda.yaml, image: 'ubuntu:latest'}\nresources: {instance_count: 1}\n",
    "an environment for training": "environment.schema.json\nname: train\n"
    "image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04\n",
}


@pytest.mark.parametrize("definition", OTHERS.values(), ids=OTHERS)
def test_what_is_not_prompt_flow_or_not_complete_is_left_alone(definition: str, tmp_path: Path) -> None:
    (tmp_path / "deployment.yml").write_text(SCHEMAS + definition)

    found = findings(tmp_path)

    assert [rule for rule, (severity, _) in found.items() if severity is not Severity.INFO] == []


def test_a_connection_is_no_endpoint(tmp_path: Path) -> None:
    (tmp_path / "aoai.yaml").write_text(
        "$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json\n"
        "type: azure_open_ai\nname: aoai\nmodule: promptflow.connections\napi_base: https://x.openai.azure.com/\n"
        "api_key: ${env:AOAI_API_KEY}\napi_type: azure\nauth_mode: key\n"
    )

    assert "endpoint-unknown-key" not in findings(tmp_path)
