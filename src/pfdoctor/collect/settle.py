"""The last pass over collected facts: places become origins, and every text is redacted.

Collectors write `"$at": {"": [line, column, end column], "key": […]}` beside their values and `"$file"` where a file
begins (docs/decisions/0002-places-travel-beside-values.md). What was read from Azure carries its Source as `"$source"`
instead. A list, or a value of another source than what it is part of, has no room for a key and is written
`{"$list": […], "$source": …}`.
"""

from __future__ import annotations

from functools import lru_cache

from pfdoctor.collect.kept import Kept, Settled
from pfdoctor.core.facts import join
from pfdoctor.core.model import Json, Source
from pfdoctor.core.redact import redact_text, redact_value

_EXCERPT_WIDTH = 300


def settle(view: dict[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """The view's facts, redacted and without places, and the place or source of each by concrete path."""
    origins: dict[str, Json] = {}
    facts = _settle(view, "", None, None, origins)
    return facts, origins


def _settle(node: Json, path: str, key: str | None, file: str | None, origins: dict[str, Json]) -> Json:
    if isinstance(node, dict):
        if isinstance(node, Kept) and file is None:
            return _settle_once(node, path, key, origins)
        return _settle_object(node, path, key, file, origins)
    if isinstance(node, list):
        return [_settle(element, f"{path}[{index}]", key, file, origins) for index, element in enumerate(node)]
    if isinstance(node, str):
        return redact_value(node, key)
    return node


def _settle_once(node: Kept, path: str, key: str | None, origins: dict[str, Json]) -> Json:
    settled = node.settled.get((path, key))
    if settled is None:
        own: dict[str, Json] = {}
        settled = node.settled[path, key] = Settled(_settle_object(node, path, key, None, own), own)
    origins.update(settled.origins)
    return settled.facts


def _settle_object(
    node: dict[str, Json], path: str, key: str | None, file: str | None, origins: dict[str, Json]
) -> Json:
    source = node.get("$source")
    # users name the keys of their mappings as they like, but can make no Source
    if isinstance(source, Source):
        origins[path] = source.to_json()
        if "$list" in node:
            return _settle(node["$list"], path, key, file, origins)
    if "$unknown" in node:
        return _settle_unknown(node["$unknown"])
    file = node.get("$file", file)
    places = node.get("$at")
    if places is not None and file is not None:
        for name, place in places.items():
            if place is not None:
                origins[join(path, _shown(name)) if name else path] = [file, *place]
    settled: dict[str, Json] = {}
    for name, value in node.items():
        if name in ("$at", "$file", "$source"):
            continue
        shown = _shown(name)
        if not isinstance(value, str | dict | list):
            settled[shown] = value
            continue
        # an entry {name: …, value: …} is named by its name
        named = (_name_of(node) if name == "value" else None) or name
        if isinstance(value, str):
            settled[shown] = redact_value(value, named)
        else:
            transparent = name in ("items", "entries") and "$incomplete" in node
            settled[shown] = _settle(value, path if transparent else join(path, shown), named, file, origins)
    return settled


def _settle_unknown(why: dict[str, Json]) -> dict[str, Json]:
    """Why something is unknown, redacted: it often quotes what was read. Most reasons come again and again."""
    parts = tuple(why.items())
    if all(one is None or isinstance(one, str) for _, one in parts):
        return _reason(parts)
    return {"$unknown": _settle(why, "", None, None, {})}


@lru_cache(maxsize=1024)
def _reason(parts: tuple[tuple[str, str | None], ...]) -> dict[str, Json]:
    return {"$unknown": _settle(dict(parts), "", None, None, {})}


@lru_cache(maxsize=4096)
def _shown(name: str) -> str:
    """The key without a secret: a user's mapping may hold one there. Most keys are the schema's, again and again."""
    return redact_text(name)


def _name_of(entry: dict[str, Json]) -> str | None:
    """The text that names the value of an entry."""
    return next((one for key in ("name", "variable", "key") if isinstance(one := entry.get(key), str)), None)


def excerpts(origins: dict[str, list[Json]], texts: dict[str, str]) -> dict[str, dict[str, str]]:
    """The source line of every origin, redacted and cut to a bearable width: `{file: {line: text}}`."""
    wanted: dict[str, set[int]] = {}
    for origin in origins.values():
        if len(origin) > 1 and origin[1] is not None:
            wanted.setdefault(origin[0], set()).add(origin[1])
    found: dict[str, dict[str, str]] = {}
    for file, lines in sorted(wanted.items()):
        text = texts.get(file)
        if text is None:
            continue
        redacted = redact_text(text).split("\n")
        found[file] = {
            str(line): redacted[line - 1].rstrip("\r")[:_EXCERPT_WIDTH]
            for line in sorted(lines)
            if line <= len(redacted)
        }
    return found
