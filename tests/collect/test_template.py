"""Templates: what the quick reader takes is what jinja2 says, and nothing is ever computed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.collect.folder import template
from pfdoctor.collect.folder.template import read_template
from pfdoctor.core.model import Json

CHAT = """system:
You are {{ role.name }}.
{% for item in chat_history %}
user:
{{item.inputs.question}}
{% endfor %}
{% if context %}# User:
{{ context }}{% else %}{{ fallback }}{% endif %}
"""


def facts(text: str) -> dict[str, Json]:
    return read_template(text, "prompt.jinja2")


def test_a_chat_prompt_needs_no_jinja2() -> None:
    assert template._plain_content(CHAT) is not None
    found = facts(CHAT)
    assert found["variables"] == ["role", "chat_history", "context", "fallback"]
    assert found["roles"] == ["system", "user"]
    assert found["leading_text"] is None


_PIECES = st.sampled_from(
    [
        *(
            "{{ x }}",
            "{{x.y}}",
            "{{- z -}}",
            "{{ item.a }}",
            "{{ item }}",
            "{% for item in xs %}",
            "{% for x in x.y %}",
        ),
        *(
            "text }}",
            "{% endfor %}",
            "{% if x %}",
            "{%- elif y -%}",
            "{% else %}",
            "{% endif %}",
            "\n",
            "{{ loop.index }}",
        ),
        *("{{ x._y }}", "{", "{# c #}", "{{ x|upper }}", "{{ range }}", "{% set x = 1 %}", "{{ x", "}", "{% raw %}"),
        *("{% endraw %}", "{{ True }}", "{% endfor", "%}", "{%", "{{ not }}", "{{x}}}", "{{{x}}}", "{% block x %}"),
        *("{% for a in b if c %}", "{% endblock %}"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_the_quick_reader_is_jinja2(text: str) -> None:
    quick = template._plain_content(text)
    if quick is not None:
        full = template._parsed_content(text)
        assert full.problem is None
        assert quick.variables == full.variables
        assert sorted(quick.unsafe) == sorted(full.unsafe)
        assert quick.includes == full.includes
        assert (quick.strict, sorted(quick.refused)) == (full.strict, sorted(full.refused))


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=12).map("".join)))
def test_never_fails(text: str) -> None:
    json.dumps(facts(text))


@pytest.mark.parametrize(
    "text", ["{{ 9**9**9**9 }}", "{{ 'a'|center(99999999999) }}", "{{ [1]*9**11 }}", "{{ -9**9**9 }}"]
)
def test_nothing_is_computed(text: str) -> None:
    assert facts(text)["syntax_error"] is None


@pytest.mark.parametrize("text", ["{{ q", "{% if q %}", "{% foo %}", "{{ q|nofilter }}", "{{ my var }}", "{% do x %}"])
def test_what_promptflow_refuses(text: str) -> None:
    found = facts("a\n" + text)
    assert found["syntax_error"]["$at"] == {"": [2]}
    assert "$unknown" in found["variables"]


def test_includes_and_private_attributes() -> None:
    found = facts("{% include 'b.jinja2' %}{{ q.__class__ }}")
    assert found["includes"] == ["b.jinja2"]
    assert found["unsafe_attributes"] == ["__class__"]


@pytest.mark.parametrize(
    ("text", "leading"),
    [
        ("system:\nhi", None),
        ("hello {{ q }}", "hello"),
        ("intro\nsystem:\nhi", "intro"),
        ("user: {{q}}", "user:"),
        ("{{ q }}", None),
        ("{% if x %}intro{% endif %}system:\n", None),
        ("{# c #}\n # System :\nhi", None),
        ("", None),
    ],
)
def test_leading_text(text: str, leading: str | None) -> None:
    assert facts(text)["leading_text"] == leading


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("{{ zz.a }}", True),
        ("{{ zz['a'] }}", True),
        ("{{ zz() }}", True),
        ("{{ zz + 1 }}", True),
        ("{{ 'a' + zz }}", True),
        ("{{ my-zz }}", True),
        ("{{ -zz }}", True),
        ("{{ zz > 1 }}", True),
        ("{{ zz.a|default('x') }}", True),
        ("{% if zz.a %}{% endif %}", True),
        ("{% for x in zz.y %}{% endfor %}", True),
        ("{{ zz }}", False),
        ("{{ zz ~ 1 }}", False),
        ("{{ 'a %s' % zz }}", False),
        ("{{ zz == 1 }}", False),
        ("{{ q in zz }}", False),
        ("{{ zz|length }}", False),
        ("{% for x in zz %}{% endfor %}", False),
        ("{% if q %}{{ zz.a }}{% endif %}", False),
        ("{{ zz.a if q else 1 }}", False),
        ("{{ q and zz.a }}", False),
        ("{% for x in q %}{{ zz.a }}{% endfor %}", False),
        ("{% macro m() %}{{ zz.a }}{% endmacro %}", False),
        ("{% if q %}{% set zz = {} %}{% endif %}{{ zz.a }}", False),
    ],
)
def test_variables_that_must_be_there(text: str, fails: bool) -> None:
    """As promptflow 1.18.5 answered without them; in a branch it depends on the request."""
    assert ("zz" in facts(text)["strict_variables"]) is fails


def test_what_fails_every_rendering() -> None:
    assert facts("{% if q is empty %}{% endif %}{% if q is none %}{% endif %}")["unknown_tests"] == ["empty"]
    assert facts("{% if q == 'a' and q is empty %}{% endif %}")["unknown_tests"] == []
    assert facts("{{ q.__class__.__mro__ }}")["refused_attributes"] == ["__class__"]
    assert facts("{{ q['__class__']['x'] }}{{ q.__init__() }}")["refused_attributes"] == ["__class__", "__init__"]
    # printed, it is a blank; and `_id` may be a key of the value
    assert facts("{{ q.__class__ }}{{ q._id.x }}")["refused_attributes"] == []


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("function:\n{{ q }}", ["function"]),
        ("function:\nname:\nf\ncontent:\nx\n", []),
        ("tool:\nx\nsystem:\ntool_call_id:\n1\ncontent:\nx", ["tool"]),
        ("tool:\n## tool_call_id:\n{{id}}\n## content:\nx\n", []),
        ("system:\nuser:\n", []),
    ],
)
def test_roles_without_their_head(text: str, roles: list[str]) -> None:
    assert facts(text)["incomplete_roles"] == roles
