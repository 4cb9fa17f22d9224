"""Edits of YAML texts: the intended value changes, the intended lines differ, and nothing else."""

from __future__ import annotations

import copy
import difflib
import io
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pfdoctor.core.plan import RefusedError
from pfdoctor.edit.yaml_text import remove_value, rename_key, set_value
from pfdoctor.yaml_document import Dialect

TEXT = """\
# the deployment of the team
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue   # never green
variables: &shared
    A: "1"   # one
    B: 'x'

    # the last comment of the block
timeouts:   # nothing yet
empty:
brackets: {a: 1, "b": [1, 2]} # on one line
nodes:
- name: prüfen
  type: python # a tool
-   name: second
text: |
  first
  second

folded: >-
  more
  of it
used: *shared
merged:
  <<: *shared
  C: 3
quoted: 'it''s'
last: 5"""


def edited(edit: Callable[[str], str], text: str = TEXT) -> list[str]:
    """The lines that the edit takes away and adds."""
    lines = difflib.ndiff(text.split("\n"), edit(text).split("\n"))
    return sorted((line for line in lines if line[0] in "+-"), key=lambda line: line[0] == "+")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("name",), "green", ["- name: blue   # never green", "+ name: green   # never green"]),
        (("quoted",), "isn't", ["- quoted: 'it''s'", "+ quoted: 'isn''t'"]),
        (("timeouts", "t"), 90000, ["+     t: 90000"]),
        (("empty",), "a: b", ["- empty:", '+ empty: "a: b"']),
        (("brackets", "c"), "on", None),
        (("brackets", "b", 2), 5, None),
        (("nodes", 0, "type"), "llm", ["-   type: python # a tool", "+   type: llm # a tool"]),
        (("nodes", 1, "type"), "llm", ["+     type: llm"]),
        (("new", "deep"), True, ["+ new:", "+     deep: true"]),
        (("text",), "one", ["- text: |", "-   first", "-   second", "+ text: one"]),
        (("folded",), "one", ["- folded: >-", "-   more", "-   of it", "+ folded: one"]),
        (("used",), "own", ["- used: *shared", "+ used: own"]),
        (("merged", "A"), "2", ['+   A: "2"']),
        (("last",), 6, ["- last: 5", "+ last: 6"]),
        (("name",), {"a": 1}, ["- name: blue   # never green", "+ name:   # never green", "+     a: 1"]),
        (("timeouts",), {"a": {"b": [1]}}, ["+     a:", "+         b:", "+         - 1"]),
    ],
)
def test_a_value_is_set_where_it_stands(path: tuple[Any, ...], value: Any, expected: list[str] | None) -> None:
    changed = edited(lambda text: set_value(text, path, value, Dialect.AZURE))
    if expected is not None:
        assert changed == expected
    else:
        assert len(changed) == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("variables", "A"), "bears the anchor &shared"),
        (("used", "A"), "is an alias of &shared"),
        (("name", "below"), "is a text or number"),
        (("text", "below"), "is a text or number"),
    ],
)
def test_what_other_places_share_is_not_edited(path: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        set_value(TEXT, path, 1, Dialect.AZURE)


def test_a_merged_key_is_not_removed() -> None:
    with pytest.raises(RefusedError, match="comes from a merge"):
        remove_value(TEXT, ("merged", "A"), Dialect.AZURE)


def test_a_list_of_mappings_keeps_its_dash() -> None:
    changed = edited(lambda text: remove_value(text, ("nodes", 0, "name"), Dialect.AZURE))
    assert changed == ["- - name: prüfen", "-   type: python # a tool", "+ - type: python # a tool"]


def test_the_only_key_of_a_block_leaves_empty_brackets() -> None:
    text = "a:\n  b: 1  # one\nc: 2\n"
    assert remove_value(text, ("a", "b"), Dialect.AZURE).startswith("a: {}")


def test_json_stays_json() -> None:
    text = '{\n  "properties": {\n    "instanceType": "x",\n    "environmentVariables": {}\n  }\n}\n'
    new = set_value(text, ("properties", "environmentVariables", "A"), "1", Dialect.AZURE)
    new = set_value(new, ("properties", "appInsightsEnabled"), True, Dialect.AZURE)
    assert yaml.safe_load(new)["properties"]["environmentVariables"] == {"A": "1"}
    assert '    "environmentVariables": {"A": "1"},\n    "appInsightsEnabled": true\n' in new


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "", "- [", "a: 1\na: 2\n"])
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        set_value(text, ("a",), 3, Dialect.FLOW)


# ------------------------------------------------------------------------------------------------ as people write it

