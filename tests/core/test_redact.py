"""Secrets never survive redaction, and nothing else is touched."""

from __future__ import annotations

import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.core.redact import (
    INSTRUMENTATION_KEY,
    find_secrets,
    is_clean,
    is_secret_name,
    redact_text,
    redact_value,
    scan,
)

_LETTERS = string.ascii_letters + string.digits
_RANDOM = random.Random(20261123)


def _random(length: int, alphabet: str = _LETTERS) -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(length))


# the secret, the text around it (with {} in its place), and its kind
FORMS = [
    ("sk-" + _random(48), "{}", "OpenAI API key"),
    ("sk-proj-" + _random(60, _LETTERS + "_-"), "{}", "OpenAI API key"),
    ("sk-1234567890abcdef1234567890abcdef", "{}", "OpenAI API key"),
    ("sk-ant-api03-" + _random(60), "{}", "Anthropic API key"),
    (_random(52) + "JQQJ99" + _random(26), "{}", "Azure OpenAI key"),
    (_random(42) + "AzSeB" + _random(5), "{}", "Azure AI Search key"),
    (
        _random(86, _LETTERS + "+/") + "==",
        "AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
        "Azure storage account key",
    ),
    (_random(40) + "%2B" + _random(30) + "%3D%3D", "AccountName%3Da%3BAccountKey%3D{}%3B", "Azure storage account key"),
    (
        _random(43) + "%3D",
        "https://a.blob.core.windows.net/c?sv=2022-11-02&sp=rl&sig={}&se=x",
        "shared access signature",
    ),
    (
        _random(43, _LETTERS + "+/") + "=",
        "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={}",
        "shared access key",
    ),
    ("1f2e3d4c-0a9b-4bbb-8ccc-123456789abc", "InstrumentationKey={};IngestionEndpoint=https://x/", INSTRUMENTATION_KEY),
    ("1f2e3d4c-0a9b-4bbb-8ccc-123456789abc", "APPINSIGHTS_INSTRUMENTATIONKEY: {}", INSTRUMENTATION_KEY),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + _random(43), "{}", "JSON web token"),
    ("ghp_" + _random(36), "{}", "GitHub token"),
    ("github_pat_" + _random(22) + "_" + _random(59), "{}", "GitHub token"),
    ("AKIA" + _random(16, string.ascii_uppercase + "234567"), "{}", "AWS access key id"),
    ("xoxb-" + _random(12, string.digits) + "-" + _random(24), "{}", "Slack token"),
    ("AIza" + _random(35), "{}", "Google API key"),
    ("hf_" + _random(34), "{}", "Hugging Face token"),
    (_random(3) + "8Q~" + _random(34), "{}", "Entra ID client secret"),
    ("Tr0ub4dor and three", "Server=tcp:db.example.com;User ID=me;Password={};Encrypt=true", "password"),
    ("Tr0ub4dor and three", "Server=tcp:db.example.com;User ID=me; Pwd = {}", "password"),
    (_random(12), "postgresql://bob:{}@db.example.com:5432/x", "password in a URL"),
    (_random(52, string.ascii_lowercase + "234567"), "git+https://{}@dev.azure.com/o/p", "token in a URL"),
]

NAMED = [
    ("AZURE_OPENAI_API_KEY", _random(32, "0123456789abcdef"), "Azure OpenAI key"),
    ("OPENAI_API_KEY", "0123456789abcdef0123456789abcdef", "OpenAI API key"),
    ("SERPAPI_API_KEY", _random(64, "0123456789abcdef"), "SerpAPI key"),
    ("aws_secret_access_key", _random(39, _LETTERS) + "/", "AWS secret access key"),
    ("DB_PASSWORD", "Tr0ub4dor&3", "password"),
    ("password", "hunter2", "password"),
    ("smtp_pass", "hunter2wit", "password"),
    ("client_secret", _random(34), "client secret"),
    ("SPEECH_KEY", _random(32, "0123456789abcdef"), "Azure AI services key"),
    ("api_key", _random(24, string.ascii_lowercase + string.digits), "API key"),
    ("apiKey", _random(40), "API key"),
    ("key", _random(32, "0123456789abcdef"), "Azure AI services key"),
    ("AZURE_OPENAI_KEY_1", _random(32, "0123456789abcdef"), "Azure OpenAI key"),
]

WRITTEN = [
    "{n}={v}",
    '{n}="{v}"',
    "export {n}={v}",
    "{n}: {v}",
    '  {n}: "{v}"  # mine',
    "'{n}': '{v}',",
    '{{"{n}": "{v}", "b": 1}}',
    '"{{\\"{n}\\": \\"{v}\\"}}"',
    "ENV {n} {v}",
    "ENV {n}={v}",
    "ARG {n}={v}",
    'os.environ["{n}"] = "{v}"',
    'f(x, {n}="{v}")',
    'os.getenv("{n}", "{v}")',
    '{n}: str = "{v}"',
    "- name: {n}\n  value: {v}",
    '{{"name": "{n}", "value": "{v}"}}',
    "tool --{n} {v} --other",
    "{n}: >-\n    {v}",
]

