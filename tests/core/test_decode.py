"""What the decoder reads: errors as azure-core, Python, rich, gunicorn, pip, curl and Azure print them."""

from __future__ import annotations

import io
import json
import traceback

import pytest
from azure.core.exceptions import ODataV4Format
from rich.console import Console
from rich.traceback import Traceback

from pfdoctor.core.decode import Decoded, decode
from pfdoctor.core.model import Json

OBJECT = "98900f8d-2b01-4ff0-b565-9ed395000001"
CLIENT = "98900f8d-2b01-4ff0-b565-9ed395000002"
SCOPE = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.X/workspaces/ws"
REFUSED = (
    f"The client '{CLIENT}' with object id '{OBJECT}' does not have authorization to perform action "
    f"'Microsoft.Authorization/roleAssignments/write' over scope '{SCOPE}' or the scope is invalid."
)
NESTED: dict[str, Json] = {
    "error": {
        "code": "UserError",
        "message": "Deployment failed.",
        "target": "blue",
        "details": [
            {"code": "ImageBuildFailure", "message": "Image build failed.", "details": []},
            {"code": "InferencingClientCallFailed", "message": '{"error":{"code":"BadArgument","message":"No image"}}'},
        ],
        "innererror": {"code": "BadRequest", "innererror": {"code": "DeploymentInvalid"}},
        "additionalInfo": [
            {"type": "ComponentName", "info": {"value": "managementfrontend"}},
            {"type": "Correlation", "info": {"value": {"operation": "op-1", "request": "rq-1"}}},
        ],
    }
}
CODES = ["UserError", "ImageBuildFailure", "InferencingClientCallFailed", "BadRequest", "DeploymentInvalid"]


def codes(text: str, kind: str) -> list[str | None]:
    return [one.code for one in decode(text) if one.kind == kind]


def only(text: str, kind: str) -> Decoded:
    found = [one for one in decode(text) if one.kind == kind]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(NESTED),
        json.dumps(NESTED, indent=2),
        json.dumps(NESTED, indent=4).replace("\n", "\r\n"),
        str(NESTED),
        "ERROR: Response body: " + json.dumps(NESTED) + "\nTraceback follows",
        "\n".join(f"2024-05-01T10:00:00.1234567Z ##[error]{line}" for line in json.dumps(NESTED, indent=1).split("\n")),
        "\n".join(
            f"deploy\tCreate\t2024-05-01T10:00:00.123Z {line}" for line in json.dumps(NESTED, indent=1).split("\n")
        ),
        "\n".join(f"serving-1  | {line}" for line in json.dumps(NESTED, indent=1).split("\n")),
        "\x1b[31m" + json.dumps(NESTED, indent=1).replace('"', '\x1b[1m"\x1b[0m') + "\x1b[0m",
    ],
    ids=["json", "pretty", "crlf", "repr", "wrapped", "github", "gh-run-view", "compose", "coloured"],
)
def test_nested_arm_errors(text: str) -> None:
    found = [one for one in decode(text) if one.kind == "arm"]
    assert [one.code for one in found if one.code != "BadArgument"] == CODES
    assert found[0].message == "Deployment failed."
    assert found[0].fields["component"] == "managementfrontend"
    assert found[0].fields["request_id"] == "rq-1"
    assert "BadArgument" in [one.code for one in found], "the error inside the message"


@pytest.mark.parametrize("depth", range(1, 5))
def test_escaped_inside_another_string(depth: int) -> None:
    text = json.dumps(NESTED)
    for _ in range(depth):
        text = json.dumps({"log": text})
    found = codes(text, "arm")
    assert found[: len(CODES)] == CODES or set(CODES) <= set(found)


def test_the_article_s_form_with_a_mapping_for_details() -> None:
    text = """'error':
{
    'code': 'BadRequest',
    'message': 'The request is invalid.',
    'details':
         {'code': 'MissingDriverProgram',
          'message': 'Could not find driver program in the request.',
          'details': [],
          'additionalInfo': []
         }
}"""
    found = decode(text)
    assert [(one.code, one.fields.get("within")) for one in found] == [
        ("BadRequest", None),
        ("MissingDriverProgram", "BadRequest"),
    ]


def test_what_azure_core_makes_of_it() -> None:
    """`ODataV4Format` is what HttpResponseError, and with it az and the SDK, prints."""
    printed = ODataV4Format(NESTED["error"])
    text = f"ERROR: {printed}"
    found = [(one.code, one.occurrences) for one in decode(text) if one.kind == "arm"]
    assert ("UserError", 1) in found
    assert ("ImageBuildFailure", 1) in found
    assert ("BadArgument", 1) in found


