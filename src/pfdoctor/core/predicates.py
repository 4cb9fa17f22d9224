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


_PROBE_DEFAULTS = {"initial_delay": 10.0, "period": 10.0, "failure_threshold": 30.0}
"""What a managed online endpoint uses where a probe leaves a key out; seconds, and a count."""


def gives_up_within_a_minute(initial_delay: Json, period: Json, failure_threshold: Json) -> bool:
    """Whether a probe fails for good less than 60 s after the container has started. Delay and period in seconds."""
    given = {"initial_delay": initial_delay, "period": period, "failure_threshold": failure_threshold}
    numbers = {}
    for key, value in given.items():
        if value is None:
            numbers[key] = _PROBE_DEFAULTS[key]
        elif isinstance(value, float):
            numbers[key] = value
        elif (number := _whole_number(value)) is not None:
            numbers[key] = float(number)
        else:
            return False
    return numbers["initial_delay"] + numbers["period"] * numbers["failure_threshold"] < 60


PREDICATES: dict[str, Predicate] = {
    "gives_up_within_a_minute": gives_up_within_a_minute,
    "unusable_port": unusable_port,
}
