"""What the functions and classes of a Python file take and return, as its definitions say."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

from pfdoctor.collect.folder.python_text import FUNCTIONS, Function, SourceText
from pfdoctor.core.model import Json, Unknown

_LARGEST_NUMBER = 2**63


class Signatures:
    """Reads signatures; `definitions` are the functions and classes at the top of the file, by name."""

    def __init__(self, text: SourceText, definitions: Mapping[str, Function | ast.ClassDef]) -> None:
        self._text = text
        self._definitions = definitions

    def function(self, name: str, node: Function, *, is_tool: bool, drop_self: bool = False) -> dict[str, Json]:
        """The facts of a function; of a method without its `self`."""
        return {
            "name": name,
            "kind": "function",
            "is_tool": is_tool,
            "parameters": self._parameters(node.args, drop_self=drop_self),
            "accepts_any_keyword": node.args.kwarg is not None,
            "returns": self._text.source(node.returns),
            "is_async": isinstance(node, ast.AsyncFunctionDef),
            "is_generator": _yields(node),
            "callable": True,
            "has_init": True,
            "$at": {"": self._text.name_place(node)},
        }

    def method(self, name: str, owner: ast.ClassDef, method: Function) -> dict[str, Json]:
        """The facts of a tool that is a method: what its class is built with comes first."""
        static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in method.decorator_list)
        facts = self.function(name, method, is_tool=True, drop_self=not static)
        init = _method_named(owner, "__init__")
        if init is not None:
            facts["parameters"] = self._parameters(init.args, drop_self=True) + facts["parameters"]
        return facts

    def class_(self, name: str, node: ast.ClassDef) -> dict[str, Json]:
        """The facts of a class: what it is built with, and what calling it returns."""
        init, init_known = self._inherited(node, "__init__")
        call, call_known = self._inherited(node, "__call__")
        inherited = Unknown("inherited", f"{name} has a base class that this file does not define").to_json()
        generated = any(_decorator_name(one) in {"dataclass", "define", "attrs", "s"} for one in node.decorator_list)
        parameters: Json = inherited
        if init is not None and not generated:
            parameters = self._parameters(init.args, drop_self=True)
        elif generated:
            parameters = Unknown("generated", f"a decorator writes the __init__ of {name}").to_json()
        elif init_known:
            parameters = []
        return {
            "name": name,
            "kind": "class",
            "is_tool": False,
            "parameters": parameters,
            "accepts_any_keyword": init.args.kwarg is not None if init else (False if init_known else inherited),
            "returns": self._text.source(call.returns) if call else (None if call_known else inherited),
            "is_async": isinstance(call, ast.AsyncFunctionDef) if call or call_known else inherited,
            "is_generator": (call is not None and _yields(call)) if call or call_known else inherited,
            "callable": True if call else (False if call_known else inherited),
            "has_init": True if init or generated else (False if init_known else inherited),
            "$at": {"": self._text.name_place(node)},
        }

    def _inherited(self, node: ast.ClassDef, name: str, depth: int = 0) -> tuple[Function | None, bool]:
        """The method, its own or of a base in the same file, and whether all bases are known."""
        own = _method_named(node, name)
        if own is not None:
            return own, True
        known = depth < 20
        for base in node.bases if known else ():
            if isinstance(base, ast.Name) and base.id == "object":
                continue
            parent = self._definitions.get(base.id) if isinstance(base, ast.Name) else None
            if not isinstance(parent, ast.ClassDef) or parent is node:
                known = False
                continue
            found, its = self._inherited(parent, name, depth + 1)
            if found is not None and known:
                return found, True
            known = known and its
        return None, known and not any(keyword.arg == "metaclass" for keyword in node.keywords)

    def _parameters(self, arguments: ast.arguments, *, drop_self: bool) -> list[Json]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        pairs = list(zip(positional, defaults + list(arguments.defaults), strict=True))
        if drop_self:
            pairs = pairs[1:]
        pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
        return [
            {
                "name": argument.arg,
                "annotation": self._text.source(argument.annotation),
                "required": default is None,
                "default": _literal(default),
                "positional_only": argument in arguments.posonlyargs,
                "$at": {"": self._text.place(argument)},
            }
            for argument, default in pairs
        ]


def methods(node: ast.ClassDef) -> list[Function]:
    """The methods in the body of the class itself."""
    return [statement for statement in node.body if isinstance(statement, FUNCTIONS)]


def _method_named(node: ast.ClassDef, name: str) -> Function | None:
    return next((method for method in reversed(methods(node)) if method.name == name), None)


def _decorator_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _yields(node: Function) -> bool:
    """Whether the function itself yields, not one that it defines."""
    stack: list[ast.AST] = list(node.body)
    while stack:
        inner = stack.pop()
        if isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(inner, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(inner))
    return False


def _literal(node: ast.expr | None) -> Json:
    """The value of a literal that JSON can hold, else None."""
    if node is None:
        return None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if _is_json(value) else None


def _is_json(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -_LARGEST_NUMBER <= value < _LARGEST_NUMBER
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(key) and _is_json(item) for key, item in value.items())
    return value is None