def test_az_says_it_twice_and_it_is_counted_once() -> None:
    text = f"ERROR: (AuthorizationFailed) {REFUSED}\nCode: AuthorizationFailed\nMessage: {REFUSED}\n"
    found = {(one.kind, one.code): one for one in decode(text)}
    assert set(found) == {("arm", "AuthorizationFailed"), ("authorization", "AuthorizationFailed")}
    assert {one.occurrences for one in found.values()} == {1}
    assert found["authorization", "AuthorizationFailed"].fields == {
        "client_id": CLIENT,
        "object_id": OBJECT,
        "action": "Microsoft.Authorization/roleAssignments/write",
        "scope": SCOPE,
    }


def test_a_code_that_the_sdk_does_not_know() -> None:
    text = (
        "HttpResponseError: (None) ResourceNotReady: User container has crashed or terminated: Liveness probe failed: "
    )
    found = decode(text + "HTTP probe failed with statuscode: 502.")
    assert ("arm", "ResourceNotReady") in [(one.kind, one.code) for one in found]
    probe = next(one for one in found if one.kind == "probe" and one.code == "Liveness")
    assert probe.fields["status"] == "502"


AUTHORIZATION = {
    "wrapped": (
        REFUSED.replace(" ", "\n", 12),
        {"action": "Microsoft.Authorization/roleAssignments/write", "object_id": OBJECT, "scope": SCOPE},
    ),
    "dotnet": (
        REFUSED.replace("'", "\\u0027"),
        {"action": "Microsoft.Authorization/roleAssignments/write", "object_id": OBJECT, "scope": SCOPE},
    ),
    "linked": (
        (
            f"The client '{CLIENT}' with object id '{OBJECT}' has permission to perform action 'Microsoft.M/w/write' "
            f"on scope '{SCOPE}'; however, it does not have permission to perform action(s) "
            "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s) "
            "'/subscriptions/x/uai' (respectively) or the linked scope(s) are invalid."
        ),
        {
            "action": "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
            "scope": "/subscriptions/x/uai",
            "granted_action": "Microsoft.M/w/write",
            "object_id": OBJECT,
        },
    ),
    "data": (
        (
            f"The principal `{OBJECT}` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/"
            "deployments/chat/completions/action` to perform `POST "
            "/openai/deployments/{deployment-id}/chat/completions` operation."
        ),
        {
            "object_id": OBJECT,
            "action": "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
            "request": "POST /openai/deployments/{deployment-id}/chat/completions",
        },
    ),
    "identity": (
        (
            f"(UserError) Identity(object id: {OBJECT}) does not have permissions for "
            "Microsoft.MachineLearningServices/workspaces/agents/action actions. Please refer to the page"
        ),
        {"object_id": OBJECT, "action": "Microsoft.MachineLearningServices/workspaces/agents/action"},
    ),
    "vault": (
        (
            f"Caller is not authorized to perform action on resource.\r\nCaller: appid={CLIENT};oid={OBJECT};iss=https://sts\r\n"
            "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nResource: '/subscriptions/x/vaults/kv'\r\n"
        ),
        {"client_id": CLIENT, "object_id": OBJECT, "action": "Microsoft.KeyVault/vaults/secrets/getSecret/action"},
    ),
    "serving": (
        "Access denied to list workspace secret due to invalid authentication. Please ensure you have gain RBAC role",
        {"action": "Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"},
    ),
    "lookup": (
        'Lack authorization to perform action "Microsoft.MachineLearningService/workspaces/datastores/read"',
        {"action": "Microsoft.MachineLearningService/workspaces/datastores/read"},
    ),
}


@pytest.mark.parametrize("name", AUTHORIZATION)
def test_authorization(name: str) -> None:
    text, fields = AUTHORIZATION[name]
    found = only(text, "authorization")
    assert {key: found.fields.get(key) for key in fields} == fields


def test_curl_with_headers() -> None:
    text = """* Connected to ep.eastus2.inference.ml.azure.com
> POST /score HTTP/1.1
>
< HTTP/1.1 424 Failed Dependency
< content-type: application/json
< ms-azureml-model-error-statuscode: 400
< ms-azureml-model-error-reason: Bad Request
<
{"error":{"code":"UserError","message":"Required input fields ['question'] are missing"}}
"""
    found = only(text, "http")
    assert (found.code, found.line) == ("424", 4)
    assert found.fields["model_status"] == "400"
    assert found.fields["model_reason"] == "Bad Request"
    assert codes(text, "arm") == ["UserError"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('127.0.0.1 - - [01/May/2024:10:00:00 +0000] "POST /score HTTP/1.1" 500 53 "-" "curl/8"', "500"),
        ('HTTP Request: POST https://a.openai.azure.com/openai "HTTP/1.1 429 Too Many Requests"', "429"),
        ("requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://x.vault.azure.net/s", "403"),
        ("HTTP/2 408 \nserver: azureml-frontend\n", "408"),
        ("{'ms-azureml-model-error-statuscode': '503', 'ms-azureml-model-error-reason': 'x'}", "424"),
    ],
)
def test_http(text: str, status: str) -> None:
    assert codes(text, "http") == [status]


