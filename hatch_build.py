"""Puts the rules into the wheel: `rules/` becomes `pfdoctor/rules/`, with the JSON index that is read at start-up.

The scenarios of the simulator, for `pfdoctor demo`, go with them.

The index comes from `pfdoctor.catalog.build_index`, so that building and running agree on one reader. Nothing is
written into the checkout, and an editable install gets no copy: there the catalogue reads the checkout's own rules.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RulesHook(BuildHookInterface[Any]):
    """hatchling's custom hook for the wheel target; see `[tool.hatch.build.targets.wheel.hooks.custom]`."""

    PLUGIN_NAME = "custom"

    scratch: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the index to temporary files and have it and the rules included; `version` is the kind of wheel."""
        if version == "editable":
            return
        root = Path(self.root)
        rules = root / "rules"
        self.scratch = Path(tempfile.mkdtemp(prefix="pfdoctor-build-"))
        build_data["force_include"][str(rules)] = "pfdoctor/rules"
        for name, text in _build_index(root / "src", rules).items():
            index = self.scratch / name
            index.write_text(text, encoding="utf-8", newline="\n")
            build_data["force_include"][str(index)] = f"pfdoctor/rules/{name}"
        # the scenarios of `pfdoctor demo`
        build_data["force_include"][str(root / "examples" / "scenarios")] = "pfdoctor/scenarios"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - the interface
        """Remove the temporary index once the wheel holds it."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch)


def _build_index(source: Path, rules: Path) -> dict[str, str]:
    """The index as JSON texts by file name; by the package in `source`, not by one that happens to be installed."""
    sys.path.insert(0, str(source))
    try:
        from pfdoctor.catalog import build_index

        return build_index(rules)
    finally:
        sys.path.remove(str(source))
