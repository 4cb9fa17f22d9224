"""Starts the real prompt flow serving app with one fault at a time, and keeps what it prints and answers.

    PFDOCTOR_PROMPTFLOW_PYTHON=/path/to/python tests/real_texts/make.py [case …]

The interpreter is of an environment with requirements/promptflow.txt; this file itself runs on any Python with PyYAML.
Everything stays on loopback: a small server here plays the identity endpoint, Azure Resource Manager and Azure OpenAI,
and answers what a case asks it to. For each case of cases.py it writes `log.txt` (what the container prints),
`response.txt` (what curl -i shows, where the app answered) and `case.yaml` (what a diagnosis has to come to).

Machine paths become those of a deployment's container; times, process ids, ports and random ids become fixed ones.
"""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))
from cases import CASES, Case, Request

HERE = Path(__file__).resolve().parent
PYTHON = Path(os.environ.get("PFDOCTOR_PROMPTFLOW_PYTHON", ""))
MODEL = "azureml-models/support-flow/1"
CONTAINER = "/var/azureml-app/" + MODEL
SITE = "/azureml-envs/prompt-flow/runtime/lib/python3.11/site-packages"
RANDOM_ID = "11111111-2222-3333-4444-555555555555"
START_SECONDS = 60
# a token that nobody signed: the app reads its claims and does not check them
CLAIMS = b'{"aud":"https://management.azure.com","exp":4000000000}'
TOKEN = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', CLAIMS, b"-"))
# Azure Resource Manager is asked here, on loopback; a module that is None cannot be imported
SITECUSTOMIZE = """
import os
import sys
for name in filter(None, os.environ.get("PFDOCTOR_WITHOUT", "").split(",")):
    sys.modules[name] = None
if os.environ.get("PFDOCTOR_ARM"):
    import requests.sessions
    _request = requests.sessions.Session.request
    def request(self, method, url, *args, **kwargs):
        url = url.replace("https://management.azure.com", os.environ["PFDOCTOR_ARM"])
        return _request(self, method, url, *args, **kwargs)
    requests.sessions.Session.request = request
"""


class Stub(http.server.BaseHTTPRequestHandler):
    """Identity endpoint, Azure Resource Manager and Azure OpenAI; the first part of the path says which case asks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        token = {"access_token": TOKEN, "expires_on": "4000000000", "resource": "arm", "token_type": "Bearer"}
        self._answer(200, token)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        name = self.path.split("/")[1]
        answer = CASES[name].stub if name in CASES else None
        self._answer(*(answer or (200, {})))

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Nothing: what is kept is what the app prints."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(name: str, case: Case, stub: str) -> tuple[str, list[str]]:
    """The log and the transcripts of the requests, both as they came."""
    with tempfile.TemporaryDirectory() as root:
        flow = Path(root, MODEL)
        flow.mkdir(parents=True)
        Path(root, "site").mkdir()
        Path(root, "site", "sitecustomize.py").write_text(SITECUSTOMIZE)
        for path, content in case.files.items():
            target = flow / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content.replace("{stub}", f"{stub}/{name}"))
        port = free_port()
        environment = {
            "PATH": f"{PYTHON.parent}:/usr/bin:/bin",
            "HOME": root,
            "PYTHONPATH": f"{root}/site",
            "PROMPTFLOW_PROJECT_PATH": str(flow),
            "PF_DISABLE_TELEMETRY": "true",
            "NO_PROXY": "*",
            "PYTHONHASHSEED": "0",
        }
        if case.extension == "azureml":
            environment |= {
                "PFDOCTOR_ARM": f"{stub}/{name}",
                "IDENTITY_ENDPOINT": f"{stub}/token",
                "IDENTITY_HEADER": "header",
                "AML_DEPLOYMENT_RESOURCE_ID": "/subscriptions/00000000-0000-0000-0000-00000000000a"
                "/resourceGroups/rg-support/providers/Microsoft.MachineLearningServices/workspaces/ws-support/onlineEndpoints/support"
                "/deployments/blue",
            }
        for key, value in case.env.items():
            if value is None:
                environment.pop(key, None)
            else:
                environment[key] = value.replace("{stub}", f"{stub}/{name}").replace("{root}", root)
        arguments = [f"extension_type='{case.extension}'"] if case.extension != "default" else []
        if case.engine != "flask":
            arguments.append(f"engine='{case.engine}'")
        app = f"promptflow.core._serving.app:create_app({', '.join(arguments)})"
        command = [str(PYTHON), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--timeout", case.timeout, app]
        if case.engine == "fastapi":
            command[3:3] = ["--worker-class", "uvicorn.workers.UvicornWorker"]
        log = Path(root, "log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=flow, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                answers = _ask(process, port, case) if _started(process, port) else []
            finally:
                # at once, so that a log does not end with a shutdown that no deployment had
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        text = log.read_text("utf-8", "replace")
        places = {str(flow): CONTAINER, root: "/var/azureml-app", stub: "http://127.0.0.1:9000"}
        return normalised(text, port, places), [normalised(answer, port, places) for answer in answers]


def _started(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return True
        time.sleep(0.3)
    return False


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except OSError:
        return False
    return True


def _ask(process: subprocess.Popen[bytes], port: int, case: Case) -> list[str]:
    answers = []
    for request in case.requests:
        answers.append(_transcript(port, request))
        time.sleep(0.3)
        if process.poll() is not None:
            break
    return answers


def _transcript(port: int, request: Request) -> str:
    """What `curl -i` shows for the request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=request.timeout)
    headers = {"User-Agent": "curl/8.5.0", **request.headers}
    try:
        connection.request(request.method, request.path, request.body.encode(), headers)
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    except TimeoutError:
        return f"curl: (28) Operation timed out after {request.timeout}000 milliseconds with 0 bytes received\n"
    except (OSError, http.client.HTTPException):
        return "curl: (52) Empty reply from server\n"
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.getheaders()]
    return "\n".join(lines) + "\n\n" + body + ("" if body.endswith("\n") else "\n")


