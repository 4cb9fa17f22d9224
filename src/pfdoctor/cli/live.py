"""Asking Azure: what `--endpoint` and its companions mean, turned into facts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pfdoctor.cli.target import Given
from pfdoctor.core.facts import Facts
from pfdoctor.core.rule import Catalogue


class Live(NamedTuple):
    """What was said about the live endpoint, and how to ask. `timeout` in seconds, for one answer."""

    given: Given
    cloud: str | None
    credential: str
    probe: bool
    probe_score: Path | None
    timeout: float
    progress: bool

    def collect(self, catalogue: Catalogue) -> list[Facts]:
        """The facts of every deployment that is meant, one case each."""
        raise NotImplementedError(catalogue)
