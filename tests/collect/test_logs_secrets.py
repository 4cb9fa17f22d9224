"""A secret does not come out of a log because what is quoted was cut beside it, or stands in a text inside a text."""

from __future__ import annotations

import json
import random
import string
from urllib.parse import quote

import pytest

from pfdoctor import catalog
from pfdoctor.collect.logs import read_text
from pfdoctor.core.redact import redact_part, redact_text

_LETTERS = random.Random(7)


def _random(count: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_LETTERS.choice(letters) for _ in range(count))


KEY = _random(52) + "JQQJ99" + _random(26)
HEX = _random(32, "0123456789abcdef")
PASSWORD = "Tr1cky-" + _random(12)
SIGNATURE = quote(_random(43) + "=", safe="")
STORAGE = _random(86) + "=="

MESSAGES = [
    (KEY, f"{{'api_key': '{KEY}', 'x': 1}}"),
    (HEX, f"failed for connection with {{'api_base': 'https://a.openai.azure.com', 'api_key': '{HEX}'}}"),
    *((PASSWORD, f"{'x' * many} postgresql://adm:{PASSWORD}@h:5432/db") for many in (10, 40, 60, 70)),
    *((STORAGE, f"{'x' * many} AccountKey={STORAGE};End") for many in (10, 40, 60, 75)),
    (SIGNATURE, f'{{"uri": "https://a.blob.core.windows.net/c?sv=1\\u0026sig={SIGNATURE}\\u0026se=1"}}'),
    (HEX, f"\\u0027api_key\\u0027: \\u0027{HEX}\\u0027"),
    (PASSWORD, f'{{\\"x\\": 1, \\\\\\"password\\\\\\": \\\\\\"{PASSWORD}\\\\\\"}}'),
    (PASSWORD, f"curl -u user:{PASSWORD} https://e.westus.inference.ml.azure.com/score"),
    (PASSWORD, f"curl -s --user 'user:{PASSWORD}' https://e.westus.inference.ml.azure.com/score"),
]


@pytest.mark.parametrize(("secret", "message"), MESSAGES)
@pytest.mark.parametrize(
    "before", ["Execution failure in 'n': (Exception) ", "ModuleNotFoundError: No module named 'a' "]
)
def test_no_part_of_a_secret_is_in_the_facts_of_a_log(secret: str, message: str, before: str) -> None:
    log = read_text(before + message + "\n", catalog.load_full().symptoms, source="-")
    shown = json.dumps(log)
    assert log["hits"] or log["errors"]
    assert [part for part in (secret[:6], secret[-6:], secret[5:11]) if part in shown] == []


def test_the_words_before_a_part_tell_that_it_is_a_secret() -> None:
    text = f"api_key = '{HEX}' end"
    start = text.index(HEX)
    assert redact_part(text, start + 4, start + 20) == "[redacted: Azure AI services key]"
    assert redact_part(text, start + len(HEX) + 1, len(text)) == " end"


def test_redaction_keeps_the_escapes_around_a_secret_and_is_idempotent() -> None:
    text = f"a \\u0027api_key\\u0027: \\u0027{HEX}\\u0027 C:\\new\\table"
    redacted = redact_text(text)
    assert redacted == "a \\u0027api_key\\u0027: \\u0027[redacted: Azure AI services key]\\u0027 C:\\new\\table"
    assert redact_text(redacted) == redacted
