"""`python -m pfdoctor.simulator`, as somebody runs it in the background."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def test_kill_leaves_nothing_behind(root: Path) -> None:
    scenario = root / "examples" / "scenarios" / "healthy.yaml"
    process = subprocess.Popen(
        [sys.executable, "-m", "pfdoctor.simulator", scenario], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        exported = {}
        for line in lines:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exported[name] = value
            if name == "REQUESTS_CA_BUNDLE":
                break
        folder = Path(exported["REQUESTS_CA_BUNDLE"]).parent
        assert folder.is_dir()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130
    assert not folder.exists()