KEYS = ["name", "type", "A_B", "x.y", "on", "ключ", "with space", "$schema", "0", "true"]
SCALARS: list[Any] = ["serving", "true", "1", "1.0", "a: b", "# no", "it's", 'say "x"', "", "${n.output}", "é", 5, 1.5]
SCALARS += [True, None, "- dash", "*star", "&and", "{{ jinja }}", "no", "12:30", "line\nbreak", "~", "\ttab"]
values: st.SearchStrategy[Any] = st.sampled_from(SCALARS)
tree = st.dictionaries(
    st.sampled_from(KEYS),
    st.recursive(
        values,
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from(KEYS), inner, min_size=0, max_size=4), st.lists(inner, max_size=3)
        ),
        max_leaves=10,
    ),
    min_size=1,
    max_size=5,
)


class Writer:
    """Writes a value as a person might: comments, odd quotes, brackets, anchors, blank lines, any indentation."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.step = draw(st.sampled_from([2, 3, 4]))
        self.newline: str = draw(st.sampled_from(["\n", "\r\n"]))
        self.is_mixed: bool = draw(st.integers(0, 5)) == 0
        self.anchors: list[str] = []

    def document(self, value: Any) -> str:
        end = self.draw(st.sampled_from(["", self.newline, self.newline * 2, f"{self.newline}# the end{self.newline}"]))
        lines = self.lines(value, 0)
        if not self.is_mixed:
            return self.newline.join(lines) + str(end)
        # edited on two systems: any line may end in either way
        return "".join(line + self.draw(st.sampled_from(["\n", "\r\n"])) for line in lines[:-1]) + lines[-1] + str(end)

    def scalar(self, value: Any) -> str:
        style = self.draw(st.sampled_from([None, '"', "'"])) if isinstance(value, str) else None
        text: str = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=1000)
        return text.removesuffix("\n...\n").strip()

    def brackets(self, value: Any) -> str:
        text: str = yaml.safe_dump(value, default_flow_style=True, width=1000)
        return text.removesuffix("\n").removesuffix("...").strip()

    def note(self) -> str:
        return str(self.draw(st.sampled_from(["", "", "", "  # why", " # {x: 1}", "   "])))

    def lines(self, value: Any, indent: int) -> list[str]:
        pad = " " * indent
        found: list[str] = []
        for key, one in value.items():
            if self.draw(st.integers(0, 5)) == 0:
                found.append(self.draw(st.sampled_from(["", f"{pad}# a comment", "# at the margin"])))
            found += self.entry(f"{pad}{self.scalar(key)}:", one, indent)
        return found

    def entry(self, head: str, one: Any, indent: int) -> list[str]:
        if isinstance(one, dict | list) and one and self.draw(st.booleans()):
            if isinstance(one, dict):
                return [head + self.note(), *self.lines(one, indent + self.step)]
            inner = indent + self.draw(st.sampled_from([0, self.step]))
            return [head + self.note(), *(line for element in one for line in self.item(element, inner))]
        if isinstance(one, dict | list):
            return [f"{head} {self.brackets(one)}{self.note()}"]
        if self.anchors and self.draw(st.integers(0, 4)) == 0:
            return [f"{head} *{self.draw(st.sampled_from(self.anchors))}{self.note()}"]
        if self.draw(st.integers(0, 6)) == 0:
            self.anchors.append(f"a{len(self.anchors)}")
            head = f"{head} &{self.anchors[-1]}"
        return [f"{head} {self.scalar(one)}{self.note()}"]

    def item(self, one: Any, indent: int) -> list[str]:
        pad = " " * indent
        if isinstance(one, dict) and one and self.draw(st.booleans()):
            below = self.lines(one, indent + 2)
            first = next(index for index, line in enumerate(below) if line.strip() and not line.strip().startswith("#"))
            return [*below[:first], f"{pad}- {below[first].strip()}", *below[first + 1 :]]
        return [f"{pad}- {self.brackets(one)}"]


@st.composite
def documents(draw: Any) -> str:
    return Writer(draw).document(draw(tree))


def paths_of(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, one in pairs for path in ((*above, key), *paths_of(one, (*above, key)))]


def load(text: str) -> Any:
    """As PyYAML reads it, keys as texts."""
    return texts(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): texts(one) for key, one in value.items()}
    return [texts(one) for one in value] if isinstance(value, list) else value


def load_12(text: str) -> Any:
    """As ruamel reads it: the other dialect's oracle."""
    return texts(YAML(typ="safe", pure=True).load(io.StringIO(text)))


