"""How long a probe waits before it fails for good."""

from __future__ import annotations

from pfdoctor.core.model import Json, Unknown

# what a managed online endpoint uses where a probe leaves a key out; seconds, and a count
_PROBE_DEFAULTS = {"initial_delay": 10, "period": 10, "failure_threshold": 30}


def probe_budget(name: str, probe: dict[str, Json]) -> dict[str, Json]:
    """A probe with the defaults filled in, and the seconds after which it fails for good."""
    facts: dict[str, Json] = {"probe": name}
    for key, default in _PROBE_DEFAULTS.items():
        value = default if probe[key] is None else probe[key]
        value = int(value) if isinstance(value, float) and value.is_integer() else value
        facts[key] = value if isinstance(value, float) else whole_number(value)
    unknown = next((facts[key] for key in _PROBE_DEFAULTS if isinstance(facts[key], dict)), None)
    budget = None if unknown else facts["initial_delay"] + facts["period"] * facts["failure_threshold"]
    return facts | {"gives_up_after": budget if unknown is None else unknown}


def whole_number(value: Json) -> Json:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return Unknown("malformed", f"{value!r} is no whole number").to_json()
