"""A text is understood as it was printed, whatever a mail, a web page or a console did to it before it was pasted."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Mapping

import pytest

from pfdoctor import catalog
from pfdoctor.collect.logs import read_text
from pfdoctor.collect.logs.pasted import as_printed
from pfdoctor.core.rule import Symptom

ACTION = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
SCOPE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/onlineEndpoints/e"
DENIED = (
    "(AuthorizationFailed) The client 'a1' with object id 'b1' does not have authorization to perform action "
    f"'{ACTION}' over scope '{SCOPE}' or the scope is invalid."
)


@pytest.fixture(scope="module")
def symptoms() -> Mapping[str, Symptom]:
    return catalog.load_full().symptoms


def _hard(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


def _box(text: str) -> str:
    lines = textwrap.wrap(text, 70)
    return "\n".join(["╭" + "─" * 72 + "╮", *(f"│ {line:<70} │" for line in lines), "╰" + "─" * 72 + "╯"])


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "blanks that do not break": lambda text: text.replace(" ", "\u00a0"),
    "web page": html.escape,
    "mail": lambda text: "\n".join(f"> {line}" for line in textwrap.wrap(text, 70)),
    "mail of a mail": lambda text: "\n".join(f"> > {line}" for line in textwrap.wrap(text, 70)),
    "pipes": lambda text: "\n".join(f"| {line}" for line in textwrap.wrap(text, 70)),
    "box": _box,
    "name of a pod": lambda text: "\n".join(f"pod/blue-1 inference-server | {line}" for line in _hard(text, 88)),
    "120 columns": lambda text: "\r\n".join(_hard(text, 120)),
    "79 columns": lambda text: "\n".join(_hard(text, 79)),
    "PowerShell": lambda text: (
        "az : ERROR: " + "\n".join(_hard(text, 70)) + "\nAt line:1 char:1\n+ az ml online-endpoint"
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_refusal_is_read_whole(wrapping: str, symptoms: Mapping[str, Symptom]) -> None:
    log = read_text(WRAPPINGS[wrapping](DENIED), symptoms, source="-")
    error = next(error for error in log["errors"] if error["kind"] == "authorization")
    assert (error["fields"]["action"], error["fields"]["scope"]) == (ACTION, SCOPE)


def test_lines_stay_where_they_are() -> None:
    text = "first\n" + "\n".join(_hard("x" * 200, 80)) + "\nlast\n"
    assert as_printed(text, whole=True).split("\n") == ["first", "x" * 200, "", "", "last", ""]
    text = "first\n" + "\n".join(_hard("x" * 160, 80)) + "\n[2024] last\n"
    assert as_printed(text, whole=True).split("\n") == ["first", "x" * 160, "", "[2024] last", ""]


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01 10:00:00 INFO a\n2024-05-01 10:00:00 INFO b\n2024-05-01 10:00:01 INFO c\n",
        f"{'Requirement already satisfied: a':<80}\nCollecting b\nERROR: no\n",
        "a | b\nc | d\n",
        "> a quotation\nand an answer\n",
        "ModuleNotFoundError: No module named 'a'\n" + "-" * 80 + "\n",
        "",
    ],
)
def test_what_was_not_wrapped_stays_as_it_is(text: str) -> None:
    assert as_printed(text, whole=True) == text


def test_in_a_part_of_a_long_log_only_letters_are_put_right() -> None:
    assert as_printed("> a\u00a0&#39;b&#39;\n> c\n", whole=False) == "> a 'b'\n> c\n"
