"""A fleet with known ills, and the report of an undisturbed audit of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.audits import Fleet, comparable, running, wait_for
from tests.fleet import fleet

COUNT, SUBSCRIPTIONS, ILL_EVERY = 12, 2, 6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Twelve endpoints in two subscriptions, two workspaces each; every sixth may not pull its image."""
    scenario = fleet(COUNT, subscriptions=SUBSCRIPTIONS, per_workspace=3, ill_every=ILL_EVERY)
    with running(scenario, tmp_path_factory.mktemp("audit")) as fleet_:
        yield fleet_


@pytest.fixture(scope="module")
def undisturbed(small: Fleet) -> dict[str, Any]:
    """The report of the whole fleet."""
    report: dict[str, Any] = small.audit()
    return report


@pytest.fixture
def waited() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def compared() -> Callable[[dict[str, Any]], dict[str, Any]]:
    return comparable
