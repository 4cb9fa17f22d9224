"""Whole processes: Ctrl-C, nothing left open, and that a check of files imports none of this."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COLLECT = """\
import os, sys
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.credentials import make_credential
from pfdoctor.collect.azure.collector import Collection, collect_now
from pfdoctor.collect.azure.target import Target

cloud = resolve_cloud(None, os.environ)
target = Target("11111111-2222-3333-4444-555555555555", "rg-chat", "ws-chat", "chat")
tell = lambda text: print(text, flush=True)
login = lambda: make_credential(None, cloud, os.environ, None)
try:
    facts = collect_now(target, cloud, login, Collection(progress=tell))
except KeyboardInterrupt:
    sys.exit(130)
print(facts[0].case["name"])
"""


def start(azure: Any, code: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **azure.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    # what is left open at the end is told on stderr
    flags = ["-W", "always::ResourceWarning", "-c", code]
    return subprocess.Popen([sys.executable, *flags], env=environment, stdout=-1, stderr=-1, text=True)


def test_nothing_is_left_open(azure: Any) -> None:
    process = start(azure, COLLECT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "chat/blue"


def test_ctrl_c_ends_it_while_everything_is_slow(azure: Any) -> None:
    azure.simulator.inject({"path": "/subscriptions/"}, {"kind": "slow", "seconds": 30})
    process = start(azure, COLLECT)
    assert process.stdout is not None
    process.stdout.readline()  # it has begun
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert time.monotonic() - begun < 10


def test_a_check_of_files_imports_nothing_of_azure(tmp_path: Path) -> None:
    (tmp_path / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n")
    code = (
        "import sys\n"
        "from pfdoctor.cli.main import main\n"
        "main(['check', sys.argv[1]])\n"
        "heavy = [one for one in sys.modules if one.split('.')[0] in ('azure', 'aiohttp', 'msal', 'asyncio')]\n"
        "print(heavy, [one for one in sys.modules if one.startswith(('pfdoctor.collect.azure', 'pfdoctor.simulator'))])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[] []"
