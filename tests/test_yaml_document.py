"""YAML is read as its consumer reads it: PyYAML and ruamel.yaml are the oracles."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import math
import threading
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pfdoctor.yaml_document import MAX_BYTES, Dialect, YamlError, read

words = st.sampled_from(
    "yes no on off true false True FALSE y n null Null ~ 08 0o17 017 0x1f 1_000 1e3 1.5 .5 -3 +4 12:30 190:20:30 "
    ".inf .nan 1. 2024-01-31 abc 'yes' \"no\" a-b 1.2.3 - 0b11 << =".split()
)


def pyyaml(text: str) -> Any:
    return yaml.safe_load(text)


def ruamel(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


def comparable(value: Any) -> bool:
    """Dates and the like stay texts with us: the consumers of these files take texts there."""
    return not isinstance(value, dt.date | dt.datetime) and (not isinstance(value, float) or math.isfinite(value))


@given(words)
@pytest.mark.parametrize(("dialect", "oracle"), [(Dialect.AZURE, pyyaml), (Dialect.FLOW, ruamel)])
def test_scalars_are_what_the_consumer_sees(dialect: Dialect, oracle: Any, word: str) -> None:
    text = f"key: {word}\n"
    try:
        expected = oracle(text)["key"]
    except (yaml.YAMLError, YAMLError, ValueError):
        return
    if not comparable(expected) or isinstance(expected, dict | list):
        return
    found = read(text, dialect)[0].value["key"]
    assert (found, type(found)) == (expected, type(expected))


def test_merge_keys_and_anchors() -> None:
    text = "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n"
    assert read(text, Dialect.AZURE)[0].value == pyyaml(text)
    assert read(text, Dialect.FLOW)[0].value["use"] == {"x": 1, "y": 3}


def test_a_duplicate_key_is_an_error_only_for_flows() -> None:
    text = "a: 1\nb: 2\na: 3\n"
    assert read(text, Dialect.AZURE)[0].value == {"a": 3, "b": 2}
    with pytest.raises(YamlError, match="'a' appears twice") as caught:
        read(text, Dialect.FLOW)
    assert (caught.value.code, caught.value.line) == ("duplicate-key", 3)


def test_places_are_one_based_and_of_the_winning_key() -> None:
    document = read("a:\n  - x: hello\n  - y: {z: 1}\n", Dialect.FLOW)[0]
    assert document.place("a", 0, "x") == (2, 8, 13)
    assert document.key_place("a", 0, "x") == (2, 5, 6)
    assert document.place("a", 1, "y", "z") == (3, 12, 13)
    assert document.place("a", 7) is None


def test_an_unquoted_template_is_its_text() -> None:
    assert read("name: {{ endpoint }}\n", Dialect.AZURE)[0].value == {"name": "{{ endpoint }}"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1\n", "yaml-syntax"),
        ("a:\n\tb: 1\n", "tab"),
        ("[" * 1_000_000, "too-deep"),
        ("{a: " * 1_000_000, "too-deep"),
        ("- " * 1_000_000, "too-deep"),
        ("".join(" " * i + "a:\n" for i in range(2_000)), "too-deep"),
        ("x" * (MAX_BYTES + 1), "too-large"),
        ("a: \x07\n", "binary"),
        ("a: &a [*a]\n", "yaml-syntax"),
        ("a: *nowhere\n", "yaml-syntax"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
            "too-many-aliases",
        ),
    ],
    ids=lambda value: value if len(value) < 20 else f"{value[:10]!r}…",
)
def test_what_cannot_be_read_is_an_error_with_a_code(text: str, code: str) -> None:
    with pytest.raises(YamlError) as caught:
        read(text, Dialect.AZURE)
    assert caught.value.code == code


def test_deep_nesting_is_refused_in_a_thread_with_a_small_stack() -> None:
    found: list[str] = []

    def attempt() -> None:
        try:
            read("[" * 30_000 + "]" * 30_000, Dialect.AZURE)
        except YamlError as error:
            found.append(error.code)

    threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    assert found == ["too-deep"]


@given(st.text(max_size=60))
def test_any_text_gives_documents_or_an_error(text: str) -> None:
    for dialect in Dialect:
        with contextlib.suppress(YamlError):
            read(text, dialect)


TABBED = st.lists(
    st.sampled_from(
        ["\t", " ", "  ", "\n", "a", "b: ", "c:", "- ", "'x'", '"y"', "[", "]", "{", "}", ", ", "# z", "|", "&n "]
    )
).map("".join)


def fault(text: str, dialect: Dialect) -> str | None:
    """The code of what keeps the text from being read."""
    try:
        read(text, dialect)
    except YamlError as error:
        return error.code
    return None


@given(TABBED.filter(lambda text: "\t" in text))
@pytest.mark.parametrize(("dialect", "oracle"), [(Dialect.AZURE, pyyaml), (Dialect.FLOW, ruamel)])
def test_no_tab_is_refused_that_the_consumer_takes(dialect: Dialect, oracle: Any, text: str) -> None:
    try:
        value = oracle(text)
    except (yaml.YAMLError, YAMLError, ValueError, TypeError):
        return
    # ruamel.yaml takes `|`, a newline and a tab as a text; none of these files is a text as a whole
    assume(not isinstance(value, str))
    assert fault(text, dialect) != "tab"


@pytest.mark.parametrize(
    ("text", "azure", "flow"),
    [
        ("a:\tb\n", "tab", "tab"),
        ("a:\t\n  b: c\n", "tab", "tab"),
        ("a: b\t# c\n", "tab", "tab"),
        ("a: b\n  \t\nc: d\n", "tab", "tab"),
        ("a: [1,\t2]\n", "tab", None),
        ("a: |\n  x\ty\n  \tz\n", None, None),
        ('a: "x\ty" #\tz\n', None, None),
    ],
)
def test_tabs(text: str, azure: str | None, flow: str | None) -> None:
    """As PyYAML 6.0 and ruamel.yaml 0.19 answered; libyaml takes them all."""
    assert (fault(text, Dialect.AZURE), fault(text, Dialect.FLOW)) == (azure, flow)
