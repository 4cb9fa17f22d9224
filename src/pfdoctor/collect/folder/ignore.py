"""Replays .amlignore and .gitignore: which files an upload by the Azure CLI or SDK leaves behind.

azure-ai-ml reads one ignore file from the folder that it uploads: .amlignore, else .gitignore.
Source: azure-ai-ml 1.35.2, azure/ai/ml/_utils/_asset_utils.py (get_ignore_file), which
matches with a copy of pathspec's pattern.
"""

from __future__ import annotations

import re
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Tree
from pfdoctor.core.model import Json, Unknown


def ignore_file(tree: Tree, folder: Path) -> Path | None:
    """The ignore file in force for an upload of the folder."""
    return next((folder / name for name in (".amlignore", ".gitignore") if tree.exists(folder / name)), None)


def hidden_files(tree: Tree, folder: Path, needed: list[tuple[str, str]]) -> Json:
    """Which of the needed files (path, who needs it) the ignore file keeps from the upload."""
    path = ignore_file(tree, folder)
    if path is None:
        return []
    text = tree.read(path)
    if isinstance(text, Problem):
        return text.unknown().to_json()
    lines = text.text.splitlines()
    # imported here: few flow folders have an ignore file of their own
    from pathspec import PathSpec
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        spec = PathSpec.from_lines(GitIgnoreSpecPattern, lines)
    except (ValueError, re.error) as error:
        # azure-ai-ml matches with pathspec too, and fails with it: nobody can say what it would upload
        return Unknown("invalid-pattern", f"{path.name} holds a pattern that pathspec refuses: {error}").to_json()
    hidden: list[Json] = []
    for file, user in dict.fromkeys(needed):
        verdict = spec.check_file(file.removeprefix("./"))
        if verdict.include and verdict.index is not None:
            pattern = lines[verdict.index].rstrip()
            hidden.append(
                {
                    "$file": tree.name(path),
                    "$at": {"": [verdict.index + 1, 1, len(pattern) + 1]},
                    "file": file,
                    "used_by": user,
                    "pattern": pattern,
                    "ignore_file": path.name,
                }
            )
    return hidden
