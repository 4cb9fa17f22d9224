"""The proxy that requests go through: that of HTTPS_PROXY, unless NO_PROXY spares the host."""

from __future__ import annotations

import os
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

from pfdoctor.cloud.errors import ProxyError
from pfdoctor.core.pattern import Pattern
from pfdoctor.core.redact import redact_text

EXPECTED = "expected http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT"
_ESCAPED = ", where a / ? # or @ of the password is written %2F %3F %23 or %40"
_NO_HOST = Pattern(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")


class Proxy(NamedTuple):
    """A proxy. `address` is where to connect, with its password; everything else is fit to be shown."""

    variable: str
    address: str
    host: str
    shown: str

    def __str__(self) -> str:
        return f"{self.variable}={self.shown}"


def proxy_for(host: str) -> Proxy | None:
    """The proxy to the host (and port), if any. Raises ProxyError where what names it is no address of one."""
    if urllib.request.proxy_bypass(host):
        return None
    return named_proxy()


def named_proxy() -> Proxy | None:
    """The proxy that the environment (or the system) names, whatever is spared. Raises ProxyError."""
    value = urllib.request.getproxies().get("https")
    if not value:
        return None
    # the one in lower case wins, as with urllib
    names = sorted((name for name in os.environ if name.lower() == "https_proxy"), reverse=True)
    variable = names[0] if names else "the system's proxy"
    address = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        # the password has a / ? or # that is not escaped: what looks like the host is the user
        is_cut = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:
        scheme, host, port, is_cut = "", "", None, "@" in address
    if is_cut or scheme not in ("http", "https") or not host or _NO_HOST.search(host):
        what = f"{variable} is {_without_login(value)!r}, which is no address of a proxy for HTTP"
        raise ProxyError(f"{what}: {EXPECTED}{_ESCAPED if is_cut else ''}")
    shown = f"{scheme}://{f'[{host}]' if ':' in host else host}" + (f":{port}" if port is not None else "")
    return Proxy(variable, address, host, shown)


def _without_login(value: str) -> str:
    """What can be shown of a text that is no address: no user, no password, and nothing that may be one."""
    scheme, found, rest = value.rpartition("://")
    rest = rest.rpartition("@")[2]
    host, colon, port = rest.rpartition(":")
    if colon and not port.isdecimal():
        rest = f"{host}:…"
    return redact_text(f"{scheme if scheme.isalnum() or not found else '…'}{found}{rest}")
