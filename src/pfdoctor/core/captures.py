"""Whether a symptom speaks of the item at hand: what its expression captured against what the item is."""

from __future__ import annotations

from pfdoctor.core.model import Json


def agrees(captures: dict[str, Json], item: Json) -> bool:
    """Whether every capture that has the name of a field of the item has its value, too.

    A capture that the item has no field for says nothing about it, and neither does a field that is unknown: a symptom
    without captures is one of every item. `item` is an element of a list, or `{key, value}` of a free map.
    """
    if not isinstance(item, dict):
        return True
    below = item.get("value")
    fields = {**below, **item} if isinstance(below, dict) and "key" in item else item
    return all(
        _same(name, captured, fields[name])
        for name, captured in captures.items()
        if name in fields and not (isinstance(fields[name], dict) and "$unknown" in fields[name])
    )


def _same(name: str, captured: Json, value: Json) -> bool:
    if value is None or isinstance(value, (dict, list)):
        return False
    left, right = str(captured), str(value)
    if left == right:
        return True
    if name == "module" and (left.startswith(f"{right}.") or right.startswith(f"{left}.")):
        return True  # a.b is missing where a is, and the import of a.b.c fails on it
    if name in ("file", "path") and _is_end(left, right):
        return True
    # Azure keeps no case in resource ids, operations and the names in them
    return _is_azure(left) and _is_azure(right) and left.casefold().rstrip("/") == right.casefold().rstrip("/")


def _is_end(left: str, right: str) -> bool:
    """Whether one path ends with the other: a container knows the flow's folder by another name than the repository."""
    left, right = (f"/{path.lstrip('./')}" for path in (left, right))
    return left.endswith(right) or right.endswith(left)


def _is_azure(text: str) -> bool:
    lowered = text.casefold()
    return lowered.startswith(("/subscriptions/", "/providers/", "microsoft."))
