"""Texts that are not yet what they are to be: placeholders for a person, templates for an engine."""

from __future__ import annotations

import re

from pfdoctor.core.model import Json
from pfdoctor.core.pattern import Pattern

_INSERT = Pattern(
    r"^\s*(?:<[^<>\n]{1,80}>|\{(?!\{)\s*[A-Za-z][^{}\n]{0,80}\}|__[A-Za-z0-9][A-Za-z0-9_.-]*?__|\[\[?[A-Z_ ]{3,40}\]\]?"
    r"|(?:TODO|CHANGEME|FIXME|REPLACE[_ -]?ME))\s*$"
)
_INSERT_INSIDE = Pattern(
    r"<[A-Za-z][A-Za-z0-9_ .-]{1,60}>|\{(?:insert|your)[^{}\n]{0,80}\}|__[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*__",
    re.IGNORECASE,
)
_TEMPLATE = Pattern(r"\{\{|\{%|\$\{\{|\$\([A-Za-z_][\w.-]*\)|\$\{[A-Za-z_][\w.]*\}|#\{[^{}]+\}#")


def placeholder(value: Json) -> bool:
    """Whether a text is (or holds) something that a person was to fill in by hand: `<name>`, `{insert …}`, `__X__`."""
    if not isinstance(value, str) or template(value):
        return False
    return _INSERT.match(value) is not None or _INSERT_INSIDE.search(value) is not None


def placeholder_text(value: str) -> str:
    """The placeholders in a text that holds some, each once: `<name>`."""
    inside = dict.fromkeys(match[0] for match in _INSERT_INSIDE.finditer(value))
    return ", ".join(inside) or value.strip()


_INSTRUCTION = Pattern(r"(?:insert|your|fill|replace)\b", re.IGNORECASE)


def unfilled_mapping(value: Json) -> str | None:
    """The text `{insert …}` of a value written without quotes, which YAML reads as a mapping of one key to nothing."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    key, inner = next(iter(value.items()))
    return f"{{{key}}}" if inner is None and isinstance(key, str) and _INSTRUCTION.match(key) else None


def template(value: Json) -> bool:
    """Whether a text is in a template language, to be rendered by a pipeline: `{{ }}`, `${{ }}`, `$(VAR)`, `${VAR}`."""
    return isinstance(value, str) and _TEMPLATE.search(value) is not None


def any_placeholder(value: Json) -> bool:
    """Either kind."""
    return placeholder(value) or template(value)
