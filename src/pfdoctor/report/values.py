"""Facts and their values in a few words, as text reports show them."""

from __future__ import annotations

from pfdoctor.core.message import show
from pfdoctor.core.model import Json
from pfdoctor.report.style import fit, visible

_NAMES_SHOWN = 5


def fact(path: str) -> str:
    """A fact as rules name it: what files declare is what is meant unless the path says otherwise."""
    return visible(path.removeprefix("declared."))


def value(value: Json) -> str:
    """A value in a few words; of a list of objects, how many and their names."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        names = [str(one["name"]) for one in value if isinstance(one.get("name"), str)]
        listed = f": {', '.join(names[:_NAMES_SHOWN])}" + (", …" if names[_NAMES_SHOWN:] else "") if names else ""
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}{listed}"
    return fit(show(value), 120)
