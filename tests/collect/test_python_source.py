"""Python files as facts: the same on every interpreter, for every text."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.collect.folder.python_source import read_source, resolve_imports
from pfdoctor.collect.folder.python_versions import VERSIONS, parse
from pfdoctor.core.model import Json


def source(text: str) -> dict[str, Json]:
    return read_source(text, "tool.py")


# What each text needs, as CPython 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 answered.
SINCE = {
    "x = f'{d[\"a\"]!r:>{w}} {{}} {y=} {z:%Y-%m-%d} {a!=b}'\n": "3.9",
    "with (open(x) as f, b as c,): pass\n": "3.9",
    "for x in *a, *b: pass\n": "3.9",
    "{a:=1}\n": "3.9",
    "a[(*b,)]\n": "3.9",
    "f'{ {1: 2}[1] }'\n": "3.9",
    "f'{x:\\n}'\n": "3.9",
    "match = type = 3\nprint(match, type)\n": "3.9",
    "match x:\n case {'a': [1, *r]}: pass\n": "3.10",
    "x[a:=1]\n": "3.10",
    "try: pass\nexcept* A: pass\n": "3.11",
    "a[*b, c]\n": "3.11",
    "def f(*a: *T): pass\n": "3.11",
    "def f[T: int, *Ts, **P](x): pass\n": "3.12",
    "class B[\n T,\n\n U](A): pass\nclass C[\n T\n]: pass\n": "3.12",
    "type X[\n T\n] = list[T]\ntype Y = int\n": "3.12",
    "f'{d['x']}'\n": "3.12",
    "f\"{'\\n'.join(x)}\"\n": "3.12",
    "f'{a:{b:{c}}}'\n": "3.12",
    "f'{\n x # c\n}' 'tail' f'{y}'\n": "3.12",
    "x = f'''a\n{d['''k''']}\n{e}\n''' 'x'\n": "3.12",
    "async def f():\n  return f'{await x['a']}'\n": "3.12",
    "def f[T = int](x): pass\n": "3.13",
}


@pytest.mark.parametrize("text", SINCE)
def test_versions_that_accept(text: str) -> None:
    error = source(text)["syntax_error"]
    accepted = list(VERSIONS) if error is None else error["accepted_by"]
    assert accepted == list(VERSIONS[VERSIONS.index(SINCE[text]) :])


def interpreters() -> dict[str, Path]:
    """The interpreters of this machine that start, by version: those on PATH, then those of pyenv."""
    found = {}
    for version in VERSIONS:
        on_path = shutil.which(f"python{version}")
        of_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        for place in [*([Path(on_path)] if on_path else []), *of_pyenv]:
            if subprocess.run([place, "--version"], capture_output=True, check=False).returncode == 0:
                found[version] = place
                break
    return found


INTERPRETERS = interpreters()
MISSING = "".join(f"-without-{version}" for version in VERSIONS if version not in INTERPRETERS)


@pytest.mark.parametrize("version", INTERPRETERS, ids=lambda version: version + MISSING)
def test_agrees_with_the_interpreters_of_this_machine(version: str) -> None:
    found = INTERPRETERS[version]
    run = """import json, sys, warnings
warnings.simplefilter("ignore")
for text in json.load(sys.stdin):
    try:
        compile(text, "x", "exec")
        print(True)
    except SyntaxError:
        print(False)
