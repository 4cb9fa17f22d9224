"""One fault of the serving app a case: what makes it, what is asked of the app, what a diagnosis has to say."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Json = Any


class Request(NamedTuple):
    """What is asked of the app once it is up."""

    body: str = '{"question": "How do I return a chair?"}'
    path: str = "/score"
    method: str = "POST"
    headers: dict[str, str] = {"Content-Type": "application/json"}  # noqa: RUF012  # never changed
    timeout: int = 20


class Case(NamedTuple):
    """A fault: how to make it, and what a diagnosis of its texts has to come to.

    `expect` lists alternatives of which one has to come first; `allowed` may be reported too; `never` must not be.
    `stub` is what Azure Resource Manager or Azure OpenAI answer.
    """

    title: str
    files: dict[str, str]
    expect: list[str]
    allowed: list[str] = []  # noqa: RUF012  # never changed
    never: list[str] = []  # noqa: RUF012  # never changed
    env: dict[str, str | None] = {}  # noqa: RUF012  # never changed
    requests: tuple[Request, ...] = (Request(),)
    engine: str = "flask"
    extension: str = "default"
    stub: tuple[int, Json] | None = None
    timeout: str = "300"


ANSWER = """from promptflow.core import tool


@tool
def answer(question: str) -> str:
    return f"You asked: {question}"
"""

DAG = """inputs:
  question:
    type: string
outputs:
  answer:
    type: string
    reference: ${answer.output}
nodes:
- name: answer
  type: python
  source:
    type: code
    path: answer.py
  inputs:
    question: ${inputs.question}
"""

CHAT = """inputs:
  question:
    type: string
    is_chat_input: true
  chat_history:
    type: list
    is_chat_history: true
outputs:
  answer:
    type: string
    reference: ${answer.output}
    is_chat_output: true
nodes:
- name: answer
  type: python
  source:
    type: code
    path: answer.py
  inputs:
    question: ${inputs.question}
"""

LLM = """inputs:
  question:
    type: string
outputs:
  answer:
    type: string
    reference: ${chat.output}
nodes:
- name: chat
  type: llm
  source:
    type: code
    path: chat.jinja2
  inputs:
    deployment_name: gpt-4o
    max_tokens: 64
    question: ${inputs.question}
  connection: aoai
  api: chat
"""

PROMPT = """# system:
You help customers of a furniture shop.

