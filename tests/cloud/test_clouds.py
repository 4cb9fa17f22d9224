"""Which Azure is meant: never public Azure by accident."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pfdoctor.cloud.clouds import CHINA, PUBLIC, US_GOVERNMENT, resolve_cloud
from pfdoctor.cloud.errors import CloudError
from pfdoctor.simulator.certificates import Authority

METADATA = {
    "name": "Contoso",
    "portal": "https://portal.contoso.example",
    "resourceManager": "https://arm.contoso.example:8443/",
    "authentication": {"loginEndpoint": "https://login.contoso.example/", "audiences": ["https://other.example/"]},
    "suffixes": {"storage": "core.contoso.example", "keyVaultDns": "vault.contoso.example"},
}


@contextmanager
def answering(tmp_path: Path, body: bytes, status: int = 200, **headers: str) -> Iterator[dict[str, str]]:
    """A server on loopback that answers every GET alike; gives the variables that name it and trust it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    authority = Authority(tmp_path)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        context = authority.server_context()
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield {
                "ARM_CLOUD_METADATA_URL": f"https://127.0.0.1:{server.server_port}/metadata",
                "REQUESTS_CA_BUNDLE": str(authority.ca_file),
            }
        finally:
            server.shutdown()
            thread.join()


def test_public_azure_when_nothing_else_is_said() -> None:
    cloud = resolve_cloud(None, {})
    assert cloud == PUBLIC
    assert (cloud.host, cloud.arm_scope) == ("management.azure.com", "https://management.azure.com/.default")


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("AzureChinaCloud", {}, CHINA),
        (None, {"AZURE_CLOUD": "azureusgovernment"}, US_GOVERNMENT),
        ("usgov", {"AZURE_CLOUD": "AzureChinaCloud"}, US_GOVERNMENT),
    ],
)
def test_sovereign_clouds_by_name(name: str | None, environment: dict[str, str], expected: Any) -> None:
    assert resolve_cloud(name, environment) == expected


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(CloudError, match="did you mean AzureChinaCloud") as error:
        resolve_cloud("AzureChinCloud", {})
    assert error.value.exit_code == 2


def test_the_authority_can_be_named() -> None:
    assert resolve_cloud(None, {"AZURE_AUTHORITY_HOST": "login.contoso.example"}).authority == (
        "https://login.contoso.example"
    )
    with pytest.raises(CloudError, match="AZURE_AUTHORITY_HOST"):
        resolve_cloud(None, {"AZURE_AUTHORITY_HOST": "http://login.contoso.example"})


def test_metadata_describes_another_azure(tmp_path: Path) -> None:
    with answering(tmp_path, json.dumps(METADATA).encode()) as environment:
        cloud = resolve_cloud(None, environment)
    assert cloud.name == "Contoso"
    assert cloud.host == "arm.contoso.example:8443"
    assert cloud.authority == "https://login.contoso.example"
    assert cloud.arm_scope == "https://other.example/.default"
    assert cloud.suffixes == {"storage": "core.contoso.example", "key_vault": "vault.contoso.example"}


def test_of_several_clouds_the_named_one(tmp_path: Path) -> None:
    body = json.dumps([METADATA, {**METADATA, "name": "Fabrikam"}]).encode()
    with answering(tmp_path, body) as environment:
        assert resolve_cloud("fabrikam", environment).name == "Fabrikam"
        with pytest.raises(CloudError, match="name one by --cloud"):
            resolve_cloud(None, environment)
        with pytest.raises(CloudError, match="no cloud 'Nowhere' among Contoso, Fabrikam"):
            resolve_cloud("Nowhere", environment)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>sign in</html>", 200),
        (b"", 200),
        (b"[]", 200),
        (b"[1]", 200),
        (b"{}", 200),
        (b"[" * 100_000, 200),
        (json.dumps({**METADATA, "resourceManager": "http://arm.contoso.example"}).encode(), 200),
        (json.dumps({**METADATA, "resourceManager": "https://user@arm.contoso.example"}).encode(), 200),
        (json.dumps({**METADATA, "authentication": {}}).encode(), 200),
        (json.dumps(METADATA).encode(), 500),
        (json.dumps(METADATA).encode(), 302),
    ],
)
def test_metadata_that_is_none_is_an_error(tmp_path: Path, body: bytes, status: int) -> None:
    with (
        answering(tmp_path, body, status, Location="https://management.azure.com") as environment,
        pytest.raises(CloudError) as error,
    ):
        resolve_cloud(None, environment)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:9/metadata", "http://127.0.0.1:9/metadata", "file:///etc/hosts", "x"]
)
def test_unreachable_metadata_never_means_public_azure(url: str) -> None:
    with pytest.raises(CloudError, match="ARM_CLOUD_METADATA_URL"):
        resolve_cloud("AzureCloud", {"ARM_CLOUD_METADATA_URL": url})


def test_an_untrusted_certificate_is_an_error(tmp_path: Path) -> None:
    with answering(tmp_path, json.dumps(METADATA).encode()) as environment:
        del environment["REQUESTS_CA_BUNDLE"]
        with pytest.raises(CloudError, match="certificate"):
            resolve_cloud(None, environment)


def test_a_bundle_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for bundle in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(CloudError, match="REQUESTS_CA_BUNDLE"):
            resolve_cloud(None, {"ARM_CLOUD_METADATA_URL": "https://127.0.0.1:9", "REQUESTS_CA_BUNDLE": str(bundle)})


def test_a_folder_of_certificates_will_do(tmp_path: Path) -> None:
    from pfdoctor.cloud.tls import tls_context

    assert isinstance(tls_context({"REQUESTS_CA_BUNDLE": str(tmp_path)}), ssl.SSLContext)


def test_the_hosts_that_a_key_is_sent_to() -> None:
    assert PUBLIC.serves("chat.westeurope.inference.ml.azure.com")
    assert not any(PUBLIC.serves(host) for host in ("evil.example", "inference.ml.azure.com.evil.example", "127.0.0.1"))
    local = PUBLIC._replace(resource_manager="https://127.0.0.1:8443")
    assert local.serves("127.0.0.1:9000")
    assert not local.serves("10.0.0.1")
    stack = PUBLIC._replace(resource_manager="https://management.local.example.com")
    assert stack.serves("chat.ml.local.example.com")
    assert not stack.serves("chat.example.com")
