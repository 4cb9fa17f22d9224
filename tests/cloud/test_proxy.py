"""HTTPS_PROXY: what it may be, and what is said where it is something else or does not work."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from pfdoctor.cli.main import main
from pfdoctor.cloud.clouds import resolve_cloud
from pfdoctor.cloud.errors import ProxyError
from pfdoctor.cloud.proxy import proxy_for
from pfdoctor.cloud.reach import reach

PASSWORD = "not-a-real-one"
WHERE = ("-w", "ws-chat", "-g", "rg-chat", "-s", "11111111-2222-3333-4444-555555555555")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no exception of the machine's own."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("value", "address", "shown"),
    [
        ("http://proxy.contoso.example:8080", "http://proxy.contoso.example:8080", "http://proxy.contoso.example:8080"),
        ("proxy:8080", "http://proxy:8080", "http://proxy:8080"),
        ("nonsense", "http://nonsense", "http://nonsense"),
        ("HTTPS://Proxy:443/", "HTTPS://Proxy:443/", "https://proxy:443"),
        (f"http://me:{PASSWORD}@proxy:1", f"http://me:{PASSWORD}@proxy:1", "http://proxy:1"),
        (f"me:{PASSWORD}@[::1]:1", f"http://me:{PASSWORD}@[::1]:1", "http://[::1]:1"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_an_address(variable: str, value: str, address: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    proxy = proxy_for("management.azure.com")
    assert proxy is not None
    assert (proxy.address, str(proxy)) == (address, f"{variable}={shown}")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://[bad", "http://[bad"),
        (f"http://me:{PASSWORD}@[bad", "http://[bad"),
        (f"me:{PASSWORD}@proxy:port", "proxy:…"),
        (f"http://me:{PASSWORD}/@proxy:port", "http://proxy:…"),
        (f"http://me:{PASSWORD}", "http://me:…"),
        (f"http://me:12/{PASSWORD}@proxy:8080", "http://proxy:8080"),
        (f"me:12?{PASSWORD}@proxy:8080", "proxy:8080"),
        (f"http://me:a@b#{PASSWORD}@proxy:8080", "http://proxy:8080"),
        (f"me:{PASSWORD}://proxy", "…://proxy"),
        ("http://proxy:99999", "http://proxy:99999"),
        ("http://", "http://"),
        ("http://two words:1", "http://two words:1"),
        ("socks5://proxy:1080", "socks5://proxy:1080"),
        (" ", " "),
    ],
)
def test_nonsense_is_named_and_shown_without_a_login(
    value: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    said = f"HTTPS_PROXY is {shown!r}, which is no address of a proxy for HTTP: expected http://HOST:PORT"
    for command in (["diagnose", "-e", "chat", *WHERE], ["audit"]):
        assert main(command) == 2
        assert said in (told := capsys.readouterr().err)
        assert PASSWORD not in told
    main(["selfcheck"])
    assert said in (told := capsys.readouterr().out)
    assert PASSWORD not in told
    assert ("is written %2F" in told) is ("@" in value)


def test_the_variable_that_counts_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://one")
    monkeypatch.setenv("https_proxy", "http://other")
    assert str(proxy_for("management.azure.com")) == "https_proxy=http://other"


def test_what_no_proxy_spares_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://[bad")
    monkeypatch.setenv("NO_PROXY", ".azure.com")
    assert proxy_for("management.azure.com") is None
    with pytest.raises(ProxyError, match="HTTPS_PROXY"):
        # who issues tokens is not spared
        resolve_cloud(None, {})
    monkeypatch.setenv("NO_PROXY", ".azure.com,login.microsoftonline.com")
    assert resolve_cloud(None, {}).name == "AzureCloud"


@pytest.mark.parametrize("proxy", [f"http://me:{PASSWORD}@127.0.0.1:", f"http://me:{PASSWORD}@no-such-host.invalid:"])
def test_one_that_does_not_answer_is_named_where_it_matters(
    azure: Any, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"{proxy}{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    shown = f"HTTPS_PROXY=http://{proxy.rpartition('@')[2]}{port}"
    value = azure.read(lambda reader: reader.get("/subscriptions", "2022-12-01"), fresh=True).value
    assert value.code == "proxy"
    assert shown in value.detail
    found = reach(azure.cloud, azure.environment)
    assert f"cannot be reached through {shown}: " in str(found.fault)
    with pytest.raises(Exception, match="cannot read the cloud's metadata") as told:
        resolve_cloud(None, azure.environment)
    assert f"through {shown}: " in str(told.value)
    assert PASSWORD not in f"{value}{found}{told.value}"
