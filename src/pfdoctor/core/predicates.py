"""Named tests that data cannot say. Each is given the values of the facts it names, all of them known."""

from __future__ import annotations

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


PREDICATES: dict[str, Predicate] = {
    "unusable_port": unusable_port,
}
