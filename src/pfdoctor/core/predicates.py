"""Named tests that data cannot say. Each is given the values of the facts it names, all of them known."""

from __future__ import annotations

from pfdoctor.core.condition import Predicate

PREDICATES: dict[str, Predicate] = {}
