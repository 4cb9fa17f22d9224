"""Named tests that data cannot say. Each is given the values of the facts it names, all of them known and whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from pfdoctor.core.condition import Predicate
from pfdoctor.core.model import Json


def _whole_number(value: Json) -> int | None:
    """The number that Azure ML's schema would read: an integer, or a text of digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return None


def unusable_port(port: Json) -> bool:
    """Whether a port that was written cannot be read as a TCP port (1 to 65535)."""
    if port is None:
        return False
    number = _whole_number(port)
    return number is None or not 1 <= number <= 65535


def same_resource(one: Json, other: Json) -> bool:
    """Whether two resource ids, GUIDs, regions or names say the same: Azure tells no case in them, nor blanks."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return text.strip("/").replace(" ", "").casefold()


def absent_from(name: Json, elements: Json) -> bool:
    """Whether no element of a list has the name, as Azure compares names."""
    if not isinstance(name, str) or not isinstance(elements, list):
        return False
    names = [element.get("name") for element in elements if isinstance(element, dict)]
    return name.casefold() not in {one.casefold() for one in names if isinstance(one, str)}


def _time(text: Json) -> datetime | None:
    """An ISO 8601 time in UTC, with or without Z and fractions of a second, as Azure writes them."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text[:19])
    except ValueError:
        return None


def earlier(one: Json, other: Json) -> bool:
    """Whether the first time lies before the second."""
    first, second = _time(one), _time(other)
    return first is not None and second is not None and first < second


def an_hour_before(one: Json, other: Json) -> bool:
    """Whether the first time lies an hour or more before the second."""
    first, second = _time(one), _time(other)
    return first is not None and second is not None and second - first >= timedelta(hours=1)


PREDICATES: dict[str, Predicate] = {
    "unusable_port": unusable_port,
    "same_resource": same_resource,
    "absent_from": absent_from,
    "earlier": earlier,
    "an_hour_before": an_hour_before,
}