def test_a_healthy_answer_is_no_error() -> None:
    text = 'HTTP/1.1 200 OK\nserver: x\n\n{"answer": 1, "code": "print(1)"}\n10.0.0.1 "GET /health HTTP/1.1" 200 53'
    assert decode(text) == []


def _chain() -> str:
    try:
        try:
            import pfdoctor_has_no_such_module  # type: ignore[import-not-found]  # noqa: F401
        except ImportError as error:
            raise ValueError("could not load\nthe tool") from error
    except ValueError:
        return traceback.format_exc()
    raise AssertionError


@pytest.mark.parametrize("prefix", ["", "2024-05-01T10:00:00.1234567Z ", "app-1  | ", "    ", "#12 3.456 "])
def test_a_traceback_with_its_chain(prefix: str) -> None:
    text = "".join(f"{prefix}{line}\n" for line in _chain().splitlines()) + f"\n{prefix}next line\n"
    found = only(text, "exception")
    assert found.code == "ModuleNotFoundError"
    assert found.fields["missing_module"] == "pfdoctor_has_no_such_module"
    assert found.fields["chain"] == ["ModuleNotFoundError", "ValueError"]
    assert found.fields["raised_message"].split() == ["could", "not", "load", "the", "tool"]
    assert found.fields["owner"] == "user"
    assert found.fields["file"].endswith("test_decode.py")


def test_whose_code_it_was() -> None:
    text = """Traceback (most recent call last):
  File "/var/azureml-app/flow/n1.py", line 3, in run
    client.chat()
  File "/azureml-envs/runtime/lib/python3.9/site-packages/promptflow/tools/aoai.py", line 9, in chat
    raise X
promptflow.exceptions.UserErrorException: no
"""
    found = only(text, "exception")
    assert found.fields["owner"] == "platform"
    assert found.fields["module"] == "promptflow.tools.aoai"
    assert found.fields["user_file"] == "/var/azureml-app/flow/n1.py"


def test_a_rich_traceback() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    try:
        {}["AZURE_KEY"]  # type: ignore[index]
    except KeyError:
        console.print(Traceback())
    found = only(console.file.getvalue(), "exception")  # type: ignore[attr-defined]
    assert found.code == "KeyError"
    assert found.fields["key"] == "AZURE_KEY"
    assert found.fields["function"] == "test_a_rich_traceback"


def test_a_notebook_s_traceback() -> None:
    text = """OperationFailed                           Traceback (most recent call last)
File /anaconda/lib/python3.9/site-packages/azure/core/polling/base_polling.py:757, in LROBasePolling.run(self)
    756 try:
--> 757     self._poll()
    759 except BadStatus as err:

OperationFailed: Operation failed or canceled

The above exception was the direct cause of the following exception:

HttpResponseError                         Traceback (most recent call last)
Cell In[19], line 1
----> 1 ml_client.online_deployments.begin_create_or_update(blue).result()

HttpResponseError: (UserError) Nothing to deploy
Code: UserError
Message: Nothing to deploy
"""
    found = only(text, "exception")
    assert found.fields["chain"] == ["OperationFailed", "HttpResponseError"]
    assert codes(text, "arm") == ["UserError"]


GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 3, in main
  |     raise group
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line 9, in one
    |     int("x")
    | ValueError: invalid literal for int() with base 10: 'x'
    +------------------------------------
