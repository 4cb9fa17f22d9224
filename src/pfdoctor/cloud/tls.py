"""Whom to trust: one TLS context for every connection of a live run."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from pfdoctor.cloud.errors import CloudError


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """A context that trusts REQUESTS_CA_BUNDLE (a file or folder), else SSL_CERT_FILE, else the machine's authorities.

    aiohttp reads neither variable where requests and the Azure CLI do. Raises CloudError for a bundle that cannot be
    read: trusting something else instead would only fail later, and less clearly.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        bundle = environment.get(name)
        if not bundle:
            continue
        try:
            if Path(bundle).is_dir():
                return ssl.create_default_context(capath=bundle)
            return ssl.create_default_context(cafile=bundle)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error.strerror or error
            raise CloudError(f"{name} names {bundle}, which is no bundle of certificates: {reason}") from error
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_DIR"):
        # Python from python.org on macOS comes without authorities; requests brings its own
        import certifi

        context.load_verify_locations(certifi.where())
    return context
