"""Whatever a log lies in, it is read once, as far as it goes, and as text where a person would call it one."""

from __future__ import annotations

import gzip
import os
import random
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from pfdoctor import catalog
from pfdoctor.cli.main import main
from pfdoctor.collect import logs
from pfdoctor.collect.folder import collect

MESSAGE = "promptflow: ModuleNotFoundError: No module named 'bs4'\n"


def _symptoms(path: Path) -> list[str]:
    found = logs.read([str(path)], catalog.load_full().symptoms)
    assert found.problems == []
    return [hit["symptom"] for log in found.logs for hit in log["hits"]]


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    if sys.platform == "win32":
        return
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(MESSAGE,))
    writer.start()
    assert _symptoms(pipe) == ["module-not-found"]
    writer.join()


def test_what_is_left_of_a_cut_gzip_file_counts_and_the_log_is_known_to_be_cut(tmp_path: Path) -> None:
    noise = random.Random(2)
    text = MESSAGE + "".join(f"{noise.random()}\n" for _ in range(200))
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(text.encode())[:-20])
    found = logs.read([str(path)], catalog.load_full().symptoms)
    (log,) = found.logs
    assert [hit["symptom"] for hit in log["hits"]] == ["module-not-found"]
    assert not log["complete"]
    assert log["cut"].endswith("is no whole gzip file: its end is missing")


def test_gzip_files_one_behind_the_other_are_one_log(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(b"first\n") + gzip.compress(MESSAGE.encode()) + bytes(20))
    (log,) = logs.read([str(path)], catalog.load_full().symptoms).logs
    assert (log["lines"], log["hits"][0]["line"]) == (2, 2)


def test_the_directory_of_a_zip_archive_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.log", f"{number} {MESSAGE}")
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, name: Path) -> None:
            opened.append(name)
            super().__init__(name)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    assert _symptoms(path) == ["module-not-found"] * 20
    assert opened == [path]


@pytest.mark.parametrize(
    "data",
    [
        b"start\n" + bytes(8) + b"\n" + MESSAGE.encode(),
        bytes(100_000) + MESSAGE.encode(),
        b"\xed\xa0\x80\x00 No module \x00\n" + MESSAGE.encode(),
        MESSAGE.encode("utf-32-le"),
        MESSAGE.encode("utf-32-be"),
    ],
    ids=["zeros", "hole", "surrogate", "utf-32-le", "utf-32-be"],
)
def test_a_text_with_bytes_that_are_none_is_still_a_text(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(data)
    assert _symptoms(path) == ["module-not-found"]


def test_bytes_of_any_kind_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(random.Random(3).randbytes(5000))
    found = logs.read([str(path)], catalog.load_full().symptoms)
    assert [one["problem"] for one in found.problems] == ["binary"]


def test_a_flow_and_a_deployment_given_one_by_one_are_one_case(tmp_path: Path) -> None:
    flow, deployment = tmp_path / "flow", tmp_path / "deployment.yml"
    flow.mkdir()
    (flow / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n")
    deployment.write_text(
        "name: blue\nendpoint_name: chat\nmodel: azureml:registered:1\ninstance_type: Standard_DS3_v2\n"
    )
    (together,) = collect([flow, deployment]).cases
    assert together.case["kind"] == "deployment"
    assert [join["how"] for join in together.document["joins"] if join["what"] == "flow"] == [
        "the flow and the deployment were given together"
    ]
    assert sorted(case.case["kind"] for case in collect([tmp_path]).cases) == ["deployment", "flow"]


def test_a_log_goes_with_a_replayed_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow, snapshot, log = tmp_path / "flow", tmp_path / "facts.json", tmp_path / "app.log"
    flow.mkdir()
    (flow / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n")
    log.write_text("Execution failure in 'answer': (Exception) no\n")
    main(["facts", str(flow), "-o", str(snapshot)])
    capsys.readouterr()
    assert main(["diagnose", "--facts", str(snapshot), "--log", str(log), "--color", "never"]) == 1
    assert "node answer raised Exception" in capsys.readouterr().out
    assert main(["diagnose", "--facts", "-", "--log", "-"]) == 2
    assert "standard input is either the snapshot or the log" in capsys.readouterr().err
