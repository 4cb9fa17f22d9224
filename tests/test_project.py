"""The project's own promises that no other tool holds: versions agree, the lock is clean, the rules are shipped."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import pfdoctor

LOCKS = ("runtime.txt", "dev.txt", "promptflow.txt")


def test_the_installed_version_is_the_packages() -> None:
    assert importlib.metadata.version("pfdoctor") == pfdoctor.__version__


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_no_path(root: Path, name: str) -> None:
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    assert not re.findall(r"://|^-|^#|\s@\s", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_pinned_and_hashed(root: Path, name: str) -> None:
    text = (root / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", "")
    bad = [line for line in text.splitlines() if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:", line)]
    assert bad == []


def test_the_locks_agree(root: Path) -> None:
    def pins(name: str) -> set[str]:
        text = (root / "requirements" / name).read_text(encoding="utf-8")
        return {line.removesuffix("\\").strip() for line in text.splitlines() if "==" in line}

    assert pins("runtime.txt") <= pins("dev.txt")


def test_the_lock_satisfies_the_declared_requirements(root: Path) -> None:
    text = (root / "requirements" / "dev.txt").read_text(encoding="utf-8")
    pinned = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}
    declared = map(Requirement, importlib.metadata.requires("pfdoctor") or [])
    wanting = [str(r) for r in declared if r.name != "pfdoctor" and not r.specifier.contains(pinned[r.name.lower()])]
    assert wanting == []


def test_pydantic_stays_out(root: Path) -> None:
    assert "pydantic" not in (root / "requirements" / "runtime.txt").read_text(encoding="utf-8")
