"""The requirements in force for a case: the flow's file, what the Dockerfile installs, and the conda specification."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.collect.folder.files import Problem, Text, Tree
from pfdoctor.collect.folder.requirements import (
    Include,
    RequirementsFile,
    read_conda,
    read_pyproject,
    read_requirements,
)
from pfdoctor.core.model import Json

if TYPE_CHECKING:
    from pfdoctor.collect.folder.environment import EnvironmentFacts

_MAX_FILES = 50


class RequirementsCollector:
    """Gathers `requirements` of one case; a file that cannot be read makes the list of entries incomplete."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.files: list[Json] = []
        self.entries: list[Json] = []
        self.options: list[Json] = []
        self.documents: list[dict[str, Json]] = []
        self._seen: set[str] = set()
        self._unread: Problem | None = None

    def facts(self) -> Json:
        entries: Json = self.entries
        if self._unread is not None:
            entries = {"$incomplete": {"code": self._unread.code, "detail": self._unread.detail}, "items": entries}
        return {"files": self.files, "entries": entries, "options": self.options}

    def add_file(
        self,
        path: Path,
        named_by: str,
        written: str,
        place: list[int] | None = None,
        file: str | None = None,
        within: tuple[str, ...] = (),
    ) -> None:
        """Reads a requirements file and those it includes.

        `file` and `place` are where it is named, `within` the files that are being read, outermost first.
        """
        key = os.path.normpath(path)
        if key in within and file is not None:
            self.files.append(
                {
                    "path": written,
                    "exists": True,
                    "named_by": named_by,
                    "includes_itself": True,
                    "$file": file,
                    "$at": {"": place or [1]},
                }
            )
        if key in self._seen or len(self._seen) >= _MAX_FILES:
            return
        self._seen.add(key)
        text = self._tree.read(path)
        fact: dict[str, Json] = {
            "path": written,
            "exists": _existence(text),
            "named_by": named_by,
            "includes_itself": False,
        }
        if file is not None:
            fact |= {"$file": file, "$at": {"": place or [1]}}
        else:
            fact |= {"$file": self._tree.name(path), "$at": {"": [1]}}
        self.files.append(fact)
        if isinstance(text, Problem):
            if text.code != "missing":
                self.documents.append(text.fact(self._tree.name(path), "requirements"))
            self._unread = self._unread or text
            return
        name = self._tree.name(path)
        parsed = read_requirements(text.text, name, "dockerfile" if named_by == "dockerfile" else "requirements")
        self._take(parsed)
        for include in parsed.includes:
            problem = _elsewhere(include.path)
            if problem is not None:
                self._unread = self._unread or problem
                self._add_named(include, name, problem.unknown().to_json())
                continue
            self.add_file(
                Path(os.path.normpath(path.parent / include.path)),
                "requirements",
                include.path,
                list(include.place),
                name,
                (*within, key),
            )
        for constraint in parsed.constraints:
            # it installs nothing, so only whether it is there matters
            found = _elsewhere(constraint.path) or self._tree.read(
                Path(os.path.normpath(path.parent / constraint.path))
            )
            self._add_named(constraint, name, _existence(found))

    def _add_named(self, include: Include, file: str, exists: Json) -> None:
        """A file that is named by another and whose lines are not read."""
        self.files.append(
            {
                "path": include.path,
                "exists": exists,
                "named_by": "requirements",
                "includes_itself": False,
                "$file": file,
                "$at": {"": list(include.place)},
            }
        )

    def add_environment(self, environment: EnvironmentFacts) -> None:
        """What the environment's Dockerfile and conda file install."""
        dockerfile = environment.dockerfile
        if isinstance(dockerfile, dict) and "$unknown" not in dockerfile:
            self.add_dockerfile(self._tree.root / dockerfile["file"])
        if isinstance(dockerfile, dict) and "$unknown" not in dockerfile and environment.context is not None:
            for written in dockerfile["installs_requirements"]:
                path = self._in_context(environment.context, written)
                if path is not None:
                    self.add_file(path, "dockerfile", written, None, dockerfile["file"])
        if environment.conda is not None and environment.conda_file is not None:
            self._take(read_conda(environment.conda, environment.conda_file))

    def add_dockerfile(self, path: Path) -> None:
        """The packages that the Dockerfile's pip installs by name."""
        from pfdoctor.collect.folder.dockerfile import read_pip_installs

        text = self._tree.read(path)
        if not isinstance(text, Problem):
            self._take(read_pip_installs(text.text, self._tree.name(path)))

    def add_pyproject(self, path: Path) -> None:
        """The dependencies that a pyproject.toml in the flow's folder declares."""
        text = self._tree.read(path)
        if isinstance(text, Problem):
            self._unread = self._unread or text
            return
        name = self._tree.name(path)
        self.files.append(
            {
                "path": path.name,
                "exists": True,
                "named_by": "pyproject",
                "includes_itself": False,
                "$file": name,
                "$at": {"": [1]},
            }
        )
        self._take(read_pyproject(text.text, name))

    def _take(self, parsed: RequirementsFile) -> None:
        self.entries += [{**entry, "$file": entry["file"]} for entry in parsed.entries]
        self.options += [{**option, "$file": option["file"]} for option in parsed.options]
        if parsed.unread is not None:
            self._unread = self._unread or Problem(parsed.unread.code, parsed.unread.detail)

    def _in_context(self, context: Path, written: str) -> Path | None:
        """The file of the build context that a path inside the image most likely is: the same path, else its name."""
        for candidate in (context / written.lstrip("/"), context / os.path.basename(written)):
            if os.path.isfile(candidate):
                return candidate
        return None


def _existence(found: Text | Problem) -> Json:
    if isinstance(found, Problem) and found.code != "missing":
        return found.unknown().to_json()
    return not isinstance(found, Problem)


def _elsewhere(written: str) -> Problem | None:
    """Why an included file is none of ours to look for: pip takes addresses too, and replaces `${VARIABLE}`."""
    if re.match(r"(?i)(?:https?|file|ftp):", written):
        return Problem("not-read", f"{written} is an address, which is not opened")
    if re.search(r"\$\{[A-Z0-9_]+\}", written):
        return Problem("not-read", f"{written} depends on a variable of the machine that builds the image")
    return None
