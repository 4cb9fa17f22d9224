"""Logs as facts: from files, folders and archives in any encoding; cut ones known to be so; secrets kept inside."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pfdoctor import catalog
from pfdoctor.collect import logs
from pfdoctor.collect.logs import Knowledge, sources
from pfdoctor.core.model import Json
from pfdoctor.core.rule import Symptom

LOG = """Instance status:
SystemSetup: Succeeded
UserContainerImagePull: Succeeded
ModelDownload: Succeeded
UserContainerStart: InProgress

[2024-05-01 10:00:00 +0000] [7] [INFO] Starting gunicorn 22.0.0
[2024-05-01 10:00:00 +0000] [7] [INFO] Listening at: http://0.0.0.0:8080 (7)
[2024-05-01 10:00:00 +0000] [8] [INFO] Booting worker with pid: 8
2024-05-01 10:00:01 +0000       8 promptflow-serving INFO     Create extension with type: azureml
2024-05-01 10:00:01 +0000       8 promptflow-serving INFO     Project path: /var/azureml-app/flow
2024-05-01 10:00:01 +0000       8 promptflow-serving INFO     Connection name overrides: {}
2024-05-01 10:00:02 +0000       8 promptflow-serving INFO     Promptflow executor starts initializing...
2024-05-01 10:00:03 +0000       8 promptflow-serving ERROR    Promptflow serving app error: x
Traceback (most recent call last):
  File "/var/azureml-app/flow/n1.py", line 3, in <module>
    import langchain