"""
    texts = list(SINCE)
    asked = subprocess.run([found, "-c", run], input=json.dumps(texts), text=True, capture_output=True, check=True)
    answers = dict(zip(texts, asked.stdout.split(), strict=True))
    assert answers == {text: str(version in (parse(text).accepted_by or ())) for text in texts}


def test_a_generator_in_braces_ends_with_311() -> None:
    assert source("f'{a for a in b}'\n")["syntax_error"]["accepted_by"] == ["3.9", "3.10", "3.11"]


@pytest.mark.parametrize(
    "text", ["f'{}'", "f'{a b}'", "f'{x'", "print 'x'", "return 1", "a\0b", "'\ud800'", "\tif", "x = ("]
)
def test_nobody_accepts(text: str) -> None:
    facts = source(text)
    assert facts["syntax_error"]["accepted_by"] == []
    assert facts["functions"]["$unknown"]["code"] == "syntax-error"


@pytest.mark.parametrize(
    "text", ["-" * 100_000 + "1", "1" + "+1" * 100_000, "if a: pass\n" + "elif a: pass\n" * 20_000]
)
def test_too_deep_is_unknown(text: str) -> None:
    assert source(text)["syntax_error"]["$unknown"]["code"] == "too-deep"


def test_newer_syntax_is_read_all_the_same() -> None:
    facts = source("from promptflow.core import tool\n\n@tool\ndef f[T](q: T) -> str:\n    return f'{g(d['x'])}'\n")
    assert facts["syntax_error"]["$at"] == {"": [4]}
    assert facts["tools"] == ["f"]
    assert facts["functions"][0]["parameters"][0]["name"] == "q"
    assert "g" in facts["calls"]


@pytest.mark.parametrize(
    ("decorator", "header"),
    [
        ("@tool", "from promptflow import tool"),
        ("@tool()", "from promptflow.core import tool"),
        ("@t", "from promptflow.core import tool as t"),
        ("@pf.tool", "import promptflow.core as pf"),
        ("@promptflow.tool(name='x')", "import promptflow"),
        ("@tool", "from my_tools import tool"),
        ("@trace\n@tool", "from promptflow.core import tool"),
    ],
)
def test_tools(decorator: str, header: str) -> None:
    assert source(f"{header}\n{decorator}\nasync def f(q): pass\n")["tools"] == ["f"]


@pytest.mark.parametrize(
    "text",
    [
        "from langchain.tools import tool\n@tool\ndef f(q): pass\n",
        "agent = Agent()\n@agent.tool\ndef f(q): pass\n",
        "from promptflow.core import tool\nclass A:\n    @tool\n    def f(self, q): pass\n",
        "from promptflow.core import tool\ndef g():\n    @tool\n    def f(q): pass\n",
        "from promptflow.core import tool\nif __name__ == '__main__':\n    @tool\n    def f(q): pass\n",
    ],
)
def test_no_tools(text: str) -> None:
    assert source(text)["tools"] == []


def test_a_second_name_of_a_tool_counts() -> None:
    assert source("from promptflow import tool\n@tool\ndef f(q): pass\ng = f\n")["tools"] == ["f", "g"]
    assert source("from promptflow import tool\ndef g(q): pass\nf = tool(g)\n")["tools"] == ["f"]


def test_a_tool_method_takes_the_arguments_of_init_too() -> None:
    facts = source(
        "from promptflow import tool, ToolProvider\nclass A(ToolProvider):\n"
        "    def __init__(self, c): pass\n    @tool\n    def f(self, q='x'): pass\n"
    )
    assert facts["tools"] == ["A.f"]
    method = facts["functions"][-1]
    assert [(one["name"], one["required"], one["default"]) for one in method["parameters"]] == [
        ("c", True, None),
        ("q", False, "x"),
    ]


def test_environment_reads() -> None:
    facts = source(
        "import os\nfrom os import environ as env\nK = 'K'\n"
        "a = os.environ['A']; b = os.getenv('B'); k = env[K]\nos.environ['C'] = '1'\nc = os.environ['C']\n"
        "try:\n    d = os.environ['D']\nexcept KeyError:\n    d = 1\n"
        "if 'E' in os.environ:\n    e = os.environ['E']\n"
        "if __name__ == '__main__':\n    f = os.environ['F']\n"
    )
    reads = {one["name"]: one["required"] for one in facts["environment_reads"]}
    assert reads == {"A": True, "B": False, "K": True, "C": False, "D": False, "E": False}


def test_imports_and_where_they_come_from() -> None:
    facts = source(
        "import json, azure.identity\nfrom .near import x\nimport helper\n"
        "try:\n    import tomllib\nexcept ImportError:\n    import tomli\n"
        "def f():\n    import numpy\n"
    )
    resolve_imports(facts, {"helper", "json"})
    assert [(one["module"], one["top"], one["guarded"], one["resolves"]) for one in facts["imports"]] == [
        ("json", "json", False, "stdlib"),  # the server has loaded it before the flow's folder is looked at
        ("azure.identity", "azure", False, "third-party"),
        (".near", None, False, "flow"),
        ("helper", "helper", False, "flow"),
        ("tomllib", "tomllib", True, "stdlib"),
        ("tomli", "tomli", True, "third-party"),
        ("numpy", "numpy", True, "third-party"),
    ]


def test_classes() -> None:
    functions = source(
        "from x import Base\nclass A:\n    def __init__(self, c: int = 1): pass\n"
        "    async def __call__(self, q) -> str: ...\n"
        "class B(A): pass\nclass C(Base): pass\nclass D: pass\n"
    )["functions"]
    a, b, c, d = functions
    assert (a["callable"], a["is_async"], a["returns"]) == (True, True, "str")
    assert b["callable"] is True
    assert b["parameters"] == a["parameters"]
    assert "$unknown" in c["callable"]
    assert d["callable"] is False


def test_calls_and_globals() -> None:
    facts = source(
        "import openai\nfrom dotenv import load_dotenv as ld\nC = {}\nL = []\nld()\n"
        "def f(L):\n    C['x'] = 1\n    L.append(2)\n    return openai.ChatCompletion.create()\n"
    )
    assert facts["calls"] == ["dotenv.load_dotenv", "L.append", "openai.ChatCompletion.create"]
    assert facts["mutable_globals"] == ["C"]


def test_columns_count_characters() -> None:
    facts = source("é = 'é'; import os; é = os.environ['X']\n")
    assert facts["environment_reads"][0]["$at"] == {"": [1, 25, 40]}


_PIECES = st.sampled_from(
    [
        *(
            "f'",
            'f"',
            "rf'''",
            '"""',
            "{",
            "}",
            "{{",
            "x",
            "!r",
            ":",
            "=",
            "'",
            '"',
            "\\",
            "\n",
            "#",
            "[",
            "]",
            "(",
            ")",
        ),
        *("*", " ", "def f", "type X", "except", "class C", "match x:\n case 1: pass\n", ",", "lambda", " for "),
        *("if x:\n  ", "import os"),
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=25).map("".join)))
def test_never_fails(text: str) -> None:
    facts = source(text)
    json.dumps(facts)
    error = facts["syntax_error"]
    if error is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))


@given(st.lists(_PIECES, max_size=25).map("".join))
def test_what_this_interpreter_accepts_is_what_we_say(text: str) -> None:
    own = f"3.{sys.version_info.minor}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "x", "exec", dont_inherit=True)
        accepts = True
    except (SyntaxError, ValueError):
        accepts = False
    assert accepts == (own in (parse(text).accepted_by or ()))


def test_our_own_files(root: Path) -> None:
    for file in (root / "src").rglob("*.py"):
        assert "3.10" in (parse(file.read_text(encoding="utf-8")).accepted_by or ())


def test_imports_that_every_call_runs() -> None:
    text = """
from promptflow.core import tool

@tool
def f(q):
    import a
    with open(q):
        import b
    if q:
        import c
    try:
        import d
    except ImportError:
        pass
    def g():
        import e

def h():
    import i
"""
    runs = {one["module"]: one["every_call"] for one in source(text)["imports"]}
    assert [name for name, certain in runs.items() if certain] == ["a", "b"]
