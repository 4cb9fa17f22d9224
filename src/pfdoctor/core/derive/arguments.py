"""(helper-5 writes this)"""

from __future__ import annotations

from pfdoctor.core.model import Json


def derive_arguments(view: dict[str, Json]) -> dict[str, Json]:
    """`{"arguments": [...], "unclear_arguments": bool}` of a view: merged into `graph`."""
    return {"arguments": [], "unclear_arguments": False}
