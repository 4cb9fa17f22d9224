"""What holds for every text: none crashes the decoder, a cut loses only what it cut off, no wrapping hides an error."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pfdoctor.core.decode import Decoded, Reading, Sighting, decode
from pfdoctor.core.decode.literals import LiteralSearch
from pfdoctor.core.decode.loose import read_value
from pfdoctor.core.model import Json

names = st.text(string.ascii_letters, min_size=4, max_size=20).map(lambda name: f"E{name}")
words = st.text(string.ascii_letters + string.digits + " .,'-/äß", max_size=60).map(str.strip)
errors = st.recursive(
    st.builds(lambda code, message: {"code": code, "message": message}, names, words),
    lambda inner: st.builds(
        lambda code, message, details: {"code": code, "message": message, "details": details},
        names,
        words,
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
PIECES = (
    '{"error": {"code": "UserError", "message": "',
    "Traceback (most recent call last):\n",
    '  File "/a/b.py", line 3, in f\n',
    "ValueError: x\n",
    "Code: X\nMessage: Y\n",
    "(AuthorizationFailed) ",
    "HTTP/1.1 424 \n",
    "does not have authorization to perform action 'a/b'",
    "\\",
    "\\n",
    '\\"',
    "{",
    "}",
    "[",
    "'",
    '"',
    "\n",
    "│",
    "  + Exception Group ",
    "Error code: 429 - {",
    "\x1b[31m",
    "2024-05-01T10:00:00Z ",
    "9999-99-99 99:99:99",
)
texts = st.one_of(
    st.text(max_size=300), st.lists(st.sampled_from(PIECES) | st.text(max_size=10), max_size=30).map("".join)
)


def _codes(value: Json) -> list[str]:
    return [value["code"], *(code for inner in value.get("details", ()) for code in _codes(inner))]


@settings(max_examples=300, deadline=None)
@given(texts)
def test_no_text_is_too_strange(text: str) -> None:
    for one in decode(text):
        assert 1 <= one.line <= text.count("\n") + 1
        json.dumps(one.to_json())


@settings(max_examples=200, deadline=None)
@given(errors, st.data())
def test_a_cut_loses_only_what_it_cut_off(error: Json, data: st.DataObject) -> None:
    shapes: list[Callable[[Json], str]] = [json.dumps, lambda one: json.dumps(one, indent=2), str]
    shape = data.draw(st.sampled_from(shapes))
    text = shape({"error": error})
    cut = data.draw(st.integers(0, len(text)))
    whole = re.findall(r"[\"']code[\"']: [\"'](\w+)[\"'],\s*[\"']message[\"']: (?:\"[^\"]*\"|'[^']*')", text[:cut])
    found = [one.code for one in decode(text[:cut]) if one.kind == "arm"]
    assert set(whole) <= set(found)
    assert set(found) <= set(_codes(error))


WRAPPINGS: tuple[Callable[[str], str], ...] = (
    json.dumps,
    lambda text: json.dumps({"level": "error", "message": text}),
    lambda text: repr({"message": text}),
    lambda text: f"2024-05-01T10:00:00.1234567Z ##[error]{text}",
    lambda text: f"deploy\tCreate\t2024-05-01T10:00:00Z {text}",
    lambda text: f"\x1b[1m{text}\x1b[0m",
    lambda text: "\n".join(f"web-1  | {line}" for line in text.split("\n")),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: f"noise\n{text}\nnoise",
    lambda text: f"ERROR:root:{text}",
)


@settings(max_examples=200, deadline=None)
@given(errors, st.lists(st.sampled_from(WRAPPINGS), max_size=4))
def test_no_wrapping_hides_an_error(error: Json, wrappings: list[Callable[[str], str]]) -> None:
    text = json.dumps({"error": error})
    for wrap in wrappings:
        text = wrap(text)
    found = {one.code for one in decode(text) if one.kind == "arm"}
    assert error["code"] in found, text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text("abcXYZ '(:", min_size=2, max_size=12).filter(lambda one: one.strip() == one), min_size=1, max_size=8
    ),
    st.text("abcXYZ '(:\n", max_size=120),
    st.data(),
)
def test_every_literal_is_found_wherever_it_stands(literals: list[str], noise: str, data: st.DataObject) -> None:
    """Against the plain way: one look for each literal at each place."""
    position = data.draw(st.integers(0, len(noise)))
    text = noise[:position] + data.draw(st.sampled_from(literals)) + noise[position:]
    found = {(one.start, one.literal) for one in LiteralSearch(literals).finditer(text)}
    plain = {
        (match.start(), literal) for literal in literals for match in re.finditer(f"(?={re.escape(literal)})", text)
    }
    assert plain <= found
    for start, literal in found - plain:
        # more than the plain way finds only what a line end tore apart
        assert " ".join(text[start:].split()).startswith(" ".join(literal.split())[:3].strip())


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=6), st.integers(1, 40))
def test_the_pieces_in_which_a_text_comes_change_nothing(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole, pieces = Reading(), Reading()
    whole.feed(text)
    for start in range(0, len(text), size):
        pieces.feed(text[start : start + size])
    whole.finish()
    pieces.finish()
    assert pieces.errors == whole.errors
    assert (pieces.lines, pieces.stage) == (whole.lines, whole.stage)


def test_across_the_border_of_two_windows() -> None:
    """A long text is read in windows; what lies across their border is read once, with the right line."""
    trace = "Traceback (most recent call last):\n  File \"/app/n1.py\", line 3, in f\n    g()\nKeyError: 'NAME'\n"
    line = "2024-05-01 10:00:00 +0000 1 execution INFO nothing to see here, move along please\n"
    for shift in range(0, len(trace), 7):
        filler = line * ((1 << 20) // len(line) - 2)
        filler += "x" * ((1 << 20) - len(filler) - shift - 1) + "\n"
        seen: list[Sighting] = []
        reading = Reading(["KeyError: 'NAME'"], seen.append)
        for part in (filler, trace, line * 3000):
            reading.feed(part)
        reading.finish()
        first = filler.count("\n") + 1
        assert [(one.kind, one.code, one.line, one.occurrences) for one in reading.errors] == [
            ("exception", "KeyError", first + 3, 1)
        ]
        assert [one.line for one in seen] == [first + 3]


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda v: st.lists(v) | st.dictionaries(st.text(max_size=5), v),
        max_leaves=12,
    ).filter(lambda v: isinstance(v, (dict, list)))
)
def test_reading_json_loosely_gives_the_same(value: Json) -> None:
    read = read_value(json.dumps(value), 0)
    assert read is not None
    assert read.whole
    assert read.value == value


def test_secrets_never_come_out() -> None:
    key = "".join(chr(ord("a") + (7 * n) % 26) + str((3 * n) % 10) for n in range(16))
    secrets = {
        "key": key,
        "sas": "sig=" + (key * 2)[:43] + "%3D",
        "jwt": "eyJ" + key + "." + key + "." + key,
    }
    template = (
        'ERROR: (UserError) failed with api_key="{key}" at https://x.blob.core.windows.net/c?sv=1&{sas}\n'
        '{{"error": {{"code": "Bad", "message": "Authorization: Bearer {jwt} refused", "target": "{jwt}"}}}}\n'
        "Traceback (most recent call last):\n"
        '  File "/app/n1.py", line 3, in f\n'
        "ValueError: AZURE_OPENAI_API_KEY={key}\n"
        "requests: 403 Client Error: Forbidden for url: https://user:{key}@host/?{sas}\n"
    )
    found: list[Decoded] = decode(template.format(**secrets))
    assert {one.kind for one in found} >= {"arm", "exception", "http"}
    said = json.dumps([one.to_json() for one in found])
    assert key not in said
    assert secrets["sas"][4:40] not in said
    assert "[redacted: " in said
