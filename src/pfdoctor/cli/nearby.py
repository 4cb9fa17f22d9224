"""Files that a remedy's command names, as they are reached from the current folder.

Reports name files relative to the repository, wherever pfdoctor is run; a command that is copied has to find them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pfdoctor.core.model import CaseResult, Remedy

_FILE = re.compile(r"(?<=--file )[^\s<>]+\.(?:yaml|yml|json)\b")


def reachable(case: CaseResult, paths: Iterable[str]) -> CaseResult:
    """The case with such files in its remedies found from here; `paths` are what the user pointed at."""
    if not any(remedy.steps and "--file " in remedy.steps for one in case.findings for remedy in one.remedies):
        return case
    given = [Path(path).absolute() for path in paths]
    roots = dict.fromkeys(root for path in given for root in (path, *path.parents))

    def find(name: str) -> str:
        if Path(name).exists():
            return name
        found = next((root / name for root in roots if (root / name).is_file()), None)
        return os.path.relpath(found) if found is not None else name

    def mend(remedy: Remedy) -> Remedy:
        return remedy._replace(steps=_FILE.sub(lambda match: find(match[0]), remedy.steps)) if remedy.steps else remedy

    return case._replace(findings=tuple(one._replace(remedies=tuple(map(mend, one.remedies))) for one in case.findings))
