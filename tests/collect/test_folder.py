"""What is found below a path, how it is joined into cases, and that bad input never ends a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pfdoctor.collect.folder import collect
from pfdoctor.core.facts import Facts

SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
FLOW = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${n.output}"}
nodes:
- name: n
  type: python
  source: {type: code, path: n.py}
  inputs: {question: "${inputs.question}"}
"""
TOOL = "from promptflow.core import tool\n\n@tool\ndef n(question: str):\n    return question\n"
DEPLOYMENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: chat
model: azureml:chat-flow:3
environment: azureml:chat-env:2
instance_type: Standard_DS3_v2
instance_count: 1
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def only(path: Path) -> dict[str, Any]:
    (facts,) = collect([path]).cases
    declared: dict[str, Any] = facts.document["declared"]
    return declared


def kinds(path: Path) -> list[tuple[str, str]]:
    return [(facts.case["kind"], facts.case["name"]) for facts in collect([path]).cases]


def test_a_deployment_is_joined_by_name_and_version_and_says_why(repository: Path) -> None:
    write(
        repository,
        {
            "flows/chat/flow.dag.yaml": FLOW,
            "flows/chat/n.py": TOOL,
            "deploy/deployment.yaml": DEPLOYMENT,
            "deploy/endpoint.yaml": "name: chat\nauth_mode: key\n",
            "deploy/model.yaml": "name: chat-flow\nversion: 3\ntype: custom_model\npath: ../flows/chat\n",
            "envs/a.yaml": "name: chat-env\nversion: 1\nimage: a\ninference_config: {}\n",
            "envs/b.yaml": "name: chat-env\nversion: 2\nimage: b\ninference_config: {}\n",
        },
    )
    cases = {facts.case["kind"]: facts for facts in collect([repository]).cases}
    deployment = cases["deployment"].document
    assert deployment["declared"]["environment"]["image"]["reference"] == "b"
    assert deployment["declared"]["flow"]["path"] == "flows/chat"
    assert [(join["what"], join["to"]) for join in deployment["joins"]] == [
        ("endpoint", "deploy/endpoint.yaml"),
        ("environment", "envs/b.yaml"),
        ("model", "deploy/model.yaml"),
        ("flow", "flows/chat"),
    ]
    assert all(join["how"] for join in deployment["joins"])
    assert cases["environment"].case["name"] == "envs/a.yaml"
    assert "flow" not in cases


def test_a_flow_alone_leaves_its_deployment_unknown(repository: Path) -> None:
    view = only(write(repository, {"flow.dag.yaml": FLOW, "n.py": TOOL}))
    assert view["deployment"]["$unknown"]["code"] == "not-in-files"
    assert view["flow"]["nodes"][0]["source_exists"] is True


def test_origins_are_relative_to_the_git_root(repository: Path) -> None:
    write(repository, {"a/b/flow.dag.yaml": FLOW, "a/b/n.py": TOOL})
    (facts,) = collect([repository / "a" / "b"]).cases
    origin = facts.origin("declared.flow.outputs[0].reference")
    assert str(origin) == "a/b/flow.dag.yaml:4:37"