ORDINARY = """\
# subscription 3f1c2b4a-0d9e-4f7a-8b6c-5d4e3f2a1b0c, commit 9fceb02d0ae598e95dc970b74767f19372d61af8
id: /subscriptions/3f1c2b4a-0d9e-4f7a-8b6c-5d4e3f2a1b0c/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv
tenant_id: 72f988bf-86f1-41af-91ab-2d7cd011db47
image: mcr.microsoft.com/azureml/promptflow/promptflow-runtime:20240619.v2
digest: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
requests==2.31.0 --hash=sha256:942c5a758f98d790eaed1a29cb6eefc7ffb0d1cf7af05c3d2791656dbd6ad1e1
deployment_name: gpt-35-turbo-16k
model: text-embedding-ada-002
max_tokens: 256
stop_token: "<|im_end|>"
key: inference_config
primary_key: customer_id
api_key: ${env:OPENAI_API_KEY}
api_key: <your-api-key>
api_key: "{{ openai_key }}"
api_key: "to_replace_with_openai_api_key"
api_key: your-api-key-here
password: "********"
secret_name: my-key-vault-secret-2024
AZURE_OPENAI_API_KEY: ${{azureml://connections/aoai/credentials/key}}
PROMPTFLOW_CONNECTION_PROVIDER: azureml://subscriptions/s/resourceGroups/r/providers/p/workspaces/w
def call(api_key: str, token: Optional[str] = None, password=None):
    client = Client(api_key=connection.api_key, token=get_token(scope), key=lambda item: item.name2)
    headers = {"Authorization": f"Bearer {token}", "api-key": os.environ["AZURE_OPENAI_API_KEY"]}
url: https://user:<password>@host/path
url: https://$USER:$TOKEN@github.com/o/r
names = ["api_key", "username", "password", "something_else"]
integrity: sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==
image_data: data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ
"""

around = st.text(alphabet=st.sampled_from("ab Z09\n\t\"':=,{}[]()#;"), max_size=20)


def test_a_password_may_hold_blanks_and_a_sentence_about_one_is_none() -> None:
    assert redact_text('{"password": "hunter2 with a blank"}') == '{"password": "[redacted: password]"}'
    assert redact_value({"password": "a b c9"}) == {"password": "[redacted: password]"}
    for text in ('{"password": "must be set by you"}', "pass: 12 of 13", "PWD=/home/me/app; cd x"):
        assert redact_text(text) == text


@pytest.mark.parametrize(("secret", "frame", "kind"), FORMS, ids=lambda value: str(value)[:20])
def test_a_known_form_is_found_and_named(secret: str, frame: str, kind: str) -> None:
    text = "first: 1\n" + frame.format(secret) + "\nlast: 2\n"
    redacted = redact_text(text)
    assert secret not in redacted
    assert f"[redacted: {kind}]" in redacted
    assert [one["kind"] for one in find_secrets(text, "yaml")] == [kind]


@pytest.mark.parametrize("frame", WRITTEN)
@pytest.mark.parametrize(("name", "secret", "kind"), NAMED, ids=lambda value: str(value)[:20])
def test_a_secret_beside_its_name_is_found(name: str, secret: str, kind: str, frame: str) -> None:
    text = frame.format(n=name, v=secret)
    redacted = redact_text(text)
    assert redacted == text.replace(secret, f"[redacted: {kind}]")


@given(before=around, after=around, form=st.sampled_from(FORMS))
def test_no_form_survives_anywhere(before: str, after: str, form: tuple[str, str, str]) -> None:
    secret, frame, _ = form
    # what touches a token on either side makes it a longer word
    text = f"{before} {frame.format(secret)} {after}"
    assert secret not in redact_text(text)


@given(st.text(max_size=300))
def test_redaction_is_idempotent(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once
    assert once.count("\n") == text.count("\n")


@given(
    st.lists(
        st.one_of(around, st.sampled_from([form.format(n=n, v=v) for form in WRITTEN for n, v, _ in NAMED])), max_size=6
    )
)
def test_redaction_is_idempotent_with_secrets(parts: list[str]) -> None:
    text = "".join(parts)
    once = redact_text(text)
    assert redact_text(once) == once
    assert once.count("\n") == text.count("\n")


@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.text(max_size=40), st.sampled_from([v for _, v, _ in NAMED])
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["api_key", "name", "value", "key", "secrets", "other"]), inner, max_size=3
            ),
        ),
        max_leaves=12,
    )
)
def test_redaction_of_values_is_idempotent(value: object) -> None:
    once = redact_value(value)
    assert redact_value(once) == once
    assert is_clean(once)
    assert is_clean(value) == (once == value)


