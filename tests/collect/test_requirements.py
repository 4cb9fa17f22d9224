"""Requirement lines: pip's own reading, with a quick way for the plain ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pfdoctor.collect.folder import requirements
from pfdoctor.collect.folder.requirements import read_conda, read_pyproject, read_requirements
from pfdoctor.yaml_document import Dialect, read

_PIECES = st.sampled_from(
    [
        *(
            "promptflow",
            "a",
            "A_b.c",
            "1",
            "==",
            ">=",
            "~=",
            "!=",
            "<",
            "===",
            " ",
            ",",
            "1.0",
            "1.0.*",
            "2a1",
            ".post1",
        ),
        *(".dev2", "+cu1", "[x]", "[x, y-z]", "[]", "[,]", ";", "@", "(", ")", "-", ".", "*", "rc", "v1"),
    ]
)


@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join))
def test_the_quick_way_takes_only_what_packaging_takes(text: str) -> None:
    plain = requirements._PLAIN.fullmatch(text)
    if plain is not None:
        parsed = Requirement(text)
        assert requirements._normalised(plain["name"]) == canonicalize_name(parsed.name)
        assert parsed.specifier == Requirement("x" + (plain["specifier"] or "")).specifier


@given(st.text(alphabet=st.sampled_from("a1.=<>-_[]#;@ \\\n\"'$/:~"), max_size=40))
def test_never_fails(text: str) -> None:
    json.dumps(read_requirements(text, "r.txt").entries)


@pytest.mark.parametrize("text", ["a=1", "a==1.0-", "--unknown", "a b", "a==", "a>=1;;"])
def test_invalid_lines(text: str) -> None:
    [entry] = read_requirements(text, "r.txt").entries
    assert (entry["problem"], entry["name"]) == ("invalid", None)
    with pytest.raises(InvalidRequirement):
        Requirement(text)


def test_a_file() -> None:
    found = read_requirements(
        "# c\npromptflow[azure]==1.10.0  # pin\n  numpy >=1,<2\nfoo==1.* ; python_version<'3.9'\n"
        "-r other.txt\n-c limits.txt\n--extra-index-url https://u:p@x/simple\n"
        "-e git+https://token@github.com/a/b.git#egg=b_c\nbar==1.0 \\\n   --hash=sha256:abc\nx @ https://x/x.whl\nt==${V}\n",
        "r.txt",
    )
    rows = [(one["name"], one["specifier"], one["pinned_version"], one["problem"]) for one in found.entries]
    assert rows == [
        ("promptflow", "==1.10.0", "1.10.0", None),
        ("numpy", ">=1,<2", None, None),
        ("foo", "==1.*", None, None),
        ("b-c", "", None, None),
        ("bar", "==1.0", "1.0", None),
        ("x", "", None, None),
        ("t", "==${V}", None, None),
    ]
    assert found.entries[2]["marker"] == 'python_version < "3.9"'
    assert found.entries[1]["$at"] == {"": [3, 3, 15]}
    assert [one.path for one in found.includes] == ["other.txt"]
    assert [one.path for one in found.constraints] == ["limits.txt"]
    assert found.options[0]["value"] == "https://***@x/simple"
    assert "token" not in json.dumps(found.entries)


def test_conda_and_pyproject() -> None:
    [document] = read(
        "dependencies:\n- python=3.10\n- pip\n- numpy=1.2\n- conda-forge::scipy==1.3\n"
        "- pip:\n  - promptflow==1.2\n  - -r r.txt\n",
        Dialect.AZURE,
    )
    found = read_conda(document, "conda.yml")
    assert [(one["name"], one["pinned_version"], one["$at"][""][0]) for one in found.entries] == [
        ("numpy", None, 4),
        ("scipy", "1.3", 5),
        ("promptflow", "1.2", 7),
    ]
    assert [one.path for one in found.includes] == ["r.txt"]
    project = read_pyproject(
        '[project]\ndependencies = ["a>=1"]\n[tool.poetry.dependencies]\npython = "^3.9"\nz = "1.2"\n', "p"
    )
    if project.unread is None:
        assert [(one["name"], one["pinned_version"]) for one in project.entries] == [("a", None), ("z", "1.2")]
    assert read_pyproject("[", "p").unread is not None


def test_no_more_than_so_many_entries_are_read() -> None:
    for text in ("a\n", "-r a\n", "--no-index\n"):
        full = read_requirements(text * 5000, "requirements.txt")
        assert (full.size(), full.unread) == (5000, None)
        more = read_requirements(text * 5001, "requirements.txt")
        assert more.size() == 5000
        assert more.unread is not None
