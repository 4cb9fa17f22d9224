"""What an audit loads beside itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys, threading
from pathlib import Path
from pfdoctor.audit.scope import Scope
from pfdoctor.cli.audit_run import AuditRun, Wanted
from pfdoctor.cli.interrupt import Signals
from pfdoctor.core.rule import Catalogue

both = []

def hook(event, arguments):
    if event == "import" and threading.current_thread() is threading.main_thread():
        if any("_load" in one.name for one in threading.enumerate()):
            both.append(arguments[0])

sys.addaudithook(hook)
wanted = Wanted(Scope(), None, Path(sys.argv[1]), False, 1, None, "default", 1.0)
with AuditRun(Catalogue({}, dict, dict), (), wanted).open(Signals(), progress=False):
    print(both, *(one in sys.modules for one in ("pfdoctor.audit.engine", "azure.identity.aio", "pfdoctor.audit.look")))
    before = set(sys.modules)
    import pfdoctor.audit.look
    print({one.partition(".")[0] for one in set(sys.modules) - before})
"""


def test_nothing_is_imported_by_two_threads_at_once(tmp_path: Path) -> None:
    """Where a package imports its own modules, Python takes that for a deadlock, and one of them fails.

    What is loaded while somebody logs in is ours alone, which no library imports.
    """
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "state.jsonl")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.stdout.split("\n")[:2], ran.returncode) == (["[] True True False", "{'pfdoctor'}"], 0), ran.stderr
