"""A Python file as facts: parsed, never imported or run.

What it defines, imports, calls and reads from the environment, in the words of the facts schema (`source`). The result
is the same whatever Python runs pfdoctor and whatever is installed (see python_versions); only the wording of a plain
syntax error is that of the interpreter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pfdoctor.collect.folder.python_signatures import Signatures, methods
from pfdoctor.collect.folder.python_text import FUNCTIONS, Function, Placed, SourceText
from pfdoctor.collect.folder.python_versions import Parsed, parse
from pfdoctor.core.model import Json, Unknown

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_KEY_ERRORS = {"KeyError", "LookupError", "Exception", "BaseException"}

# Libraries with a decorator `tool` of their own, which promptflow does not see.
_OTHER_TOOLS = frozenset(
    (
        *("agents", "autogen", "autogen_core", "crewai", "crewai_tools", "fastmcp", "google", "haystack", "langchain"),
        *("langchain_community", "langchain_core", "langgraph", "livekit", "llama_index", "llm", "mcp", "openai"),
        *("pydantic_ai", "semantic_kernel", "smolagents", "strands", "transformers"),
    )
)
_CONTAINERS = {"list", "dict", "set", "defaultdict", "deque", "OrderedDict", "Counter"}
_MUTATORS = frozenset(
    (
        *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem"),
        *("popleft", "remove", "reverse", "setdefault", "sort", "update"),
    )
)


def read_source(text: str, file: str) -> dict[str, Json]:
    """The facts `source` of a file, whose decoded text is given. Never raises.

    `file` is the path relative to the flow's folder, as the facts shall carry it. `imports[].resolves` is null: see
    resolve_imports. The dicts of the lists carry their places (`$at`); `$file` is the caller's business.
    When no Python accepts the text, everything but `file` and `syntax_error` is unknown.

    Beyond the schema's words: a function or class of module level is listed once, in its last definition, also when it
    stands in an `if` or `try`; a class has the parameters of its __init__ and tells is_async, is_generator and returns
    of its __call__; a tool method is the function "Class.method", whose parameters are those of __init__ followed by
    its own, as promptflow takes them from a node, and is listed in `tools` only when its class has a base (promptflow
    looks into subclasses of ToolProvider only); `name = tool(function)` is a tool of that name, and a second name of a
    tool is listed in `tools`, as promptflow counts both. A default that is not plain JSON is null.
    """
    parsed = parse(text)
    if parsed.tree is None:
        return _unreadable(parsed, file)
    try:
        reader = _Reader(parsed, file)
        reader.read(parsed.tree)
        facts = reader.facts()
    except RecursionError:
        return _unreadable(Parsed(parsed.text, accepted_by=None, code="too-deep", message="nested too deeply"), file)
    return {"file": file, "syntax_error": _syntax_error(parsed), **facts}


def resolve_imports(source: dict[str, Json], flow_modules: Iterable[str]) -> dict[str, Json]:
    """Sets `imports[].resolves` in place: flow, stdlib or third-party; returns the same dict.

    `flow_modules` are the top-level names that the flow's folder provides (files without .py, packages). The folder
    comes first on the path, so a file named like an installed module wins; one named like a module of the standard
    library does not, because the server has loaded that already.
    """
    from pfdoctor.collect.folder.tables.stdlib import STDLIB

    if not isinstance(source.get("imports"), list):
        return source
    own = frozenset(flow_modules)
    for one in source["imports"]:
        top = one["top"]
        if top is None or (top in own and top not in STDLIB):
            one["resolves"] = "flow"
        else:
            one["resolves"] = "stdlib" if top in STDLIB else "third-party"
    return source


def _syntax_error(parsed: Parsed) -> dict[str, Json] | None:
    if parsed.message is None:
        return None
    accepted = list(parsed.accepted_by or ())
    error: dict[str, Json] = {
        "message": parsed.message,
        "accepted_by": accepted,
        "accepted_in_words": f"only Python {', '.join(accepted)} accepts it" if accepted else "no Python accepts it",
    }
    if parsed.line is not None:
        error["$at"] = {"": [parsed.line] if parsed.column is None else [parsed.line, parsed.column]}
    return error


def _unreadable(parsed: Parsed, file: str) -> dict[str, Json]:
    names = ("functions", "tools", "imports", "calls", "environment_reads", "mutable_globals")
    if parsed.accepted_by is None:
        unknown = Unknown(str(parsed.code), f"{file}: {parsed.message}").to_json()
        return {"file": file, "syntax_error": unknown, **dict.fromkeys(names, unknown)}
    unknown = Unknown("syntax-error", f"{file} is not valid Python").to_json()
    return {"file": file, "syntax_error": _syntax_error(parsed), **dict.fromkeys(names, unknown)}


class _Scope:
    """Where a statement stands: what may keep it from running, and what makes a missing variable harmless."""

    __slots__ = ("every_call", "function", "guarded", "key_guarded", "locals", "main")

    def __init__(self) -> None:
        self.every_call = False
        """Whether it stands in the body of a tool, outside of branches."""
        self.function = False
        self.guarded = False
        """Whether it may never run when the module is loaded, or may fail there without harm."""
        self.key_guarded = False
        self.main = False
        self.locals: frozenset[str] = frozenset()

    def inside(self, **changes: bool | frozenset[str]) -> _Scope:
        other = _Scope()
        for name in _Scope.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other


class _Reader:
    def __init__(self, parsed: Parsed, file: str) -> None:
        self._file = file
        self._text = SourceText(parsed.text)
        self._names: dict[str, str] = {}
        """Local names of imported things and their dotted origin."""
        self._constants: dict[str, str | None] = {}
        self._imports: list[dict[str, Json]] = []
        self._definitions: dict[str, Function | ast.ClassDef] = {}
        self._signatures = Signatures(self._text, self._definitions)
        self._calls: dict[str, None] = {}
        self._reads: list[tuple[str, bool, ast.expr]] = []
        self._set_variables: set[str] = set()
        self._tested_variables: set[str] = set()
        self._containers: set[str] = set()
        self._changed: dict[str, None] = {}
        self._wrapped: dict[str, str] = {}
        """Names bound to tool(function), and the function."""
        self._aliases: dict[str, str] = {}

    def facts(self) -> dict[str, Json]:
        functions, tools = [], []
        for name, node in self._definitions.items():
            if isinstance(node, ast.ClassDef):
                functions.append(self._signatures.class_(name, node))
                for method in methods(node):
                    if self._is_tool(method):
                        functions.append(self._signatures.method(f"{name}.{method.name}", node, method))
                        if node.bases:
                            tools.append(f"{name}.{method.name}")
            elif name not in self._wrapped:
                is_tool = self._is_tool(node)
                functions.append(self._signatures.function(name, node, is_tool=is_tool))
                if is_tool:
                    tools.append(name)
        for name, function in self._wrapped.items():
            wrapped = self._definitions.get(function)
            if isinstance(wrapped, FUNCTIONS):
                functions.append(self._signatures.function(name, wrapped, is_tool=True))
                tools.append(name)
        # promptflow counts the names that a module gives to tools, so an alias is one more
        tools += [name for name, other in self._aliases.items() if other in tools and name not in tools]
        return {
            "functions": functions,
            "tools": tools,
            "imports": self._imports,
            "calls": list(self._calls),
            "environment_reads": self._environment_reads(),
            "mutable_globals": [name for name in self._changed if name in self._containers],
        }

    # -- walking

    def read(self, tree: ast.Module) -> None:
        for statement in _module_level(tree.body):
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                self._definitions.pop(statement.name, None)
                self._definitions[statement.name] = statement
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                self._assignment(statement)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._bind(statement)
        for node in ast.walk(tree):  # names bound anywhere, so that a call above its import in the file resolves
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._bind(node, override=False)
        self._visit(tree, _Scope())

    def _assignment(self, statement: ast.Assign | ast.AnnAssign) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        value = statement.value
        for target in targets:
            if not isinstance(target, ast.Name):
                continue
            text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
            self._constants[target.id] = None if target.id in self._constants else text
            if _is_container(value):
                self._containers.add(target.id)
            if isinstance(value, ast.Call) and len(value.args) == 1 and self._is_tool_decorator(value.func):
                wrapped = value.args[0]
                if isinstance(wrapped, ast.Name):
                    self._wrapped[target.id] = wrapped.id
            elif isinstance(value, ast.Name):
                self._aliases[target.id] = value.id

    def _visit(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, scope)
        elif isinstance(node, FUNCTIONS):
            for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                if part is not None:
                    self._visit(part, scope)
            every_call = not scope.guarded and self._is_tool(node)
            names = scope.locals | _local_names(node)
            inner = scope.inside(every_call=every_call, function=True, guarded=True, locals=names)
            for statement in node.body:
                self._visit(statement, inner)
        elif isinstance(node, ast.If):
            self._if(node, scope)
        elif isinstance(node, ast.Try):
            self._try(node, scope)
        elif isinstance(node, (ast.With, ast.AsyncWith)) and self._suppresses(node):
            inner = scope.inside(every_call=False, guarded=True, key_guarded=True)
            self._children(node, inner)
        elif isinstance(node, ast.Match):
            self._children(node, scope.inside(every_call=False, guarded=True))
        elif isinstance(node, ast.Global):
            for name in node.names:
                self._containers.add(name)
                self._changed[name] = None
        else:
            self._expression(node, scope)
            self._children(node, scope)

    def _children(self, node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self._visit(child, scope)

    def _if(self, node: ast.If, scope: _Scope) -> None:
        self._visit(node.test, scope)
        inner = scope.inside(every_call=False, guarded=True, main=scope.main or _is_main(node.test))
        for statement in node.body:
            self._visit(statement, inner)
        for statement in node.orelse:
            self._visit(statement, scope.inside(every_call=False, guarded=True))

    def _try(self, node: ast.Try, scope: _Scope) -> None:
        caught = _caught(node.handlers)
        inner = scope.inside(
            every_call=scope.every_call and not caught,
            guarded=scope.guarded or bool(caught & _IMPORT_ERRORS),
            key_guarded=scope.key_guarded or bool(caught & _KEY_ERRORS),
        )
        for statement in node.body:
            self._visit(statement, inner)
        for handler in node.handlers:
            self._children(handler, scope.inside(every_call=False, guarded=True))
        for statement in node.orelse:
            self._visit(statement, inner)
        for statement in node.finalbody:
            self._visit(statement, scope)

    def _suppresses(self, node: ast.With | ast.AsyncWith) -> bool:
        calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
        return any(self._resolve(call.func) == "contextlib.suppress" for call in calls)

    # -- what names stand for

    def _bind(self, node: ast.Import | ast.ImportFrom, *, override: bool = True) -> None:
        module = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if isinstance(node, ast.Import):
                local, origin = (alias.asname, alias.name) if alias.asname else (_top(alias.name), _top(alias.name))
            else:
                local, origin = alias.asname or alias.name, f"{module}.{alias.name}"
            if override or local not in self._names:
                self._names[local] = origin

    def _import(self, node: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
        if isinstance(node, ast.Import):
            found: list[tuple[str, list[str], Placed]] = [(alias.name, [], alias) for alias in node.names]
        else:
            imported = [alias.name for alias in node.names]
            found = [("." * node.level + (node.module or ""), imported, node)]
        for module, names, place in found:
            self._imports.append(
                {
                    "module": module,
                    "top": None if module.startswith(".") else _top(module),
                    "names": names,
                    "guarded": scope.guarded,
                    "every_call": scope.every_call,
                    "file": self._file,
                    "resolves": None,
                    "$at": {"": self._text.place(place)},
                }
            )

    def _resolve(self, node: ast.expr) -> str | None:
        """The dotted name of an expression, its first segment replaced by what was imported under that name."""
        segments: list[str] = []
        while isinstance(node, ast.Attribute):
            segments.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        segments.append(self._names.get(node.id, node.id))
        return ".".join(reversed(segments))

    # -- expressions

    def _expression(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Call):
            self._call(node, scope)
        elif isinstance(node, ast.Subscript):
            self._subscript(node, scope)
        elif isinstance(node, ast.Compare):
            self._comparison(node)

    def _call(self, node: ast.Call, scope: _Scope) -> None:
        name = self._resolve(node.func)
        if name is None:
            return
        self._calls[name] = None
        variable = self._literal_text(node.args[0]) if node.args else None
        if name in {"os.getenv", "os.environ.get"}:
            if variable is not None and not scope.main:
                self._reads.append((variable, False, node))
        elif name in {"os.environ.setdefault", "os.putenv"}:
            self._set_variables.add(variable or "")
        elif name == "os.environ.update":
            self._set_variables.update(keyword.arg or "" for keyword in node.keywords)
            for argument in node.args:
                if isinstance(argument, ast.Dict):
                    self._set_variables.update(
                        self._literal_text(key) or "" for key in argument.keys if key is not None
                    )
        elif scope.function and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            self._change(node.func.value, scope)

    def _subscript(self, node: ast.Subscript, scope: _Scope) -> None:
        if not isinstance(node.ctx, ast.Load) and scope.function:
            self._change(node.value, scope)
        if self._resolve(node.value) != "os.environ":
            return
        variable = self._literal_text(node.slice)
        if variable is None:
            return
        if isinstance(node.ctx, ast.Load):
            if not scope.main:
                self._reads.append((variable, not scope.key_guarded, node))
        elif isinstance(node.ctx, ast.Store):
            self._set_variables.add(variable)

    def _change(self, node: ast.expr, scope: _Scope) -> None:
        if isinstance(node, ast.Name) and node.id in self._containers and node.id not in scope.locals:
            self._changed[node.id] = None

    def _comparison(self, node: ast.Compare) -> None:
        for operator, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)) and self._resolve(other) in {"os.environ", "os.environ.keys"}:
                variable = self._literal_text(node.left)
                if variable is not None:
                    self._tested_variables.add(variable)

    def _literal_text(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        return self._constants.get(node.id) if isinstance(node, ast.Name) else None

    def _environment_reads(self) -> list[Json]:
        harmless = self._set_variables | self._tested_variables
        reads: dict[str, dict[str, Json]] = {}
        for name, required, node in self._reads:
            must = required and name not in harmless
            if name not in reads or (must and not reads[name]["required"]):
                reads[name] = {"name": name, "required": must, "$at": {"": self._text.place(node)}}
        return list(reads.values())

    # -- functions and classes

    def _is_tool(self, node: Function) -> bool:
        return any(self._is_tool_decorator(decorator) for decorator in node.decorator_list)

    def _is_tool_decorator(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            node = node.func
        name = self._resolve(node)
        if name is None or name.rpartition(".")[2] != "tool":
            return False
        if isinstance(node, ast.Attribute):
            root: ast.expr = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if not isinstance(root, ast.Name) or root.id not in self._names:
                return False  # a decorator of some object, such as an agent's or a server's
        return _top(name) not in _OTHER_TOOLS


def _top(module: str) -> str:
    return module.partition(".")[0]


def _module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run in the module's scope, those inside `if`, `try`, `with` and loops included."""
    for statement in body:
        yield statement
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(statement, ast.If) and _is_main(statement.test):
            yield from _module_level(statement.orelse)
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _module_level(getattr(statement, name, ()))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _module_level(part.body)


def _is_main(test: ast.expr) -> bool:
    """`__name__ == "__main__"`: promptflow gives the module another name."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _caught(handlers: list[ast.ExceptHandler]) -> set[str]:
    names = set()
    for handler in handlers:
        if handler.type is None:
            names.add("BaseException")
        for node in ast.walk(handler.type) if handler.type else ():
            if isinstance(node, ast.Name):
                names.add(node.id)
    return names


def _is_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", None)
        return name in _CONTAINERS
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def _local_names(node: Function) -> frozenset[str]:
    """Parameters and names that the function binds itself; names under `global` are not among them."""
    arguments = node.args
    names = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names |= {one.arg for one in (arguments.vararg, arguments.kwarg) if one is not None}
    shared: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id)
        elif isinstance(inner, ast.Global):
            shared.update(inner.names)
    return frozenset(names - shared)