def test_dialects_end_in_the_same_facts(repository: Path) -> None:
    write(
        repository,
        {
            "cli/d.yaml": DEPLOYMENT + "request_settings:\n  request_timeout_ms: 90000\n",
            "arm/d.json": '{"type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",'
            ' "name": "ws/chat/blue", "sku": {"capacity": 1}, "properties": {"endpointComputeType": "Managed",'
            ' "model": "/subscriptions/s/x/models/chat-flow/versions/3",'
            ' "environmentId": "/x/environments/chat-env/versions/2",'
            ' "instanceType": "Standard_DS3_v2", "requestSettings": {"requestTimeout": "PT1M30S"}}}',
        },
    )
    arm_path = repository / "arm" / "d.json"
    arm_path.rename(repository / "arm" / "deployment.json")
    by_name = {facts.case["name"]: facts.document["declared"]["deployment"] for facts in collect([repository]).cases}
    cli, arm = by_name["cli/d.yaml"], by_name["arm/deployment.json"]
    same = (
        "name",
        "endpoint_name",
        "kind",
        "instance_type",
        "instance_count",
        "model",
        "environment",
        "request_settings",
    )
    assert {key: cli[key] for key in same} == {key: arm[key] for key in same}
    assert cli["request_settings"]["request_timeout_ms"] == 90_000


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nodes: [\n", "yaml-syntax"),
        (b"inputs:\n\tq: 1\n", "tab"),
        (b"", "not-a-mapping"),
        (b"- a\n", "not-a-mapping"),
        (b"a: 1\na: 2\n", "duplicate-key"),
        (b"a: 1\n---\nb: 1\n", "several-documents"),
        ("inputs: {}\n".encode("utf-16"), "encoding"),
        (b"a: \xff\n", "encoding"),
        (b"\x00\x01\x02", "binary"),
        (b"[" * 1_000_000, "too-deep"),
        (b"a: 1\n" * 1_200_000, "too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_flow_file_that_cannot_be_read_is_a_fact_not_a_crash(repository: Path, content: bytes, problem: str) -> None:
    (repository / "flow.dag.yaml").write_bytes(content)
    view = only(repository)
    assert [one["problem"] for one in view["documents"]] == [problem]
    assert "$unknown" in view["flow"]["nodes"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_change_nothing(repository: Path, newline: str, mark: str) -> None:
    write(repository, {"n.py": TOOL})
    (repository / "flow.dag.yaml").write_bytes((mark + FLOW).replace("\n", newline).encode())
    view = only(repository)
    assert view["documents"] == []
    assert view["flow"]["nodes"][0]["inputs"][0]["value"] == "${inputs.question}"


def test_other_cases_are_checked_beside_a_broken_one(repository: Path) -> None:
    write(repository, {"bad/flow.dag.yaml": "nodes: [", "good/flow.dag.yaml": FLOW, "good/n.py": TOOL})
    assert kinds(repository) == [("flow", "bad"), ("flow", "good")]


def test_a_source_outside_the_boundary_is_reported_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("SECRET = 1\n")
    flow = tmp_path / "flow"
    write(flow, {"flow.dag.yaml": FLOW.replace("n.py", "../secret.py")})
    node = only(flow)["flow"]["nodes"][0]
    assert node["source_outside"] is True
    assert node["source_exists"]["$unknown"]["code"] == "outside-boundary"
    assert "SECRET" not in collect([flow]).cases[0].to_json()


def test_a_link_that_leads_back_up_is_not_followed(repository: Path) -> None:
    write(repository, {"f/flow.dag.yaml": FLOW, "f/n.py": TOOL})
    (repository / "f" / "loop").symlink_to(repository)
    collected = collect([repository])
    assert [facts.case["name"] for facts in collected.cases] == ["f"]
    assert [one["problem"] for one in collected.problems] == ["symlink-loop"]


def test_paths_that_are_not_there_and_files_that_are_not_ours_are_named(repository: Path) -> None:
    write(repository, {"notes.txt": "hello"})
    collected = collect([repository / "nowhere", repository / "notes.txt"])
    assert [one["problem"] for one in collected.problems] == ["missing", "not-ours"]
    assert collected.cases == ()


def test_a_file_of_a_flow_means_its_flow(repository: Path) -> None:
    write(repository, {"f/flow.dag.yaml": FLOW, "f/n.py": TOOL, "g/flow.dag.yaml": FLOW, "g/n.py": TOOL})
    assert kinds(repository / "f" / "n.py") == [("flow", "f")]
    assert kinds(repository / "f" / "flow.dag.yaml") == [("flow", "f")]


@pytest.mark.parametrize(
    "content",
    [
        "services:\n  web:\n    image: nginx\n",
        "name: CI\non: push\njobs:\n  a: {steps: []}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}\n",
        "name: env\nchannels: [conda-forge]\ndependencies: [python=3.10]\n",
        f"$schema: {SCHEMAS}/commandJob.schema.json\ncommand: python x.py\nenvironment: azureml:a:1\n",
        f"$schema: {SCHEMAS}/batchEndpoint.schema.json\nname: x\nauth_mode: aad_token\n",
    ],
)
def test_yaml_of_other_kinds_is_no_case(repository: Path, content: str) -> None:
    write(repository, {"deployment.yaml": content})
    assert collect([repository]).cases == ()


def test_a_snapshot_round_trips(repository: Path) -> None:
    import json

    write(repository, {"flow.dag.yaml": FLOW, "n.py": TOOL})
    (facts,) = collect([repository]).cases
    assert Facts(json.loads(facts.to_json())) == facts


VARIANTS = """\
nodes:
- {name: n, use_variants: true}
node_variants:
  n:
    default_variant_id: DEFAULT
    variants:
      0:
        node: {type: python, source: {type: code, path: n.py}}
"""


@pytest.mark.parametrize(("default", "exists"), [("0", True), ('"0"', False), ("1", False), ("false", False)])
def test_the_default_variant_is_found_as_yaml_reads_it(repository: Path, default: str, exists: bool) -> None:
    write(repository, {"flow.dag.yaml": VARIANTS.replace("DEFAULT", default), "n.py": TOOL})
    flow = only(repository)["flow"]
    assert flow["nodes_with_variants"][0]["default_exists"] is exists
    assert [node["served"] for node in flow["nodes"]] == [False, exists]


def test_a_node_is_looked_for_in_the_code_folder_as_well(repository: Path) -> None:
    write(repository, {"flow.dag.yaml": FLOW + "code: src\n", "n.py": TOOL})
    assert only(repository)["flow"]["nodes"][0]["source_in_code"] is False
    write(repository, {"src/n.py": TOOL})
    assert only(repository)["flow"]["nodes"][0]["source_in_code"] is True


def test_a_neighbour_is_not_on_the_import_path(repository: Path) -> None:
    tool = "import helper\n" + TOOL
    flow = FLOW.replace("path: n.py", "path: tools/n.py")
    write(repository, {"flow.dag.yaml": flow, "tools/n.py": tool, "tools/helper.py": ""})

    def neighbours() -> list[str]:
        return [one["module"] for one in only(repository)["flow"]["sources"][0]["imports"] if one["neighbour"]]

    assert neighbours() == ["helper"]
    write(repository, {"tools/n.py": "import sys\nsys.path.append('tools')\n" + tool})
    assert neighbours() == []
