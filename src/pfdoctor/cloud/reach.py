"""Whether Azure can be reached from here at all: through which proxy, trusting whom, at what time."""

from __future__ import annotations

import datetime as dt
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import NamedTuple

from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.date import date_of
from pfdoctor.cloud.proxy import proxy_for
from pfdoctor.cloud.tls import tls_context

_TIMEOUT = 10.0
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables that name whom to trust, in the order in which they count."""


class Reach(NamedTuple):
    """What a request without any login came to.

    `proxy` is the variable that names it, and its value without a login. `skew` is how many seconds the machine's clock
    is ahead of Azure's; `fault` says why nothing answered, and `untrusted` that something did, with a certificate that
    is not trusted.
    """

    proxy: str | None
    bundle: str | None
    status: int | None = None
    skew: float | None = None
    fault: str | None = None
    untrusted: bool = False


def reach(cloud: Cloud, environment: Mapping[str, str]) -> Reach:
    """Ask the cloud's public metadata, which needs no login. Raises CloudError for a bundle or proxy that is none."""
    proxy = proxy_for(cloud.host)
    bundle = next((f"{name}={environment[name]}" for name in BUNDLES if environment.get(name)), None)
    found = Reach(str(proxy) if proxy is not None else None, bundle)
    url = f"{cloud.resource_manager}/metadata/endpoints?api-version=2019-05-01"
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - a Cloud's is https
    context = tls_context(environment)
    began = dt.datetime.now(dt.timezone.utc)
    try:
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=_TIMEOUT) as answer:
            status, date = answer.status, answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        # an answer, if not the one that was asked for
        with error:
            status, date = error.code, error.headers.get("Date")
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        untrusted = isinstance(reason, ssl.SSLError)
        return found._replace(fault=_fault(reason, cloud, found.proxy), untrusted=untrusted)
    return found._replace(status=status, skew=_skew(date, began))


def _skew(date: str | None, began: dt.datetime) -> float | None:
    theirs = date_of(date)
    return (began - theirs).total_seconds() if theirs is not None else None


def _fault(reason: OSError | str, cloud: Cloud, proxy: str | None) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {cloud.host} is not trusted ({reason.verify_message}): a proxy that opens TLS? "
            "Set REQUESTS_CA_BUNDLE to the bundle that holds its authority"
        )
    return f"{cloud.host} cannot be reached{f' through {proxy}' if proxy else ''}: {reason}"
