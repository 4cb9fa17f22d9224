"""Plans: which remedy for which finding, as steps in an order, and what will be true afterwards.

Pure: the planner is handed the facts, the catalogue, the rules' judge (`diagnose`) and a read-only view of the files
(`Sources`); the same of these gives the same plan, byte for byte.
"""

from __future__ import annotations

from pfdoctor.core.plan.document import from_json, to_json
from pfdoctor.core.plan.make import Planner
from pfdoctor.core.plan.step import (
    Edit,
    Fix,
    Forecast,
    NotPlanned,
    Outcome,
    PassingError,
    Plan,
    PlanError,
    RefusedError,
    Sources,
    StaleError,
    Step,
    Target,
)

__all__ = [
    "Edit",
    "Fix",
    "Forecast",
    "NotPlanned",
    "Outcome",
    "PassingError",
    "Plan",
    "PlanError",
    "Planner",
    "RefusedError",
    "Sources",
    "StaleError",
    "Step",
    "Target",
    "from_json",
    "to_json",
]
