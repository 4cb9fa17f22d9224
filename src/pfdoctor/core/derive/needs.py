"""(helper-5 writes this) Called from derive/__init__.py in this order: derive_packages, derive_serving, derive_needs."""

from __future__ import annotations

from pfdoctor.core.model import Json


def derive_packages(view: dict[str, Json]) -> Json:
    """The fact `packages` of a view."""
    return None


def derive_serving(view: dict[str, Json]) -> Json:
    """The fact `serving` of a view."""
    return None


def derive_needs(view: dict[str, Json]) -> Json:
    """The fact `needs` of a view."""
    return None