# user:
{{question}}
"""


def dag(text: str = DAG, answer: str = ANSWER, **more: str) -> dict[str, str]:
    """The healthy flow, with another flow file or another node."""
    return {"flow.dag.yaml": text, "answer.py": answer, **more}


def body(**inputs: Json) -> Request:
    return Request(json.dumps(inputs))


def raw(text: str, **headers: str) -> Request:
    return Request(text, headers={name.replace("_", "-"): value for name, value in headers.items()})


def tool(*lines: str, before: str = "", returns: str = "str") -> str:
    """A node whose function holds these lines."""
    inner = "\n".join("    " + line for line in lines)
    return f"{before}from promptflow.core import tool\n\n\n@tool\ndef answer(question: str) -> {returns}:\n{inner}\n"


def llm_flow() -> dict[str, str]:
    return {"flow.dag.yaml": LLM, "chat.jinja2": PROMPT}


def aoai(base: str = "{stub}/", **more: str) -> dict[str, str | None]:
    """An Azure OpenAI connection given as the data that listsecrets would answer."""
    connection = {
        "name": "aoai",
        "properties": {
            "authType": "ApiKey",
            "credentials": {"key": "not-a-key"},
            "category": "AzureOpenAI",
            "target": base,
            "metadata": {"ApiType": "azure", "ApiVersion": "2024-06-01"},
        },
    }
    return {"aoai": json.dumps(connection), **more}


def openai_error(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


FOLLOWS = ["worker-failed-to-boot"]
JSON_TYPE = {"Content-Type": "application/json"}

CASES: dict[str, Case] = {
    "healthy": Case("A healthy flow", dag(), []),
    "healthy-azureml": Case("A healthy flow with the extension of Azure ML", dag(), [], extension="azureml"),
    "healthy-fastapi": Case("A healthy flow on fastapi", dag(), [], engine="fastapi"),
    "package-missing": Case(
        "A node imports a package that is not installed",
        dag(answer=tool("return question", before="import langchain_community\n")),
        ["module-missing"],
        [*FOLLOWS, "import-not-provided", "requirements-not-installed"],
    ),
    "package-missing-azureml": Case(
        "The same, with the extension of Azure ML",
        dag(answer=tool("return question", before="from tenacity_ext import retry\n")),
        ["module-missing"],
        FOLLOWS,
        extension="azureml",
    ),
    "local-module-missing": Case(
        "A node imports a module of the flow that was not uploaded",
        dag(answer=tool("return question", before="from shared.search import find\n")),
        ["module-missing"],
        FOLLOWS,
    ),
    "name-not-in-package": Case(
        "A node imports a name that the installed package does not have",
        dag(answer=tool("return question", before="from openai import AzureOpenAIClient\n")),
        ["imported-name-missing", "openai-pinned-to-0x"],
        FOLLOWS,
    ),
    "tool-from-promptflow-connections": Case(
        "A node imports what promptflow never had",
        dag(answer=tool("return question", before="from promptflow.core import Tracer\n")),
        ["promptflow-import-gone", "import-tool-from-promptflow"],
        FOLLOWS,
    ),
    "relative-import": Case(
        "A node imports relatively",
        dag(answer=tool("return question", before="from .prices import find\n")),
        ["relative-import-in-tool"],
        FOLLOWS,
    ),
    "syntax-error": Case("A node is no Python", dag(answer="def answer(question:\n"), ["python-syntax-error"], FOLLOWS),
    "raises-at-import": Case(
        "A node raises when it is imported",
        dag(answer=tool("return question", before="import os\n\nKEY = os.environ['SEARCH_KEY']\n")),
        ["variable-not-in-container", "environment-variable-not-set"],
        [*FOLLOWS, "dotenv-not-uploaded"],
    ),
    "no-tool": Case(
        "A node's file has no tool",
        dag(answer="def answer(question):\n    return 1\n"),
        ["tool-function-missing"],
        FOLLOWS,
    ),
    "two-tools": Case(
        "A node's file has two tools",
        dag(answer=ANSWER + "\n\n@tool\ndef other(question: str) -> str:\n    return question\n"),
        ["tool-functions-several"],
        FOLLOWS,
    ),
    "node-file-missing": Case(
        "The file of a node is not there",
        {"flow.dag.yaml": DAG},
        ["tool-file-absent", "node-source-file-missing"],
        FOLLOWS,
    ),
    "flow-file-missing": Case(
        "There is no flow file", {"answer.py": ANSWER}, ["model-without-flow", "model-path-above-flow"], FOLLOWS
    ),
    "flow-files-several": Case(
        "There are two flow files",
        dag(**{"flow.flex.yaml": "entry: answer:answer\n"}),
        ["flow-file-duplicated"],
        FOLLOWS,
    ),
    "flow-yaml-broken": Case(
        "The flow file is no YAML",
        dag(DAG.replace("nodes:", "nodes: [")),
        ["flow-yaml-invalid", "yaml-tab", "flow-key-duplicated", "flow-several-documents"],
        FOLLOWS,
    ),
    "output-reference-missing": Case(
        "An output refers to a node that is not there",
        dag(DAG.replace("${answer.output}", "${summarise.output}")),
        ["output-reference-missing", "reference-malformed"],
        FOLLOWS,
    ),
    "node-reference-missing": Case(
        "A node refers to a node that is not there",
        dag(DAG.replace("${inputs.question}", "${rewrite.output}")),
        ["node-reference-missing", "reference-malformed"],
        FOLLOWS,
    ),
    "input-reference-missing": Case(
        "A node refers to an input that is not there",
        dag(DAG.replace("${inputs.question}", "${inputs.query}")),
        ["flow-input-reference-missing", "reference-malformed"],
        FOLLOWS,
    ),
    "node-cycle": Case(
        "Two nodes wait for each other",
        dag(
            DAG.replace("${inputs.question}", "${again.output}")
            + "- name: again\n  type: python\n  source:\n    type: code\n    path: answer.py\n"
            "  inputs:\n    question: ${answer.output}\n"
        ),
        ["node-cycle"],
        FOLLOWS,
    ),
    "duplicate-node": Case(
        "Two nodes have one name", dag(DAG + DAG[DAG.index("- name") :]), ["duplicate-node-name"], FOLLOWS
    ),
    "type-unknown": Case(
        "An input has a type that promptflow does not know",
        dag(DAG.replace("type: string", "type: str", 1)),
        ["input-type-unknown", "output-type-unknown"],
        FOLLOWS,
    ),
    "type-missing": Case(
        "An input has no type",
        dag(DAG.replace("    type: string\n", "    description: what is asked\n", 1)),
        ["input-type-missing", "output-type-missing"],
        FOLLOWS,
    ),
    "type-unservable": Case(
        "An input has a type that cannot be served",
        dag(DAG.replace("type: string", "type: file_path", 1)),
        ["input-type-unservable", "output-type-unservable"],
        FOLLOWS,
    ),
    "package-tool-missing": Case(
        "A node uses a tool of a package that is not installed",
        dag(
            DAG + "- name: lookup\n  type: python\n  source:\n    type: package\n"
            "    tool: promptflow_vectordb.tool.common_index_lookup.search\n"
            "  inputs:\n    queries: ${inputs.question}\n"
        ),
        ["lookup-tools-missing", "vectordb-package-missing"],
        [*FOLLOWS, "package-tool-not-provided", "legacy-tool-name", "promptflow-tool-unknown"],
    ),
    "legacy-tool-name": Case(
        "A node uses the former name of a tool",
        dag(
            DAG + "- name: lookup\n  type: python\n  source:\n    type: package\n"
            "    tool: embeddingstore.tool.faiss_index_lookup.search\n  inputs:\n    vector: ${inputs.question}\n"
        ),
        ["legacy-tool-name", "package-tool-not-provided"],
        FOLLOWS,
    ),
    "samples-json-invalid": Case(
        "samples.json is no JSON",
        dag(**{"samples.json": "[{'question': 'hi'}]"}),
        ["samples-json-invalid"],
        [*FOLLOWS, "response-fields-not-json"],
    ),
    "response-fields-not-json": Case(
        "PROMPTFLOW_RESPONSE_INCLUDED_FIELDS is no JSON",
        dag(),
        ["response-fields-not-json"],
        [*FOLLOWS, "samples-json-invalid"],
        env={"PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": "['answer']"},
    ),
    "engine-unknown": Case("The engine does not exist", dag(), ["serving-engine-unknown"], FOLLOWS, engine="FastAPI"),
    "insights-malformed": Case(
        "The connection string of Application Insights is malformed",
        dag(),
        ["application-insights-connection-string-malformed"],
        FOLLOWS,
        env={"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey"},
        extension="azureml",
    ),
    "override-malformed": Case(
        "PRT_CONFIG_OVERRIDE has a part without =",
        dag(),
        ["config-override-malformed"],
        FOLLOWS,
        env={"PRT_CONFIG_OVERRIDE": "deployment.subscription_id"},
        extension="azureml",
    ),
    "override-with-spaces": Case(
        "PRT_CONFIG_OVERRIDE has spaces after its commas",
        llm_flow(),
        ["config-override-names-no-workspace"],
        [*FOLLOWS, "connection-missing-in-workspace"],
        env={
            "PRT_CONFIG_OVERRIDE": "deployment.subscription_id=1, deployment.resource_group=g, "
            "deployment.workspace_name=w"
        },
        extension="azureml",
        stub=(404, openai_error("ResourceNotFound", "not found")),
    ),
    "provider-missing": Case(
        "Nothing says which workspace has the connections",
        dag(),
        ["connection-provider-missing"],
        FOLLOWS,
        env={"AML_DEPLOYMENT_RESOURCE_ID": None},
        extension="azureml",
    ),
    "provider-malformed": Case(
        "PROMPTFLOW_CONNECTION_PROVIDER is malformed",
        llm_flow(),
        ["connection-provider-malformed"],
        [*FOLLOWS, "connection-provider-differs"],
        env={"PROMPTFLOW_CONNECTION_PROVIDER": "azureml:/subscriptions/1/workspaces/w"},
        extension="azureml",
    ),
    "deployment-id-lower-case": Case(
        "AML_DEPLOYMENT_RESOURCE_ID is in lower case",
        dag(),
        ["deployment-id-not-understood"],
        FOLLOWS,
        env={
            "AML_DEPLOYMENT_RESOURCE_ID": "/subscriptions/1/resourcegroups/g/providers"
            "/microsoft.machinelearningservices/workspaces/w/onlineendpoints/e/deployments/d"
        },
        extension="azureml",
    ),
    "secrets-denied": Case(
        "Azure Resource Manager refuses the secrets of a connection",
        llm_flow(),
        ["secrets-listing-refused"],
        ["model-error-relayed"],
        ["container-crashed"],
        extension="azureml",
        stub=(403, openai_error("AuthorizationFailed", "denied")),
    ),
    "connection-not-found": Case(
        "The workspace has no such connection",
        llm_flow(),
        ["connection-missing-in-workspace"],
        [*FOLLOWS, "connection-not-resolved"],
        ["secrets-listing-refused"],
        extension="azureml",
        stub=(404, openai_error("ResourceNotFound", "not found")),
    ),
    "listing-unauthorised": Case(
        "Azure Resource Manager does not accept the token",
        llm_flow(),
        ["connection-listing-failed"],
        [*FOLLOWS, "connection-not-resolved"],
        extension="azureml",
        stub=(401, openai_error("InvalidAuthenticationToken", "expired")),
    ),
    "category-unsupported": Case(
        "A connection has a category that promptflow does not know",
        llm_flow(),
        ["connection-category-unsupported"],
        FOLLOWS,
        extension="azureml",
        stub=(
            200,
            {
                "name": "aoai",
                "properties": {
                    "authType": "ApiKey",
                    "category": "ApiKey",
                    "target": "https://x",
                    "credentials": {"key": "-"},
                    "metadata": {},
                },
            },
        ),
    ),
    "auth-type-unsupported": Case(
        "A connection signs in in a way that promptflow does not know",
        llm_flow(),
        ["connection-auth-type-unsupported"],
        FOLLOWS,
        extension="azureml",
        stub=(
            200,
            {
                "name": "aoai",
                "properties": {
                    "authType": "ManagedIdentity",
                    "category": "AzureOpenAI",
                    "target": "https://x",
                    "metadata": {"ApiType": "azure", "ApiVersion": "2024-06-01"},
                },
            },
        ),
    ),
    "connection-type-mismatch": Case(
        "A node wants a connection of another type",
        dag(
            DAG.replace("    question: ${inputs.question}\n", "    question: ${inputs.question}\n    conn: aoai\n"),
            "from promptflow.connections import CustomConnection\n"
            + ANSWER.replace("question: str", "question: str, conn: CustomConnection"),
        ),
        ["connection-type-mismatch"],
        FOLLOWS,
        env=aoai("https://shop.example.com/"),
        extension="azureml",
    ),
    "connection-unknown-local": Case(
        "A connection is unknown to the local provider",
        llm_flow(),
        ["connection-not-resolved", "connection-missing-in-workspace"],
        FOLLOWS,
        env={"PROMPTFLOW_CONNECTION_PROVIDER": "local"},
    ),
    "llm-deployment-missing": Case(
        "Azure OpenAI has no such deployment",
        llm_flow(),
        ["openai-deployment-missing"],
        ["llm-deployment-name-placeholder", "openai-resource-not-found", "model-error-relayed"],
        env=aoai(),
        extension="azureml",
        stub=(
            404,
            openai_error(
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
                "minutes, please wait a moment and try again.",
            ),
        ),
    ),
    "llm-resource-missing": Case(
        "The address of Azure OpenAI is wrong",
        llm_flow(),
        ["openai-resource-not-found"],
        ["model-error-relayed"],
        ["openai-deployment-missing"],
        env=aoai(),
        extension="azureml",
        stub=(404, openai_error("404", "Resource not found")),
    ),
    "llm-key-refused": Case(
        "Azure OpenAI refuses the key",
        llm_flow(),
        ["connection-secret-refused"],
        [],
        ["secrets-listing-refused"],
        env=aoai(),
        extension="azureml",
        stub=(
            401,
            openai_error(
                "401",
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
                "for an active subscription and use a correct regional API endpoint for your resource.",
            ),
        ),
    ),
    "llm-rate-limited": Case(
        "Azure OpenAI answers 429",
        llm_flow(),
        ["llm-rate-limited"],
        ["request-timed-out", "request-timeout-default"],
        env=aoai(),
        extension="azureml",
        stub=(
            429,
            openai_error(
                "429",
                "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-06-01 have "
                "exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 6 seconds.",
            ),
        ),
        requests=(Request(timeout=8),),
    ),
    "llm-bad-request": Case(
        "Azure OpenAI refuses a parameter",
        llm_flow(),
        ["openai-request-refused"],
        [],
        env=aoai(),
        extension="azureml",
        stub=(400, openai_error("BadRequest", "Invalid value: 'functions' is not supported with this model.")),
    ),
    "llm-content-filter": Case(
        "The content filter stops the request",
        llm_flow(),
        ["content-filtered"],
        ["openai-request-refused"],
        env=aoai(),
        extension="azureml",
        stub=(
            400,
            openai_error(
                "content_filter",
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            ),
        ),
    ),
    "llm-permission-denied": Case(
        "Azure OpenAI refuses the identity",
        llm_flow(),
        ["openai-principal-denied"],
        [],
        ["secrets-listing-refused"],
        env=aoai(),
        extension="azureml",
        stub=(401, openai_error("PermissionDenied", "Principal does not have access to API/Operation.")),
    ),
    "input-missing": Case("A request lacks an input", dag(), ["request-input-missing"], requests=(body(query="hi"),)),
    "input-in-envelope": Case(
        "A request wraps its inputs", dag(), ["request-input-missing"], requests=(body(input_data={"question": "hi"}),)
    ),
    "input-missing-fastapi": Case(
        "A request lacks an input, on fastapi", dag(), ["request-input-missing"], engine="fastapi", requests=(body(),)
    ),
    "chat-history-text": Case(
        "A request sends the history as text",
        dag(CHAT),
        ["chat-history-wrong-shape"],
        ["input-default-wrong-type"],
        requests=(body(question="hi", chat_history="none so far"),),
    ),
    "input-of-wrong-type": Case(
        "A request sends a list for a text that should be a number",
        dag(
            DAG.replace("outputs:", "  top_k:\n    type: int\noutputs:", 1),
        ),
        ["request-input-wrong-type"],
        ["input-default-wrong-type"],
        requests=(body(question="hi", top_k="three"),),
    ),
    "not-json": Case(
        "A request is no JSON, and the flow has two inputs",
        dag(CHAT),
        ["request-not-json"],
        requests=(raw("How do I return a chair?", Content_Type="text/plain"),),
    ),
    "json-broken": Case(
        "A request is broken JSON",
        dag(CHAT),
        ["request-not-json"],
        ["samples-json-invalid", "response-fields-not-json"],
        requests=(raw("{'question': 'hi'}", Content_Type="application/json"),),
    ),
    "stream-not-offered": Case(
        "A caller wants a stream that is not there",
        dag(),
        ["stream-not-offered"],
        requests=(raw('{"question": "hi"}', Content_Type="application/json", Accept="text/event-stream"),),
    ),
    "accept-with-charset": Case(
        "The Accept header has a charset",
        dag(),
        ["accept-header-refused"],
        requests=(
            raw('{"question": "hi"}', Content_Type="application/json", Accept="application/json; charset=utf-8"),
        ),
    ),
    "accept-quality-fastapi": Case(
        "The Accept header has a quality, on fastapi",
        dag(),
        ["accept-header-refused"],
        engine="fastapi",
        requests=(raw('{"question": "hi"}', Content_Type="application/json", Accept="application/json;q=0.9"),),
    ),
    "wrong-method": Case(
        "A caller asks with GET", dag(), ["requested-route-unknown"], requests=(Request("", method="GET", headers={}),)
    ),
    "wrong-path": Case(
        "A caller asks for another path", dag(), ["requested-route-unknown"], requests=(Request(path="/api/chat"),)
    ),
    "node-raises": Case(
        "A node raises", dag(answer=tool("raise ValueError('no index for this language')")), ["node-raised"]
    ),
    "node-raises-fastapi": Case(
        "A node raises, on fastapi",
        dag(answer=tool("return {'a': 1}['b']", returns="dict")),
        ["node-raised"],
        ["environment-variable-not-set", "dotenv-not-uploaded"],
        ["variable-not-in-container"],
        engine="fastapi",
    ),
    "variable-missing": Case(
        "A node reads a variable that is not set",
        dag(answer=tool("return os.environ['AZURE_SEARCH_ENDPOINT']", before="import os\n\n")),
        ["variable-not-in-container", "environment-variable-not-set"],
        ["dotenv-not-uploaded", "node-raised"],
    ),
    "output-not-serialisable": Case(
        "A node returns what is no JSON",
        dag(answer=tool("return datetime.datetime(2026, 11, 23)", before="import datetime\n\n", returns="object")),
        ["output-not-serialisable"],
    ),
    "output-property-missing": Case(
        "An output asks for a property that is not there",
        dag(DAG.replace("${answer.output}", "${answer.output.text}")),
        ["flow-output-property-missing"],
    ),
    "two-streams": Case(
        "Two outputs are streams",
        dag(
            DAG.replace("nodes:", "  again:\n    type: string\n    reference: ${answer2.output}\nnodes:")
            + "- name: answer2\n  type: python\n  source:\n    type: code\n    path: answer.py\n"
            "  inputs:\n    question: ${inputs.question}\n",
            tool("yield question", "yield '!'"),
        ),
        ["multiple-stream-outputs"],
        requests=(raw('{"question": "hi"}', Content_Type="application/json", Accept="text/event-stream"),),
    ),
    "stream": Case(
        "A healthy stream",
        dag(answer=tool("yield question", "yield '!'")),
        [],
        requests=(raw('{"question": "hi"}', Content_Type="application/json", Accept="text/event-stream"),),
    ),
    "async-generator": Case(
        "A flex flow streams asynchronously on flask",
        {
            "flow.flex.yaml": "entry: chat:chat\n",
            "chat.py": "async def chat(question: str):\n    for word in question.split():\n        yield word\n",
        },
        ["async-generator-on-flask"],
        requests=(raw('{"question": "hi"}', Content_Type="application/json", Accept="text/event-stream"),),
    ),
    "template-syntax": Case(
        "A prompt is no Jinja",
        {
            "flow.dag.yaml": DAG.replace("type: python", "type: prompt").replace("answer.py", "answer.jinja2"),
            "answer.jinja2": "{% if question %}{{ question }\n",
        },
        ["template-syntax-error"],
        FOLLOWS,
    ),
    "template-sandbox": Case(
        "A prompt uses what the sandbox forbids",
        {
            "flow.dag.yaml": DAG.replace("type: python", "type: prompt").replace("answer.py", "answer.jinja2"),
            "answer.jinja2": "{{ question.__class__.__mro__ }}\n",
        },
        ["template-attribute-refused", "template-sandbox-refused"],
    ),
    "prompt-without-roles": Case(
        "A chat prompt has no roles",
        {"flow.dag.yaml": LLM, "chat.jinja2": "Answer this: {{question}}\n"},
        ["chat-template-without-roles", "chat-template-text-before-role"],
        env=aoai(),
        extension="azureml",
    ),
    "flex-entry-module-missing": Case(
        "The entry of a flex flow names no module",
        {"flow.flex.yaml": "entry: chatt:chat\n", "chat.py": "def chat(question: str):\n    return question\n"},
        ["flex-module-missing", "module-missing", "flex-entry-malformed"],
        [*FOLLOWS, "flex-attribute-missing", "flex-entry-not-callable"],
    ),
    "flex-entry-function-missing": Case(
        "The entry of a flex flow names no function",
        {"flow.flex.yaml": "entry: chat:run\n", "chat.py": "def chat(question: str):\n    return question\n"},
        ["flex-attribute-missing", "flex-entry-not-callable", "flex-entry-malformed"],
        FOLLOWS,
    ),
    "flex-init-missing": Case(
        "The class of a flex flow wants arguments",
        {
            "flow.flex.yaml": "entry: chat:Chat\n",
            "chat.py": "class Chat:\n    def __init__(self, model: str):\n        self.model = model\n\n"
            "    def __call__(self, question: str) -> str:\n        return question\n",
        },
        ["flex-init-arguments-missing", "flex-init-argument-unknown"],
        FOLLOWS,
    ),
    "flex-init-not-json": Case(
        "PF_FLOW_INIT_CONFIG is no JSON",
        {
            "flow.flex.yaml": "entry: chat:Chat\n",
            "chat.py": "class Chat:\n    def __init__(self, model: str):\n        self.model = model\n\n"
            "    def __call__(self, question: str) -> str:\n        return question\n",
        },
        ["init-config-not-json"],
        FOLLOWS,
        env={"PF_FLOW_INIT_CONFIG": "model=gpt-4o"},
    ),
    "evaluation-flow": Case(
        "An evaluation flow is served",
        dag(
            DAG.replace("${answer.output}", "${score.output}")
            + "- name: score\n  type: python\n  source:\n    type: code\n    path: answer.py\n"
            "  inputs:\n    question: ${answer.output}\n  aggregation: true\n"
        ),
        ["output-of-aggregation-node", "evaluation-flow", "evaluation-flow-deployed"],
    ),
    "worker-timeout": Case(
        "A request takes longer than gunicorn waits",
        dag(answer=tool("time.sleep(30)", "return question", before="import time\n\n")),
        ["worker-timeout"],
        ["out-of-memory"],
        timeout="3",
        requests=(Request(timeout=12),),
    ),
    "out-of-memory": Case(
        "A worker is killed as for memory",
        dag(
            answer=tool(
                "os.kill(os.getpid(), signal.SIGKILL)", "return question", before="import os\nimport signal\n\n"
            )
        ),
        ["out-of-memory"],
        requests=(Request(timeout=12),),
    ),
    "collector-broken": Case(
        "The data collector cannot start",
        dag(),
        ["collector-not-started"],
        env={"PFDOCTOR_WITHOUT": "azureml.ai.monitoring"},
        extension="azureml",
    ),
    "required-argument": Case(
        "A node's function wants an argument that the flow does not give",
        dag(answer=ANSWER.replace("question: str", "question: str, language: str")),
        ["required-argument-missing", "branch-argument-mismatch"],
        ["llm-names-no-model", "node-raised"],
    ),
    "unexpected-argument": Case(
        "A flow gives an argument that the function does not take",
        dag(DAG + "    language: en\n"),
        ["unexpected-argument", "branch-argument-mismatch"],
        ["node-raised"],
    ),
    "argument-wrong-type": Case(
        "A literal cannot become its parameter's type",
        dag(DAG + "    top_k: many\n", ANSWER.replace("question: str", "question: str, top_k: int")),
        ["argument-wrong-type"],
        FOLLOWS,
    ),
}
