"""Values as YAML text, in the style of what stands around them."""

from __future__ import annotations

import json
import re

from pfdoctor.core.model import Json

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*(?:[ :][A-Za-z0-9_./@+-]+)*\Z|/\Z")
# words that one of the two dialects takes for something else than a text, or that start a number of base 60
_WORDS = frozenset("true false yes no on off y n null nan inf".split())


def scalar(value: Json, *, quote: str | None = None, bare: bool = True) -> str:
    """A scalar as YAML. A text keeps the quotes of the one it replaces; `bare` allows it none where it needs none."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return json.dumps(value)
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if bare and quote is None and is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def is_plain(text: str) -> bool:
    """Whether both dialects read the text, written without quotes, as itself."""
    return _PLAIN.match(text) is not None and text.lower() not in _WORDS and ": " not in text


def flow(value: Json, *, bare: bool) -> str:
    """A value on one line, between brackets. `bare` is False in a file that is JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key, bare=bare)}: {flow(one, bare=bare)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one, bare=bare) for one in value) + "]"
    return scalar(value, bare=bare)


def block(value: Json, indent: int, step: int, newline: str) -> str:
    """What follows the colon of a key that stands at `indent`: a blank and a scalar, or lines of their own."""
    if isinstance(value, dict) and value:
        pad = " " * (indent + step)
        return "".join(
            f"{newline}{pad}{scalar(key)}:{block(one, indent + step, step, newline)}" for key, one in value.items()
        )
    if isinstance(value, list) and value:
        pad = " " * indent
        return "".join(f"{newline}{pad}- {flow(one, bare=True)}" for one in value)
    return " " + flow(value, bare=True)