ModuleNotFoundError: No module named 'langchain'
[2024-05-01 10:00:04 +0000] [8] [INFO] Worker exiting (pid: 8)
[2024-05-01 10:00:04 +0000] [7] [ERROR] Reason: Worker failed to boot.
"""


@pytest.fixture(scope="module")
def symptoms() -> Mapping[str, Symptom]:
    return catalog.load_full().symptoms


def read_one(path: Path, symptoms: Mapping[str, Symptom], known: Knowledge | None = None) -> dict[str, Json]:
    found = logs.read([str(path)], symptoms, *(() if known is None else (known,)))
    assert found.problems == []
    assert len(found.logs) == 1
    return found.logs[0]


def ids(log: dict[str, Json]) -> set[str]:
    return {hit["symptom"] for hit in log["hits"]}


def test_the_facts_of_a_log(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    path = tmp_path / "log.txt"
    path.write_text(LOG)
    log = read_one(path, symptoms)
    assert (log["source"], log["container"], log["format"]) == (str(path), "inference-server", "get-logs")
    assert (log["lines"], log["bytes"], log["stage"]) == (LOG.count("\n"), len(LOG), "tools")
    assert (log["time_from"], log["time_to"]) == ("2024-05-01T10:00:00Z", "2024-05-01T10:00:04Z")
    assert log["looked_for"] == sorted(name for name, one in symptoms.items() if not one.elsewhere)
    hit = next(hit for hit in log["hits"] if hit["symptom"] == "module-not-found")
    assert (hit["line"], hit["time"], hit["count"]) == (18, "2024-05-01T10:00:03Z", 1)
    assert hit["excerpt"] == "ModuleNotFoundError: No module named 'langchain'"
    kinds = [(one["kind"], one["code"]) for one in log["errors"]]
    assert kinds == [("exception", "ModuleNotFoundError"), ("worker", "boot-failed")]
    assert (log["complete"], log["cut"]) == (False, "nobody says which deployment it is from, and when")


def test_the_facts_have_the_shape_of_the_schema(tmp_path: Path, root: Path, symptoms: Mapping[str, Symptom]) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads((root / "rules/schema/facts.schema.json").read_text("utf-8"))
    path = tmp_path / "log.txt"
    path.write_text(LOG)
    log = read_one(path, symptoms)
    Draft202012Validator(schema["properties"]["logs"]).validate([log])
    assert set(log) == set(schema["properties"]["logs"]["items"]["properties"])


def _same_in_essence(log: dict[str, Json], other: dict[str, Json]) -> None:
    for key in ("lines", "stage", "time_from", "time_to", "container"):
        assert log[key] == other[key], key
    assert [(one["symptom"], one["line"], one["captures"]) for one in log["hits"]] == [
        (one["symptom"], one["line"], one["captures"]) for one in other["hits"]
    ]
    assert [(one["kind"], one["code"], one["line"]) for one in log["errors"]] == [
        (one["kind"], one["code"], one["line"]) for one in other["errors"]
    ]


def _zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/inference-server.log", text)
    return buffer.getvalue()


FORMS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with mark": lambda text: text.encode("utf-8-sig"),
    "utf-16 as PowerShell writes it": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "utf-16-le without mark": lambda text: text.encode("utf-16-le"),
    "utf-16-be without mark": lambda text: text.encode("utf-16-be"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "zip": _zipped,
    "what az prints": lambda text: json.dumps(text).encode(),
    "what the service answers": lambda text: json.dumps({"content": text}).encode(),
    "the same, indented": lambda text: json.dumps({"content": text}, indent=2).encode(),
    "what az prints after warnings": lambda text: f"WARNING: preview\n{json.dumps(text)}\n".encode(),
    "a list of lines": lambda text: json.dumps({"count": 3, "value": text.rstrip("\n").split("\n")}).encode(),
    "github actions": lambda text: "".join(
        f"2024-05-01T12:00:00.1234567+02:00 {line}\n" for line in text.splitlines()
    ).encode(),
    "docker compose": lambda text: "".join(f"serving-1  | {line}\n" for line in text.splitlines()).encode(),
    "kubectl": lambda text: "".join(f"[pod/a/inference-server] {line}\n" for line in text.splitlines()).encode(),
    "coloured": lambda text: "".join(f"\x1b[36m{line}\x1b[0m\n" for line in text.splitlines()).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form(form: str, tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.write_text(LOG)
    other.write_bytes(FORMS[form](LOG))
    one, two = read_one(plain, symptoms), read_one(other, symptoms)
    if form == "github actions":
        two |= {"time_from": one["time_from"], "time_to": one["time_to"]}
    if form == "a list of lines":
        two["lines"] = one["lines"]
    if form == "what az prints after warnings":
        two["lines"] -= 1
        for found in (*two["hits"], *two["errors"]):
            found["line"] -= 1
    _same_in_essence(one, two)


def test_json_that_is_no_log_is_read_as_it_is(symptoms: Mapping[str, Symptom]) -> None:
    lines = [json.dumps({"log": f"{line}\n", "stream": "stdout", "time": "x"}) for line in LOG.splitlines()]
    log = logs.read_text("\n".join(lines), symptoms, source="docker")
    assert (log["lines"], log["stage"]) == (len(lines), "tools")
    assert "module-not-found" in ids(log)
    after = logs.read_text(json.dumps("one\ntwo") + "\nERROR: (Conflict) promptflow\n", symptoms, source="-")
    assert [one["code"] for one in after["errors"]] == ["Conflict"]


def test_latin_1(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    path = tmp_path / "log"
    path.write_bytes("Fehler: Übergabe – No module named 'größe'\n".encode("cp1252"))
    assert read_one(path, symptoms)["hits"][0]["excerpt"] == "Fehler: Übergabe – No module named 'größe'"


def test_a_json_string_in_pieces(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    """The string of a long log is longer than what is read at a time, and an escape may lie across the border."""
    text = '2024-05-01 10:00:00 +0000 x \\ " ü \t tab\n' * 8_000 + LOG
    for shift in range(0, 8, 3):
        path = tmp_path / f"{shift}"
        path.write_text(json.dumps("x" * shift + text))
        log = read_one(path, symptoms)
        assert log["lines"] == text.count("\n")
        assert next(hit["line"] for hit in log["hits"]) == 8_000 + 18


def test_standard_input(symptoms: Mapping[str, Symptom], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin(NamedTuple):
        buffer: io.BytesIO

    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(LOG.encode())))
    found = logs.read(["-"], symptoms)
    assert found.logs[0]["source"] == "-"
    assert "module-not-found" in ids(found.logs[0])


def test_a_folder(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    (tmp_path / "a.log").write_text(LOG)
    (tmp_path / "again.log").write_text(LOG)
    (tmp_path / "storage-initializer.log").write_text("Downloading\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.gz").write_bytes(gzip.compress(b"No module named 'x'\n"))
    found = logs.read([str(tmp_path)], symptoms)
    names = [Path(log["source"]).name for log in found.logs]
    assert names == ["a.log", "storage-initializer.log", "b.gz"]
    assert found.logs[1]["container"] == "storage-initializer"
    assert [one["problem"] for one in found.problems] == ["binary"]
    assert "a picture" in found.problems[0]["detail"]


def test_github_s_archive_holds_every_step_twice(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0_deploy.txt", "2024-05-01T10:00:00Z one\n2024-05-01T10:00:00Z No module named 'x'\n")
        archive.writestr("deploy/1_run.txt", "2024-05-01T10:00:00Z No module named 'x'\n")
    assert [log["source"] for log in logs.read([str(path)], symptoms).logs] == [f"{path}!0_deploy.txt"]


def test_what_cannot_be_read_is_a_problem(tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"x" * 100_000)[:12])
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "program").write_bytes(b"\x7fELF" + bytes(200))
    (tmp_path / "empty").mkdir()
    names = [str(tmp_path / name) for name in ("nowhere", "cut.gz", "bad.zip", "program", "empty")]
    found = logs.read([*names, "a\0b"], symptoms)
    assert found.logs == []
    assert [one["problem"] for one in found.problems] == [
        "missing",
        "unreadable",
        "unreadable",
        "binary",
        "empty",
        "unreadable",
    ]


def test_a_bomb_is_not_unpacked(
    tmp_path: Path, symptoms: Mapping[str, Symptom], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_GENEROUS", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("log.txt", "w") as member:
        member.write(b"promptflow-serving ModuleNotFoundError: No module named 'x'\n")
        for _ in range(8):
            member.write(b"a\n" * (1 << 19))
    log = logs.read([str(path)], symptoms).logs[0]
    assert log["complete"] is False
    assert "unpacks to more than" in log["cut"]
    assert log["bytes"] < 3 << 20
    assert "module-not-found" in ids(log)


@pytest.mark.parametrize(
    ("text", "known", "why"),
    [
        (LOG, Knowledge(complete=True), None),
        (LOG, Knowledge(complete=True, newer_than="2024-05-01T09:00:00Z", tail=500), None),
        (LOG, Knowledge(complete=True, tail=20), "only its last 20 lines"),
        (LOG, Knowledge(complete=True, newer_than="2024-05-01T11:00:00Z"), "before the deployment last changed"),
        ("nothing\n", Knowledge(complete=True, newer_than="2024-05-01T11:00:00Z"), "says when it was written"),
        (LOG.replace("    import langchain\n", "...\n"), Knowledge(complete=True), "a part is left out (...)"),
        (LOG + "… and then [output truncated", Knowledge(complete=True), "left out (output truncated)"),
        (LOG + "2024-05-01 10:00:05 +0000 the answer was ...", Knowledge(complete=True), "in the middle of a line"),
        ("x\n" * 500, Knowledge(), "exactly 500 lines"),
        (LOG.replace("Instance status:", "Exit"), Knowledge(), "nobody says"),
    ],
)
def test_what_makes_a_log_complete(
    text: str, known: Knowledge, why: str | None, symptoms: Mapping[str, Symptom]
) -> None:
    log = logs.read_text(text, symptoms, source="getLogs", known=known)
    assert log["complete"] is (why is None)
    assert (log["cut"] is None) is (why is None)
    assert (why or "") in (log["cut"] or "")


STAGES = [
    ("", None),
    ("Instance status:\nSystemSetup: Succeeded\n", "platform"),
    ("detecting promptflow run mode...\nPROMPTFLOW_RUN_MODE: serving\n", "run-mode"),
    ("[2024-05-01 10:00:00 +0000] [7] [INFO] Listening at: http://0.0.0.0:8080 (7)\n", "server"),
    ("2024 1 promptflow-serving INFO     Project path: /flow\n", "project"),
    ("x Connection name overrides: {}\n", "connections"),
    ("x Promptflow executor starts initializing...\n", "tools"),
    ("x Promptflow executor initializing succeed!\n", "ready"),
    ('127.0.0.1 - - [01/May/2024:10:00:00 +0000] "GET /health HTTP/1.1" 200 53 "-" "kube-probe/1.2"\n', "listening"),
    ("x Start loading request data...\n", "scoring"),
]


@pytest.mark.parametrize("last", range(len(STAGES)))
def test_the_last_stage(last: int, symptoms: Mapping[str, Symptom]) -> None:
    text = "".join(line for line, _ in STAGES[: last + 1])
    assert logs.read_text(text, symptoms, source="-")["stage"] == STAGES[last][1]


def test_a_container_that_starts_again_has_the_stage_of_its_last_start(symptoms: Mapping[str, Symptom]) -> None:
    text = "Starting gunicorn 22\nPromptflow executor initializing succeed!\nStarting gunicorn 22\nProject path: /x\n"
    assert logs.read_text(text, symptoms, source="-")["stage"] == "project"


def test_captures_and_counts(symptoms: Mapping[str, Symptom]) -> None:
    line = "promptflow._sdk UserErrorException: Environment variable {} is not found\n"
    log = logs.read_text(line.format("A") + line.format("B") + line.format("A"), symptoms, source="-")
    hits = [hit for hit in log["hits"] if hit["symptom"] == "connection-variable-not-found"]
    assert [(hit["captures"], hit["line"], hit["count"]) for hit in hits] == [
        ({"variable": "A"}, 1, 2),
        ({"variable": "B"}, 2, 1),
    ]


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "alone": lambda text: text,
    "in a log": lambda text: f"2024-05-01 10:00:00 +0000 8 promptflow-serving ERROR x {text} y",
    "json": lambda text: json.dumps({"error": {"code": "UserError", "message": f"say {text} now"}}),
    "json in json": lambda text: json.dumps({"log": json.dumps({"message": f"a {text} b"})}),
    "repr in json": lambda text: json.dumps(repr({"message": f"a {text} b"})),
    "dotnet": lambda text: json.dumps(f"a {text} b").replace("'", "\\u0027").replace("<", "\\u003c"),
    "coloured": lambda text: f"\x1b[31m{text}\x1b[0m",
    "torn at each blank": lambda text: text.replace(" ", "\n    "),
    "in a box": lambda text: "│ " + text.replace(" ", "    │\n│ ") + " │",
    "torn in a CI log": lambda text: "2024-05-01T10:00:00.1Z a " + text.replace(" ", "\n2024-05-01T10:00:00.1Z "),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_symptom_in_any_wrapping(wrapping: str, symptoms: Mapping[str, Symptom]) -> None:
    missed = []
    for symptom in symptoms.values():
        for literal in symptom.contains:
            if symptom.matches is not None:
                continue  # what the expression wants besides is in test_captures_and_counts
            text = f"{literal.lstrip()}x" if literal.endswith(" ") else literal.lstrip()
            log = logs.read_text(WRAPPINGS[wrapping](text) + "\n", symptoms, source="-")
            if symptom.id not in ids(log):
                missed.append((symptom.id, literal))
    assert missed == []


def _planted() -> dict[str, str]:
    """Made at run time: no text of this file is a secret's."""
    letters = "".join(chr(ord("a") + (7 * n) % 26) + str((3 * n) % 10) for n in range(40))
    return {
        "openai": "sk-" + letters[:40].swapcase(),
        "account": letters[:64] + "==",
        "sas": letters[3:46] + "%3D",
        "jwt": "eyJ" + letters[:30] + "." + letters[5:45] + "." + letters[9:50],
        "password": "Pa55-" + letters[:12],
        "hex": "0123456789abcdef" * 2,
        "token": "gh" + "p_" + letters[:36],
    }


