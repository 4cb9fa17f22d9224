"""Names and durations as Azure Resource Manager writes them, in the words of the facts."""

from __future__ import annotations

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_CAMEL = Pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_DURATION = Pattern(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z")


def snake(key: str) -> str:
    """`requestTimeout` as `request_timeout`."""
    return _CAMEL.sub("_", key).lower()


def seconds(value: Json) -> float | None:
    """A duration in seconds: a number, or ISO 8601 as Azure Resource Manager writes it (PT5S)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or value == "P":
        return None
    days, hours, minutes, rest = (float(part) if part else 0.0 for part in match.groups())
    return days * 86_400 + hours * 3_600 + minutes * 60 + rest
