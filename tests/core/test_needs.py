"""What a flow needs and how its arguments meet: as promptflow 1.18.5 was seen to behave."""

from __future__ import annotations

from typing import Any

import pytest

from pfdoctor.core.derive.arguments import derive_arguments
from pfdoctor.core.derive.needs import derive_needs, derive_packages, derive_serving
from pfdoctor.core.model import Json


def node(name: str = "n", **keys: Any) -> dict[str, Json]:
    inputs = keys.pop("inputs", {})
    rows = [
        {
            "name": key,
            "value": value,
            "kind": "reference" if str(value).startswith("${") else "literal",
            "placeholder": False,
        }
        for key, value in inputs.items()
    ]
    return {
        "name": name,
        "variant": None,
        "use_variants": False,
        "aggregation": False,
        "activate": None,
        "inputs": rows,
        **keys,
    }


def function(**keys: Any) -> dict[str, Json]:
    return {"name": "f", "accepts_any_keyword": False, **keys}


def parameter(
    name: str, annotation: str | None = None, *, required: bool = True, default: Json = None
) -> dict[str, Json]:
    return {"name": name, "annotation": annotation, "required": required, "default": default}


def view(*nodes: dict[str, Json], parameters: list[Json] | None = None, **flow: Any) -> dict[str, Json]:
    any_keyword = flow.pop("any_keyword", False)
    source = {
        "file": "n.py",
        "tools": ["f"],
        "functions": [function(parameters=parameters or [], accepts_any_keyword=any_keyword)],
        "imports": flow.pop("imports", []),
        "environment_reads": flow.pop("reads", []),
    }
    return {"flow": {"nodes": list(nodes), "nodes_with_variants": [], "sources": [source], "templates": [], **flow}}


def problems(facts: dict[str, Json]) -> list[tuple[str, str, str | None]]:
    return [(one["problem"], one["name"], one["suggestion"]) for one in derive_arguments(facts)["arguments"]]


PYTHON = {"type": "python", "source_type": "code", "source_path": "n.py"}


def test_missing_and_unexpected_suggest_each_other() -> None:
    facts = view(
        node(**PYTHON, inputs={"question": 1, "empty": ""}), parameters=[parameter("questions"), parameter("empty")]
    )
    assert problems(facts) == [
        ("missing", "questions", "question"),
        ("missing", "empty", None),
        ("unexpected", "question", "questions"),
    ]
    assert derive_arguments(facts)["arguments"][2]["$from"] == "flow.nodes[0].inputs[0]"


def test_a_dropped_input_is_no_stranger_and_keywords_welcome_all() -> None:
    assert problems(view(node(**PYTHON, inputs={"x": "", "y": None}))) == []
    assert problems(view(node(**PYTHON, inputs={"x": 1}), any_keyword=True)) == []


@pytest.mark.parametrize(
    ("annotation", "default", "value", "crashes"),
    [
        ("int", None, "abc", True),
        ("int", None, "3", False),
        ("int", None, "3.7", True),
        ("int", None, 3.7, False),
        ("float", None, "abc", True),
        ("bool", None, "yes", True),
        ("bool", None, 1, True),
        ("bool", None, "TRUE", False),
        ("list", None, "abc", True),
        ("list", None, "[1]", False),
        ("dict", None, "abc", False),
        ("List[str]", None, "abc", False),
        ("Optional[int]", None, "abc", True),
        ("typing.Union[int, None]", None, "abc", True),
        ("Union[int, str]", None, "abc", False),
        ("int | None", None, "abc", False),
        ('"int"', None, "abc", False),
        (None, 3, "abc", True),
        ("str", None, [1], False),
        ("int", None, "${x.output}", False),
    ],
)
def test_types(annotation: str | None, default: Json, value: Json, crashes: bool) -> None:
    facts = view(node(**PYTHON, inputs={"v": value}), parameters=[parameter("v", annotation, default=default)])
    assert [one[0] for one in problems(facts)] == (["type"] if crashes else [])


