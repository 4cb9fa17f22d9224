"""A Jinja template as facts: the names it needs, the roles it marks. Parsed, never rendered.

promptflow finds the variables with jinja2.meta in a bare Environment and renders in a sandbox with trim_blocks.
Importing jinja2 takes 50 ms, and nearly every prompt is made of `{{ name.attribute }}`, `{% for x in y %}` and
`{% if name %}`: those are read here, and a property test holds that the result is jinja2's. Everything else is left to
jinja2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

ROLES = ("system", "assistant", "function", "user", "tool")
_MAX_CHARACTERS = 1_000_000


def read_template(text: str, file: str) -> dict[str, Json]:
    """The facts `template` of a decoded text. Never raises. `file` is the path as the facts shall carry it.

    `variables` are those that promptflow takes for inputs. With a syntax error, all but `roles`, `incomplete_roles`
    and `leading_text` is unknown. `unsafe_attributes` are the attribute names beginning with an underscore, which the
    sandbox refuses. `strict_variables`, `unknown_tests` and `refused_attributes` list what decides every rendering:
    nothing that stands in a branch, a loop or a macro.
    """
    facts: dict[str, Json] = {"file": file, "syntax_error": None}
    if len(text) > _MAX_CHARACTERS:
        unknown = Unknown("too-large", f"{file}: {len(text):,} characters").to_json()
        return {**facts, **dict.fromkeys(("syntax_error", *_BY_TEXT, *_BY_SYNTAX), unknown)}
    content = _plain_content(text) or _parsed_content(text)
    facts |= {"roles": _roles(text), "incomplete_roles": _incomplete_roles(text), "leading_text": _leading_text(text)}
    if content.problem is not None:
        facts["syntax_error"] = content.problem
        unknown = Unknown("syntax-error", f"{file} is no valid template").to_json()
        return {**facts, **dict.fromkeys(_BY_SYNTAX, unknown)}
    # promptflow sorts by the first place of the name's letters; the name breaks ties, which promptflow leaves open
    facts["variables"] = sorted(content.variables, key=lambda name: (text.find(name), name))
    facts["unsafe_attributes"] = content.unsafe
    facts["includes"] = content.includes
    facts["strict_variables"] = [name for name in facts["variables"] if name in content.strict]
    facts["unknown_tests"] = content.unknown_tests
    facts["refused_attributes"] = content.refused
    return facts


_BY_TEXT = ("roles", "incomplete_roles", "leading_text")
_BY_SYNTAX = ("variables", "strict_variables", "unsafe_attributes", "refused_attributes", "unknown_tests", "includes")

# what every object has, and the sandbox keeps; of another name nobody knows whether the value has it
# (written out: the interpreter that runs the check is not the one that serves, and 3.11 added `__getstate__`)
_OF_EVERY_OBJECT = frozenset(
    f"__{name}__"
    for name in (
        "class delattr dir doc eq format ge getattribute gt hash init init_subclass le lt ne new reduce reduce_ex repr"
        " setattr sizeof str subclasshook"
    ).split()
)


class _Content:
    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.strict: set[str] = set()
        self.unsafe: list[str] = []
        self.refused: list[str] = []
        self.unknown_tests: list[str] = []
        self.includes: Json = []
        self.problem: Json = None

    def refuse(self, attributes: Iterable[str]) -> None:
        for name in attributes:
            if name.startswith("_") and name not in self.unsafe:
                self.unsafe.append(name)

    def walk(self, name: str, attributes: list[str], *, certain: bool) -> None:
        """Takes in `name.first.second`; `certain` says whether every rendering comes to it."""
        self.refuse(attributes)
        if attributes and certain:
            self.strict.add(name)
            for attribute in attributes[:-1]:
                self.use(attribute)

    def use(self, attribute: str) -> None:
        """Takes in an attribute of which more is asked than to be printed, which is where the sandbox stops."""
        if attribute in _OF_EVERY_OBJECT and attribute not in self.refused:
            self.refused.append(attribute)


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
    content.walk(name, path.split(".")[1:], certain=not blocks)
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
        _note_certain(tree, content)
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


def _note_certain(tree: nodes.Template, content: _Content) -> None:
    """Takes in what decides every rendering: variables that must be there, tests and attributes that fail."""
    from jinja2 import nodes
    from jinja2.tests import TESTS

    arithmetic = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Pow)
    operands: list[nodes.Node] = []
    for node in _certain(tree):
        if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call):
            operands.append(node.node)
            inner = node.node
            if isinstance(inner, nodes.Getattr):
                content.use(inner.attr)
            elif isinstance(inner, nodes.Getitem) and isinstance(inner.arg, nodes.Const):
                content.use(str(inner.arg.value))
        elif isinstance(node, arithmetic):
            operands += (node.left, node.right)
        elif isinstance(node, nodes.Mod):  # `text % variable` formats it
            operands.append(node.left)
        elif isinstance(node, nodes.Neg | nodes.Pos):
            operands.append(node.node)
        elif isinstance(node, nodes.Compare) and node.ops[0].op in ("lt", "lteq", "gt", "gteq"):
            operands += (node.expr, node.ops[0].expr)
        elif isinstance(node, nodes.Test) and node.name not in {*TESTS, *content.unknown_tests}:
            content.unknown_tests.append(node.name)
    names = {one.name for one in operands if isinstance(one, nodes.Name)}
    bound = {one.name for one in tree.find_all(nodes.Name) if one.ctx != "load"}
    content.strict = (names & content.variables) - bound


def _certain(tree: nodes.Template) -> Iterator[nodes.Node]:
    """The nodes that every rendering evaluates."""
    from jinja2 import nodes

    stack: list[nodes.Node] = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, nodes.If | nodes.CondExpr):
            stack.append(node.test)
        elif isinstance(node, nodes.For):
            stack.append(node.iter)
        elif isinstance(node, nodes.And | nodes.Or):
            stack.append(node.left)
        elif isinstance(node, nodes.Compare):
            stack += (node.ops[0].expr, node.expr)
        elif isinstance(node, nodes.CallBlock):
            stack.append(node.call)
        elif not isinstance(node, nodes.Macro | nodes.Block):
            stack += reversed(list(node.iter_child_nodes()))


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


# what must follow the marker: as promptflow-tools looks for it, anywhere up to the next marker
_COMPLETE = {
    "function": Pattern(r"#{0,2}\s*name\s*:\s*\n+\s*\S+\s*\n*#{0,2}\s*content\s*:"),
    "tool": Pattern(r"#{0,2}\s*tool_call_id\s*:\s*\n+\s*\S+\s*\n*#{0,2}\s*content\s*:"),
}


def _incomplete_roles(text: str) -> list[str]:
    """The roles function and tool where the lines they need are not written below the marker."""
    visible = _visible(text)
    marks = list(_ROLE.finditer(visible))
    ends = [mark.start() for mark in marks[1:]]
    found: dict[str, None] = {}
    for mark, end in zip(marks, [*ends, len(visible)], strict=False):
        role = mark[1].lower()
        if role in _COMPLETE and not _COMPLETE[role].search(visible[mark.end() : end]):
            found[role] = None
    return list(found)


def _leading_text(text: str) -> str | None:
    """The first words, 60 characters at most, of literal text that certainly comes before the first role."""
    seen = _COMMENTS.sub("", text).lstrip()
    if seen.startswith(("{{", "{%")) or _ROLE.match(_visible(seen)):
        return None
    literal = _ROLE.split(re.split(r"\{[{%]", seen, maxsplit=1)[0], maxsplit=1)[0]
    return " ".join(literal.split())[:60] or None