"""


def test_an_exception_group() -> None:
    assert set(codes(GROUP, "exception")) == {"ExceptionGroup", "ValueError"}


def test_promptflow_s_way_to_name_an_exception() -> None:
    text = "Tool load failed in 'n1': (ModuleNotFoundError) No module named 'langchain'"
    found = only(text, "exception")
    assert (found.code, found.fields) == ("ModuleNotFoundError", {"missing_module": "langchain"})


LINES = [
    (
        "ERROR: No matching distribution found for promptflow-vectordb==9.9",
        "pip",
        "no-distribution",
        {"package": "promptflow-vectordb"},
    ),
    ("ERROR: Failed building wheel for pyodbc", "pip", "wheel-failed", {"package": "pyodbc"}),
    (
        "ERROR: Package 'setuptools' requires a different Python: 3.7.13 not in '>=3.8'",
        "pip",
        "python-version",
        {"python": "3.7.13"},
    ),
    (
        "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
        "pip",
        "conflict",
        {"requirements": "a==1 and b==2"},
    ),
    ("ResolvePackageNotFound: \n  - python=3.99", "conda", "not-found", {"package": "python=3.99"}),
    ("CondaEnvException: Pip failed", "conda", "pip-failed", {}),
    (
        'ERROR: failed to solve: process "/bin/sh -c pip install -r r.txt" did not complete successfully: exit code: 1',
        "docker",
        "command-failed",
        {"exit_code": "1"},
    ),
    ("manifest for mcr.microsoft.com/x:2 not found: manifest unknown", "docker", "image-not-found", {}),
    ("[2024-05-01 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:21)", "worker", "timeout", {"pid": "21"}),
    ("[7] [ERROR] Worker (pid:21) was sent SIGKILL! Perhaps out of memory?", "worker", "killed", {"signal": "SIGKILL"}),
    ("[7] [ERROR] Worker (pid:21) exited with code 3", "worker", "exited", {"exit_code": "3"}),
    ("[7] [INFO] Reason: Worker failed to boot.", "worker", "boot-failed", {}),
    ("ERROR:    Application startup failed. Exiting.", "worker", "startup-failed", {}),
    ("State: Terminated, Reason: OOMKilled, Exit Code: 137", "memory", "killed", {}),
    ("Readiness probe failed: Get http://10.0.0.1:8080/health: dial tcp: connection refused", "probe", "Readiness", {}),
    ("RateLimitError #3, Retry-After=7, Back off 7.0 seconds for retry.", "retry", "RateLimitError", {"attempt": "3"}),
    ("socket.gaierror: [Errno -2] Name or service not known", "network", "name-not-resolved", {}),
    (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
        "network",
        "certificate",
        {},
    ),
    (
        "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy', ))",
        "network",
        "proxy",
        {},
    ),
    ("OpenAI API hits AuthenticationError: Error code: 401", "llm", "AuthenticationError", {}),
    ("This model's maximum context length is 8192 tokens. However, you", "llm", "context-length", {"limit": "8192"}),
]


@pytest.mark.parametrize(("text", "kind", "code", "fields"), LINES)
def test_one_line_tells_it(text: str, kind: str, code: str, fields: dict[str, Json]) -> None:
    found = [one for one in decode(text) if (one.kind, one.code) == (kind, code)]
    assert found, decode(text)
    assert {key: found[0].fields.get(key) for key in fields} == fields


def test_what_the_openai_package_raises() -> None:
    body = {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}
    found = next(
        one for one in decode(f"openai.NotFoundError: Error code: 404 - {body}") if one.code == "DeploymentNotFound"
    )
    assert (found.kind, found.fields["status"], found.fields["error"]) == ("llm", 404, "NotFoundError")


def test_a_content_filter() -> None:
    body = {
        "error": {
            "message": "The response was filtered due to the prompt triggering the policy.",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True}},
            },
        }
    }
    found = {(one.kind, one.code): one for one in decode(f"Error code: 400 - {body}")}
    assert found["llm", "content_filter"].fields["inner"] == "ResponsibleAIPolicyViolation"


def test_a_retry_storm() -> None:
    text = "".join(
        f"RateLimitError #{n}, but no Retry-After header, Back off {n}.0 seconds for retry.\n" for n in range(30)
    )
    storm = next(one for one in decode(text) if one.code == "storm")
    assert (storm.fields["attempts"], storm.fields["errors"]) == (30, ["RateLimitError"])
    assert storm.line == 1


def test_times_are_read_from_the_prefix_that_is_taken_off() -> None:
    text = "start\n2024-05-01T12:00:00.5+02:00 ##[error]ERROR: (Conflict) busy\n"
    found = only(text, "arm")
    assert (found.line, found.time, found.excerpt) == (2, "2024-05-01T10:00:00.5Z", "ERROR: (Conflict) busy")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 50,
        "npm WARN deprecated har-validator@5.1.5: this library is no longer supported",
        "const error = {code: 'x', message: y}; // see HTTP/1.1 for the rest",
        "2024-05-01 10:00:00 +0000 1 execution.flow INFO Node n1 completes.",
        "Collecting azure-core==1.30\nSuccessfully installed azure-core-1.30",
    ],
)
def test_noise_is_no_error(text: str) -> None:
    assert decode(text) == []