def test_deferred_annotations_convert_nothing() -> None:
    future = [{"module": "__future__", "top": "__future__", "names": ["annotations"], "resolves": "stdlib"}]
    assert problems(view(node(**PYTHON, inputs={"v": "abc"}), parameters=[parameter("v", "int")], imports=future)) == []


def test_an_unreadable_tool_is_unclear() -> None:
    facts = view(node(type="python", source_type="code", source_path="other.py"))
    assert derive_arguments(facts) == {"arguments": [], "unclear_arguments": True}


def template(*variables: str) -> list[Json]:
    return [{"file": "p.jinja2", "variables": list(variables)}]


def test_prompt() -> None:
    facts = view(
        node(type="prompt", source_path="p.jinja2", inputs={"questoin": "${inputs.q}"}),
        templates=template("question", "template"),
    )
    assert problems(facts) == [
        ("unsupplied", "question", "questoin"),
        ("reserved", "template", None),
        ("unused", "questoin", "question"),
    ]


def llm(**inputs: Json) -> dict[str, Json]:
    return node(type="llm", api="chat", provider="AzureOpenAI", connection="c", source_path="p.jinja2", inputs=inputs)


def test_llm() -> None:
    facts = view(llm(temperature="hot", max_tokens="256", stop="a,b", q=1), templates=template("q", "user"))
    assert [one[:2] for one in problems(facts)] == [
        ("missing", "deployment_name"),
        ("reserved", "user"),
        ("type", "temperature"),
        ("type", "stop"),
    ]


def test_the_connection_decides_which_api_it_is() -> None:
    facts = view(llm(model="gpt"), templates=template())
    assert problems(facts) == []  # with an OpenAI connection it works
    facts["connections"] = [{"name": "c", "connection_class": "AzureOpenAIConnection"}]
    assert [one[:2] for one in problems(facts)] == [("missing", "deployment_name"), ("unused", "model")]


def test_package_tool() -> None:
    tool = {"type": "python", "source_type": "package", "source_tool": "promptflow.tools.embedding.embedding"}
    facts = view(node(**tool, inputs={"connection": "c", "zz": 1}))
    assert [one[:2] for one in problems(facts)] == [("missing", "input"), ("unexpected", "zz")]
    [connection] = derive_needs(facts)["connections"]
    assert (connection["name"], connection["slot"], connection["expected_types"][0]) == (
        "c",
        "connection",
        "AzureOpenAIConnection",
    )


def test_only_the_default_variant_is_served() -> None:
    bodies = [node(**PYTHON, inputs={"x": 1}, variant=name, served=name == "b") for name in ("a", "b")]
    facts = view(node(use_variants=True, served=False), *bodies)
    assert [one["served"] for one in derive_arguments(facts)["arguments"]] == [False, True]


def needs(requirements: list[str] | None, module: str, family: str | None = None, **imported: Json) -> Json:
    one = {"module": module, "top": module.partition(".")[0], "names": [], "guarded": False, "resolves": "third-party"}
    facts = view(node(**PYTHON), imports=[one | imported])
    rows = [
        {"name": name, "specifier": "", "pinned_version": None, "installed_by": "requirements"}
        for name in requirements or ()
    ]
    facts["requirements"] = {"entries": rows}
    facts["environment"] = {"image": {"family": family, "python": "3.11"}} if family else None
    facts["deployment"] = None
    facts["serving"] = derive_serving(facts) | {"installs_flow_requirements": True}
    [need] = derive_needs(facts)["modules"]
    return need["distribution"], need["provided"]


def test_modules() -> None:
    assert needs([], "pandas") == ("pandas", "image")
    assert needs([], "wikipedia") == ("wikipedia", "nothing")
    assert needs(["wikipedia"], "bs4.element") == ("beautifulsoup4", "requirements")
    assert needs(["promptflow"], "dotenv", "python") == ("python-dotenv", "requirements")
    assert needs(["flask"], "azure.identity.aio", "python") == ("azure-identity", "nothing")
    assert "$unknown" in needs(["some-private-package"], "wikipedia")[1]