def normalised(text: str, port: int, places: dict[str, str]) -> str:
    """The text as a deployment's container would have printed it, with everything that changes between runs fixed."""
    for path, put in places.items():
        text = text.replace(path, put)
    venv = PYTHON.parent.parent
    text = text.replace(str(next((venv / "lib").glob("python3*/site-packages"))), SITE).replace(
        str(venv), "/azureml-envs/prompt-flow/runtime"
    )
    text = re.sub(r"""(?<=['"])/[^'"\n]*/lib/python3\.\d+/(?!site-packages)""", "/usr/lib/python3.11/", text)
    text = text.replace(f"127.0.0.1:{port}", "0.0.0.0:8080")
    text = re.sub(r"/tmp/[\w./-]*", "/tmp/file", text)
    text = re.sub(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d", r"2026-11-23\g<1>18:00:00", text)
    text = re.sub(r"(?m)^(Date|date): .*$", r"\1: Mon, 23 Nov 2026 18:00:00 GMT", text)
    text = re.sub(r"\[(\d+)\](?= \[)", "[7]", text)
    text = re.sub(r"(pid[: ]+)\d+", r"\g<1>7", text)
    text = re.sub(r"(?<=http://0\.0\.0\.0:8080 \()\d+", "7", text)
    text = re.sub(r"(?m)(?<=\+0000 ) *\d+(?= execution)", "      7", text)
    text = re.sub(r"(?<=server process \[)\d+", "7", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x7f0000000000", text)
    text = re.sub(r"(?<![0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-(?!0{8})[0-9a-f]{12}(?![0-9a-f])", RANDOM_ID, text)
    text = re.sub(r"(?<=18:00:00),\d{3}\b", ",000", text)
    text = re.sub(r"\b(\d+\.\d{3,})( ?(?:s|ms|seconds)\b)", r"0.001\2", text)
    text = re.sub(r"(\+0000\] )?\[(\d{4}-\d\d-\d\d [^\]]*)\] \[\d+\]", r"[\2] [7]", text)
    # a thread of the telemetry library looks for its settings whenever it gets to it
    text = re.sub(r"(?m)^.*OneSettings.*\n", "", text)
    return re.sub(r"[ \t]+\n", "\n", text)


def keep(name: str, case: Case, log: str, answers: list[str]) -> None:
    """Writes the files of a case."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "log.txt").write_text(log, "utf-8")
    if answers:
        (folder / "response.txt").write_text("\n".join(answers), "utf-8")
    expectation = {"title": case.title, "expect": case.expect, "allowed": case.allowed, "never": case.never}
    (folder / "case.yaml").write_text(
        yaml.safe_dump(expectation, sort_keys=False, allow_unicode=True, width=118), "utf-8"
    )


def main(names: list[str]) -> int:
    """Makes the named cases anew, or all of them."""
    if not PYTHON.is_file():
        print("PFDOCTOR_PROMPTFLOW_PYTHON names no interpreter: see requirements/README.md", file=sys.stderr)
        return 2
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stub = f"http://127.0.0.1:{server.server_address[1]}"
    chosen = {name: CASES[name] for name in names} if names else CASES
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pending = {pool.submit(run, name, case, stub): name for name, case in chosen.items()}
        for done in concurrent.futures.as_completed(pending):
            name = pending[done]
            log, answers = done.result()
            keep(name, CASES[name], log, answers)
            print(f"{name}: {len(log.splitlines())} lines, {len(answers)} answers", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