def changed_at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    value = copy.deepcopy(value)
    node = value
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = new
    return value


@settings(max_examples=250, deadline=None)
@given(
    data=st.data(), text=documents(), new=st.one_of(values, st.dictionaries(st.sampled_from(KEYS), values, max_size=3))
)
def test_only_the_value_changes(data: Any, text: str, new: Any) -> None:
    try:
        old = load(text)
    except (yaml.YAMLError, ValueError):
        assume(False)
    assume(isinstance(old, dict))
    assume(all(isinstance(key, str | int) for path in paths_of(old) for key in path))
    path = data.draw(st.sampled_from(paths_of(old)))
    if data.draw(st.booleans()) and isinstance(path[-1], str):
        path = (*path[:-1], "brand_new")
    try:
        after = set_value(text, path, new, Dialect.AZURE)
    except RefusedError:
        return
    assert same(load(after), changed_at(old, path, new))
    # nothing is added to lines that the edit does not mean: what is left of both texts is the same
    removed, added = difference(text, after)
    span = 1 + text.count("\n", *span_of(text, path))
    assert len(removed) <= span + 1  # the line of the key goes where its value moves
    assert len(added) <= 2 + 2 * (len(new) if isinstance(new, dict) else 1)
    # what is added ends as a line of the text does; only a text without any leaves the choice
    ends = {end_of(line) for line in text.splitlines(keepends=True)} | {""}
    assert {end_of(line) for line in added} <= ends or ends == {""}
    # the same edit again finds nothing to do, and taking the key away again leaves the rest as it was
    assert set_value(after, path, new, Dialect.AZURE) == after


def difference(text: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came, each with its end: another line end is another line."""
    old, new = (one.replace("\r\n", "␍\n").splitlines(keepends=True) for one in (text, after))
    lines = list(difflib.ndiff(old, new))
    found = [line for line in lines if line[:2] in ("- ", "+ ")]
    return [line for line in found if line[0] == "-"], [line for line in found if line[0] == "+"]


def end_of(line: str) -> str:
    return "\r\n" if line.endswith(("\r\n", "␍\n")) else "\n" if line.endswith("\n") else ""


def same(left: Any, right: Any) -> bool:
    return yaml.safe_dump(left) == yaml.safe_dump(right)


def span_of(text: str, path: tuple[Any, ...]) -> tuple[int, int]:
    """From where its key stands to where the old value ends, at most."""
    node: Any = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    start = 0
    for key in path:
        if isinstance(node, yaml.SequenceNode):
            node = node.value[key]
            start = node.start_mark.index
        else:
            found = [pair for pair in node.value if pair[0].value == str(key)]
            if not found:
                return (0, 0)
            start, node = found[-1][0].start_mark.index, found[-1][1]
    # an alias composes as what it stands for, which is before it
    return start, max(start, node.end_mark.index)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), text=documents())
def test_only_the_key_goes(data: Any, text: str) -> None:
    try:
        old = load(text)
    except (yaml.YAMLError, ValueError):
        assume(False)
    assume(isinstance(old, dict))
    assume(all(isinstance(key, str | int) for path in paths_of(old) for key in path))
    path = data.draw(st.sampled_from(paths_of(old)))
    try:
        after = remove_value(text, path, Dialect.AZURE)
    except RefusedError:
        return
    expected = copy.deepcopy(old)
    node = expected
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    assert same(load(after), expected)
    assert remove_value(after, path, Dialect.AZURE) == after or isinstance(path[-1], int)
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    kept = [line.strip() for line in after.splitlines() if line.strip().startswith("#")]
    assert len(comments) - len(kept) <= text.count("\n", *span_of(text, path)) + 1


@settings(max_examples=100, deadline=None)
@given(data=st.data(), text=documents(), to=st.sampled_from([*KEYS, "brand_new", "1e3", "null"]))
def test_only_the_name_changes_in_the_flow_dialect(data: Any, text: str, to: str) -> None:
    try:
        old = load_12(text)
    except Exception:  # noqa: BLE001 - whatever ruamel says, it is no document to edit
        assume(False)
    assume(isinstance(old, dict))
    candidates = [path for path in paths_of(old) if all(isinstance(key, str) for key in path)]
    assume(candidates)
    path = data.draw(st.sampled_from(candidates))
    try:
        after = rename_key(text, path, to, Dialect.FLOW)
    except RefusedError:
        return
    expected = copy.deepcopy(old)
    node = expected
    for key in path[:-1]:
        node = node[key]
    node[to] = node.pop(path[-1])
    assert same(load_12(after), expected)
    assert len(after.splitlines()) == len(text.splitlines())