def test_packages() -> None:
    entries = [
        {
            "name": "a",
            "specifier": ">=1",
            "pinned_version": None,
            "url": None,
            "file": "r.txt",
            "installed_by": "requirements",
        },
        {"name": "a", "specifier": "==2", "pinned_version": "2", "url": None, "file": "c.yml", "installed_by": "conda"},
    ]
    assert derive_packages({"requirements": {"entries": entries}})["a"]["version"] == "2"
    incomplete = {"$incomplete": {"code": "x", "detail": "y"}, "items": entries}
    assert derive_packages({"requirements": {"entries": incomplete}})["$incomplete"]["code"] == "x"


def test_serving() -> None:
    image = {"family": "promptflow", "python": "3.10"}
    assert derive_serving({"flow": {"environment": {"image": image}}})["image_source"] == "flow"
    deployed = {
        "deployment": {},
        "flow": {"environment": {"image": None, "requirements_file": "requirements.txt"}},
        "environment": {"image": image, "build": None, "conda_file": None},
    }
    facts = derive_serving(deployed)
    assert (facts["image_source"], facts["installs_flow_requirements"], facts["python"]) == (
        "environment",
        False,
        "3.10",
    )
    deployed["environment"] = {"image": None, "build": {}, "conda_file": None}
    deployed["dockerfile"] = {"base": image, "installs_requirements": ["/x/requirements.txt"]}
    facts = derive_serving(deployed)
    assert (facts["image_source"], facts["installs_flow_requirements"]) == ("dockerfile", True)


def test_variables() -> None:
    reads = [{"name": name, "required": name != "B"} for name in ("A", "B", "C", "HOME")]
    facts = view(node(**PYTHON), reads=reads, dotenv={"variables": ["A"]}, environment_variables={"C": "1"})
    facts["deployment"] = None
    found = {one["name"]: (one["provided"], one["in_dotenv"]) for one in derive_needs(facts)["environment_variables"]}
    assert found["C"] == (True, False)
    assert found["HOME"][0] is True
    assert found["A"] == (False, True)
    assert "B" not in found
    del facts["deployment"]
    assert "$unknown" in derive_needs(facts)["environment_variables"][0]["provided"]


def test_an_unreadable_source_leaves_the_lists_incomplete() -> None:
    facts = view(node(**PYTHON), imports={"$unknown": {"code": "syntax-error", "detail": "n.py"}})
    assert derive_needs(facts)["modules"] == {"$incomplete": {"code": "syntax-error", "detail": "n.py"}, "items": []}


def test_a_variable_that_every_rendering_needs() -> None:
    one = template()
    one[0] |= {"variables": ["a", "b"], "strict_variables": ["b"], "unknown_tests": ["empty"], "refused_attributes": []}
    found = derive_arguments(view(node(type="prompt", source_path=one[0]["file"]), templates=one))["arguments"]
    assert [(each["problem"], each["name"], each.get("strict")) for each in found] == [
        ("unsupplied", "a", False),
        ("unsupplied", "b", True),
        ("unknown-test", "empty", None),
    ]


def test_positional_only() -> None:
    one = parameter("x") | {"positional_only": True}
    assert problems(view(node(**PYTHON, inputs={"x": 1}), parameters=[one])) == [("positional-only", "x", None)]
    assert problems(view(node(**PYTHON, inputs={"x": 1}), parameters=[one], any_keyword=True)) == []


def test_what_an_import_in_a_tool_needs() -> None:
    guarded: Json = {"guarded": True, "every_call": True}
    facts = view(
        node(**PYTHON), imports=[{"module": "m", "top": "m", "names": [], "resolves": "third-party", **guarded}]
    )
    [need] = derive_needs(facts)["modules"]
    assert need["guarded"] is False