SECRETS = _planted()
CARRIERS = (
    "ValueError: No module named '{openai}'",
    "AuthenticationError: Error code: 401 - {{'error': {{'message': 'Incorrect key: {openai}', 'code': 'x'}}}}",
    "ConnectionNotFoundError: Connection 'AccountKey={account}' is not found",
    "403 Client Error: Forbidden for url: https://a.blob.core.windows.net/x?sv=2022&sig={sas}",
    "ERROR: (UserError) Authorization: Bearer {jwt} was refused",
    'JSONDecodeError {{"error": {{"code": "Bad", "message": "api_key={hex}", "target": "{jwt}"}}}}',
    "fatal: https://user:{password}@dev.azure.com/x: No module named 'y'",
    "pip: Could not open requirements file: https://{token}@github.com/a",
    "UserErrorException: Environment variable AZURE_OPENAI_API_KEY={hex} is not found",
    "< HTTP/1.1 401 Unauthorized\n< location: https://x/?sig={sas}\n",
)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("depth", range(3))
def test_secrets_never_come_out(carrier: str, depth: int, symptoms: Mapping[str, Symptom]) -> None:
    text = carrier.format(**SECRETS)
    for _ in range(depth):
        text = json.dumps({"log": f"{text}\n"})
    log = logs.read_text(text, symptoms, source="-")
    said = json.dumps({key: log[key] for key in ("hits", "errors")}, ensure_ascii=False)
    assert log["hits"] or log["errors"]
    assert [name for name, secret in SECRETS.items() if secret in said or secret[5:20] in said] == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=400)
    | st.builds(lambda a, b: a + LOG.encode()[b:], st.binary(max_size=20), st.integers(0, 900))
)
def test_no_bytes_are_too_strange(data: bytes, tmp_path: Path, symptoms: Mapping[str, Symptom]) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    found = logs.read([str(path)], symptoms)
    assert len(found.logs) + len(found.problems) >= 1
    json.dumps(found.logs)


def test_a_log_cut_anywhere(symptoms: Mapping[str, Symptom]) -> None:
    for cut in range(0, len(LOG), 3):
        log = logs.read_text(LOG[:cut], symptoms, source="-")
        assert log["complete"] is False
        assert log["lines"] == len(LOG[:cut].splitlines())
        if cut > LOG.index("No module named 'langchain'") + 30:
            assert "module-not-found" in ids(log)
