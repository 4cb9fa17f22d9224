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