def test_ordinary_text_is_left_alone() -> None:
    assert redact_text(ORDINARY) == ORDINARY
    assert find_secrets(ORDINARY, "yaml") == []


def test_a_private_key_loses_every_line_but_no_line() -> None:
    body = "\n".join(_random(64, _LETTERS + "+/") for _ in range(5))
    text = f"key: |\n  -----BEGIN RSA PRIVATE KEY-----\n{body}\n  -----END RSA PRIVATE KEY-----\nafter: 1\n"
    redacted = redact_text(text)
    assert not any(line in redacted for line in body.splitlines())
    assert redacted.count("\n") == text.count("\n")
    assert redacted.endswith("after: 1\n")


def test_a_private_key_that_was_cut_off() -> None:
    body = _random(64)
    assert body not in redact_text(f"-----BEGIN PRIVATE KEY-----\n{body}")


def test_only_the_first_line_of_a_private_key_is_none() -> None:
    text = 'expected a text that begins with "-----BEGIN PRIVATE KEY-----"'
    assert redact_text(text) == text


def test_the_place_of_a_secret() -> None:
    secret = "sk-" + _random(48)
    assert find_secrets(f'a: 1\n  openai_api_key: "{secret}"\n', "yaml") == [
        {
            "line": 2,
            "column": 20,
            "end_column": 20 + len(secret),
            "kind": "OpenAI API key",
            "name": "openai_api_key",
            "recognised": True,
        }
    ]


def test_in_python_only_quoted_values_are_literals() -> None:
    value = _random(24, string.ascii_lowercase + string.digits)
    assert find_secrets(f"api_key = {value}\n", "python") == []
    assert len(find_secrets(f"api_key = '{value}'\n", "python")) == 1


def test_values_below_secrets_of_a_custom_connection() -> None:
    text = "type: custom\nsecrets:\n  first: tiger42x\n  second: ${env:X}\n  third: <user-input>\nconfigs:\n  a: b42x\n"
    assert redact_text(text) == text.replace("first: tiger42x", "first: [redacted: API key]")


@pytest.mark.parametrize(
    ("value", "key", "stays"),
    [
        ("abc123", "api_key", False),
        ("testkey123", "client_secret", False),
        ("swordfish1", "password", False),
        ("<key>", "api_key", True),
        ("${KEY}", "api_key", True),
        ("{{ key }}", "api_key", True),
        ("{key}", "api_key", True),
        ("********", "api_key", True),
        ("your-key-here", "api_key", True),
        ("", "api_key", True),
        ("true", "api_key", True),
        ("/run/secrets/key", "api_key", True),
        ("my-connection-2", "secret", True),
        ("deployment.request_settings", "key", True),
        ("abc123", "name", True),
    ],
)
def test_a_value_under_a_name(value: str, key: str, *, stays: bool) -> None:
    assert (redact_value({key: value}) == {key: value}) is stays


def test_a_value_takes_the_name_beside_it() -> None:
    pair = {"name": "DB_PASSWORD", "value": "hunter2"}
    assert redact_value(pair) == {"name": "DB_PASSWORD", "value": "[redacted: password]"}
    assert redact_value({"secrets": {"first": "tiger42x"}}) == {"secrets": {"first": "[redacted: secret]"}}
    # our own facts about secrets are no secrets
    facts = {"secrets": [{"file": ".env", "kind": "OpenAI API key", "name": "OPENAI_API_KEY"}]}
    assert redact_value(facts) == facts


def test_names() -> None:
    for name in ("api_key", "apiKey", "AZURE_OPENAI_API_KEY", "client_secret", "connection_string", "sas", "password"):
        assert is_secret_name(name), name
    for name in ("max_tokens", "key_vault_name", "secret_name", "token_count", "public_key", "keyword", "path"):
        assert not is_secret_name(name), name


def test_a_secret_inside_json_inside_a_text() -> None:
    secret = _random(32, "0123456789abcdef")
    text = json.dumps({"body": json.dumps({"api_key": secret})})
    assert secret not in redact_text(text)


@pytest.mark.parametrize("text", ["AccountKey=", "AccountKey1=9", "api_key=a1B2c3d4e5f6g7h8;"])
def test_values_inside_values_are_looked_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    decide = scan._is_value

    def count(value: str, name: str, **how: bool) -> bool:
        nonlocal looked_at
        looked_at += len(value)
        return decide(value, name, **how)

    monkeypatch.setattr(scan, "_is_value", count)
    text *= 3000
    once = redact_text(text)
    assert looked_at < 20 * len(text)
    assert redact_text(once) == once


def test_keys_without_a_name_beside_them() -> None:
    letters = "aB3dE5fG7hJ9kL+mN/pQ1rS2tU4vW6xY8z"
    key = (letters * 3)[:86] + "=="
    assert redact_text(f"a key: {key}") == "a key: [redacted: Azure storage account key]"
    assert "aB3dE5f7" not in redact_text("https://a.example/b?sv=1&sig=aB3dE5f7&se=2")
