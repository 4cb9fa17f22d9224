"""Every text of tests/corpus and tests/real_texts is diagnosed; the share that is answered right does not fall."""

from __future__ import annotations

import importlib.util
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pfdoctor import catalog

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
LEAST = {"one": 150, "two": 40, "noise": 40, "real": 45}
FIRST = 0.90
FIRST_THREE = 0.98


@cache
def scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_corpus", ROOT / "tools" / "score_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def answers() -> tuple[Any, ...]:
    catalogue = catalog.load_full()
    return tuple(scorer().answer(case, catalogue) for case in scorer().cases())


@pytest.mark.parametrize(("kind", "least"), LEAST.items(), ids=lambda value: str(value))
def test_there_are_enough_cases(kind: str, least: int) -> None:
    assert Counter(one.case.kind for one in answers())[kind] >= least


def test_cases_name_rules_that_exist() -> None:
    known = set(catalog.load_full().rules)
    unknown = {
        (one.case.name, rule)
        for one in answers()
        for rule in {*one.case.allowed, *one.case.never, *(rule for group in one.case.expect for rule in group)}
        if rule not in known
    }
    assert unknown == set()


@pytest.mark.parametrize("kind", ["one", "two", "real"])
def test_the_cause_comes_first(kind: str) -> None:
    group = [one for one in answers() if one.case.kind == kind]
    missed = [one.case.name for one in group if not one.among(1)]
    assert len(missed) <= (1 - FIRST) * len(group), missed


@pytest.mark.parametrize("kind", ["one", "two", "real"])
def test_the_cause_is_among_the_first_three(kind: str) -> None:
    group = [one for one in answers() if one.case.kind == kind]
    missed = [one.case.name for one in group if not one.among(3)]
    assert len(missed) <= (1 - FIRST_THREE) * len(group), missed


def test_nothing_is_found_in_noise() -> None:
    found = {
        one.case.name: one.rules for one in answers() if one.case.kind in ("noise", "real, healthy") and one.rules
    }
    assert found == {}


def test_nothing_is_confirmed_that_must_not_be() -> None:
    assert {one.case.name: one.broken for one in answers() if one.broken} == {}


def test_the_page_is_what_the_tool_writes() -> None:
    assert scorer().PAGE.read_text("utf-8") == scorer().page(answers())


def test_the_list_tells_of_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert scorer().main(["noise-words"]) == 0
    assert capsys.readouterr().out.strip() == "noise-words"
