"""A Jinja template as facts: the names it needs, the roles it marks. Parsed, never rendered.

promptflow finds the variables with jinja2.meta in a bare Environment and renders in a sandbox with trim_blocks.
Importing jinja2 takes 50 ms, and nearly every prompt is made of `{{ name.attribute }}`, `{% for x in y %}` and
`{% if name %}`: those are read here, and a property test holds that the result is jinja2's. Everything else is left to
jinja2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

if TYPE_CHECKING:
    from jinja2 import Environment

ROLES = ("system", "assistant", "function", "user", "tool")
_MAX_CHARACTERS = 1_000_000


def read_template(text: str, file: str) -> dict[str, Json]:
    """The facts `template` of a decoded text. Never raises. `file` is the path as the facts shall carry it.

    `variables` are those that promptflow takes for inputs. With a syntax error, all but `roles` and `leading_text`
    is unknown. `unsafe_attributes` are the attribute names beginning with an underscore, which the sandbox refuses.
    """
    facts: dict[str, Json] = {"file": file, "syntax_error": None}
    if len(text) > _MAX_CHARACTERS:
        unknown = Unknown("too-large", f"{file}: {len(text):,} characters").to_json()
        names = ("syntax_error", "variables", "unsafe_attributes", "roles", "leading_text", "includes")
        return {**facts, **dict.fromkeys(names, unknown)}
    content = _plain_content(text) or _parsed_content(text)
    facts |= {"roles": _roles(text), "leading_text": _leading_text(text)}
    if content.problem is not None:
        facts["syntax_error"] = content.problem
        unknown = Unknown("syntax-error", f"{file} is no valid template").to_json()
        return {**facts, **dict.fromkeys(("variables", "unsafe_attributes", "includes"), unknown)}
    # promptflow sorts by the first place of the name's letters; the name breaks ties, which promptflow leaves open
    facts["variables"] = sorted(content.variables, key=lambda name: (text.find(name), name))
    facts["unsafe_attributes"] = content.unsafe
    facts["includes"] = content.includes
    return facts


class _Content:
    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.unsafe: list[str] = []
        self.includes: Json = []
        self.problem: Json = None

    def refuse(self, attributes: Iterable[str]) -> None:
        for name in attributes:
            if name.startswith("_") and name not in self.unsafe:
                self.unsafe.append(name)


# ------------------------------------------------------------------------------------------------- the plain subset

_PATH = r"([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
_START = Pattern(r"\{[{%#]")
_PRINT = Pattern(rf"\{{\{{-?\s*{_PATH}\s*-?\}}\}}")
_FOR = Pattern(rf"\{{%-?\s*for\s+([A-Za-z_][A-Za-z0-9_]*)\s+in\s+{_PATH}\s*-?%\}}")
_IF = Pattern(rf"\{{%-?\s*(?:if|(elif))\s+{_PATH}\s*-?%\}}")
_BARE = Pattern(r"\{%-?\s*(else|endif|endfor)\s*-?%\}")

# Names that mean something of their own to Jinja: words of the language, its globals, and what it binds itself.
_SPECIAL = frozenset(
    (
        *("and", "else", "if", "in", "is", "not", "or", "recursive", "True", "False", "None", "true", "false", "none"),
        *("dict", "lipsum", "cycler", "joiner", "namespace", "range"),
        *("loop", "self", "super", "caller", "varargs", "kwargs", "_"),
    )
)


def _plain_content(text: str) -> _Content | None:
    """What a template of the plain subset holds; None for any other, faulty ones included."""
    content = _Content()
    open_blocks: list[tuple[str, str | None]] = []
    position = 0
    while (start := _START.search(text, position)) is not None:
        end = _plain_tag(text, start.start(), content, open_blocks)
        if end is None:
            return None
        position = end
    return None if open_blocks else content


def _plain_tag(text: str, start: int, content: _Content, blocks: list[tuple[str, str | None]]) -> int | None:
    """Takes the tag at `start` in; returns where it ends, or None when it is not of the plain subset."""
    bare = _BARE.match(text, start)
    if bare is not None:
        word, innermost = bare[1], blocks[-1][0] if blocks else None
        if word == "else" and innermost == "if":
            blocks[-1] = ("else", None)
        elif (word == "endif" and innermost in {"if", "else"}) or (word == "endfor" and innermost == "for"):
            blocks.pop()
        else:
            return None
        return bare.end()
    found = _PRINT.match(text, start)
    loop = test = None
    if found is not None:
        name, path = found[1], found[2]
    elif (loop := _FOR.match(text, start)) is not None:
        name, path = loop[2], loop[3]
    elif (test := _IF.match(text, start)) is not None and (not test[1] or (blocks and blocks[-1][0] == "if")):
        name, path = test[2], test[3]
    else:
        return None
    if name in _SPECIAL or (loop and loop[1] in _SPECIAL):
        return None
    if not any(local == name for _, local in blocks):
        content.variables.add(name)
    content.refuse(path.split(".")[1:])
    if loop:
        blocks.append(("for", loop[1]))
    elif test and not test[1]:
        blocks.append(("if", None))
    tag = found or loop or test
    return tag.end() if tag else None


# ----------------------------------------------------------------------------------------------- jinja2 for the rest

_OPERATORS = frozenset(("+", "-", "*", "/", "//", "**", "%"))


def _environment() -> Environment:
    """A bare Environment that computes nothing: jinja2 folds constants while it looks for variables, and
    `{{ 9**9**9 }}` would never end."""
    from jinja2 import Environment, pass_context

    class Inert(Environment):
        sandboxed = True
        intercepted_binops = _OPERATORS
        intercepted_unops = _OPERATORS

    @pass_context
    def never(_context: object) -> None:
        """Stands for every filter and test: what needs a context is not folded."""

    environment = Inert()
    environment.filters = dict.fromkeys(environment.filters, never)
    environment.tests = dict.fromkeys(environment.tests, never)
    return environment


def _parsed_content(text: str) -> _Content:
    from jinja2 import TemplateSyntaxError, meta, nodes

    content = _Content()
    try:
        tree = _environment().parse(text)
        content.variables = meta.find_undeclared_variables(tree)
        content.refuse(node.attr for node in tree.find_all(nodes.Getattr))
        referenced = list(meta.find_referenced_templates(tree))
    except TemplateSyntaxError as error:  # TemplateAssertionError, for an unknown filter, is one
        content.problem = {"message": error.message or "invalid syntax", "$at": {"": [error.lineno]}}
        return content
    except RecursionError:
        content.problem = Unknown("too-deep", "nested too deeply to be parsed").to_json()
        return content
    except (ValueError, OverflowError, MemoryError) as error:  # a number that Python cannot read
        content.problem = {"message": str(error) or type(error).__name__}
        return content
    names = [name for name in referenced if name is not None]
    content.includes = names
    if len(names) < len(referenced):
        why = {"code": "dynamic", "detail": "a name of a template is computed"}
        content.includes = {"$incomplete": why, "items": names}
    return content


# ------------------------------------------------------------------------------------------------------------- roles

# As promptflow-tools and prompty split a chat prompt: a role alone on its line, `#` before it allowed.
_ROLE = Pattern(rf"^\s*#?\s*({'|'.join(ROLES)})\s*:\s*\n", re.IGNORECASE | re.MULTILINE)
_INVISIBLE = Pattern(r"\{#.*?(?:-#\}\s*|#\}\n?)|\{%[-+]?.*?(?:-%\}\s*|%\}\n?)", re.DOTALL)
_COMMENTS = Pattern(r"\{#.*?(?:-#\}\s*|#\}\n?)", re.DOTALL)


def _visible(text: str) -> str:
    """The text as it is when every block is rendered once: comments and tags leave nothing."""
    return _INVISIBLE.sub("", text)


def _roles(text: str) -> Json:
    visible = _visible(text)
    roles = list(dict.fromkeys(match[1].lower() for match in _ROLE.finditer(visible)))
    if visible.lstrip().startswith("{{"):
        why = {"code": "dynamic", "detail": "the template begins with a variable, which may hold roles"}
        return {"$incomplete": why, "items": roles}
    return roles


def _leading_text(text: str) -> str | None:
    """The first words, 60 characters at most, of literal text that certainly comes before the first role."""
    seen = _COMMENTS.sub("", text).lstrip()
    if seen.startswith(("{{", "{%")) or _ROLE.match(_visible(seen)):
        return None
    literal = _ROLE.split(re.split(r"\{[{%]", seen, maxsplit=1)[0], maxsplit=1)[0]
    return " ".join(literal.split())[:60] or None
