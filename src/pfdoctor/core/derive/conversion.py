"""Whether promptflow can turn a value into a declared type.

Source: promptflow-core 1.18.5, promptflow/contracts/tool.py (ValueType.parse), each type run.
"""

from __future__ import annotations

import json

from pfdoctor.core.model import Json

KINDS = frozenset(("int", "double", "bool", "string", "list", "object"))
"""The types of which the conversion is known."""


def converts(value: Json, kind: str) -> bool:
    """Whether the value becomes the type. Texts and objects take anything."""
    try:
        if kind == "int":
            int(value)
        elif kind == "double":
            float(value)
        elif kind == "bool":
            return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))
        elif kind == "list":
            return isinstance(json.loads(value) if isinstance(value, str) else value, list)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False
    return True
