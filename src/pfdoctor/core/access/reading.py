"""Reading facts that may be unknown or incomplete, without mistaking either for absent."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache

from pfdoctor.core.facts import NOT_COLLECTED
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

_TIME = Pattern(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(?:[Zz]|([+-]\d\d):?(\d\d))?\Z")


def decoded(value: Json) -> Json:
    """The value, an unknown one as `Unknown`."""
    if isinstance(value, dict) and "$unknown" in value:
        return Unknown.from_json(value["$unknown"])
    return value


def field(node: Json, key: str) -> Json:
    """A field of an object: `Unknown` where the object is, or where nobody collected it; null below null."""
    if not isinstance(node, dict):
        if node is None or isinstance(node, Unknown):
            return node
        return Unknown("malformed", f"not an object, so it has no {key!r}")
    if "$unknown" in node:
        return Unknown.from_json(node["$unknown"])
    value = node.get(key, NOT_COLLECTED)
    return decoded(value) if isinstance(value, dict) else value


def elements(value: Json) -> tuple[list[Json], Unknown | None]:
    """The known elements of a list, and why they may not be all. An element that is itself unknown is such a reason."""
    why: Unknown | None = None
    if isinstance(value, dict):
        if "$unknown" in value:
            return [], Unknown.from_json(value["$unknown"])
        if "$incomplete" not in value:
            return [], Unknown("malformed", "not a list")
        why = Unknown.from_json(value["$incomplete"])
        value = value.get("items", [])
    if isinstance(value, Unknown):
        return [], value
    if value is None:
        return [], why
    if not isinstance(value, list):
        return [], Unknown("malformed", "not a list")
    known = []
    for element in value:
        if isinstance(element, dict) and "$unknown" in element:
            why = why or Unknown.from_json(element["$unknown"])
        else:
            known.append(element)
    return known, why


def texts(value: Json) -> tuple[list[str], Unknown | None]:
    """Like `elements`, of a list of texts."""
    known, why = elements(value)
    return [one for one in known if isinstance(one, str)], why


def text(node: Json, key: str) -> str | None:
    """A field that is a known text, or None."""
    if not isinstance(node, dict) or "$unknown" in node:
        return None
    value = node.get(key)
    return value if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def moment(value: str) -> datetime | None:
    """A time as Azure writes it (ISO 8601, any number of fractional digits); UTC where it names no zone."""
    found = _TIME.match(value)
    if found is None:
        return None
    zone = f"{found[3]}:{found[4]}" if found[3] else "+00:00"
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
