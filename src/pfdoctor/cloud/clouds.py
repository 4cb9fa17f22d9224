"""Which Azure: one object that says where Azure Resource Manager is, who issues tokens, and for what.

The built-in clouds are those of azure-ai-ml 1.35.2 (azure/ai/ml/_azure_environments.py). Any other (an Azure Stack, a
simulator) is described by the metadata that `ARM_CLOUD_METADATA_URL` names, as the Azure CLI and the SDKs read it.
"""

from __future__ import annotations

import difflib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from pfdoctor.cloud.address import https_parts
from pfdoctor.cloud.errors import CloudError
from pfdoctor.cloud.proxy import proxy_for
from pfdoctor.cloud.tls import tls_context
from pfdoctor.core.model import Json

_TIMEOUT = 10.0
_LONGEST_METADATA = 1_000_000


class Cloud(NamedTuple):
    """One Azure. Addresses have no slash at their end; scopes are what tokens are asked for."""

    name: str
    resource_manager: str
    authority: str
    arm_scope: str
    ml_scope: str
    suffixes: Mapping[str, str]
    """DNS suffixes: storage, key_vault, container_registry; a cloud that does not tell one leaves it out."""

    @property
    def host(self) -> str:
        """Host and port of Azure Resource Manager, the only one that a token for it is sent to."""
        return urlsplit(self.resource_manager).netloc.lower()

    def serves(self, host: str) -> bool:
        """Whether an endpoint of this cloud may answer at the host (and port), so that its key may be sent there.

        Endpoints lie below the host that tokens for Azure Machine Learning are issued for
        (chat.westeurope.inference.ml.azure.com). Of a cloud described by its metadata, the host of its own Azure
        Resource Manager is trusted, too, and what lies beside it.
        """
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name.endswith(f".{urlsplit(self.ml_scope).hostname}"):
            return True
        if self.resource_manager in (PUBLIC.resource_manager, CHINA.resource_manager, US_GOVERNMENT.resource_manager):
            return False
        own = urlsplit(self.resource_manager).hostname or ""
        beside = own.partition(".")[2]
        return name == own or ("." in beside and not beside[-1].isdecimal() and name.endswith(f".{beside}"))


def _built_in(name: str, manager: str, authority: str, top: str, suffixes: tuple[str, str, str]) -> Cloud:
    names = dict(zip(("storage", "key_vault", "container_registry"), suffixes, strict=True))
    return Cloud(
        name,
        f"https://{manager}",
        f"https://{authority}",
        f"https://{manager}/.default",
        f"https://ml.azure.{top}/.default",
        MappingProxyType(names),
    )


PUBLIC = _built_in(
    "AzureCloud",
    "management.azure.com",
    "login.microsoftonline.com",
    "com",
    ("core.windows.net", "vault.azure.net", "azurecr.io"),
)
CHINA = _built_in(
    "AzureChinaCloud",
    "management.chinacloudapi.cn",
    "login.chinacloudapi.cn",
    "cn",
    ("core.chinacloudapi.cn", "vault.azure.cn", "azurecr.cn"),
)
US_GOVERNMENT = _built_in(
    "AzureUSGovernment",
    "management.usgovcloudapi.net",
    "login.microsoftonline.us",
    "us",
    ("core.usgovcloudapi.net", "vault.usgovcloudapi.net", "azurecr.us"),
)
_BY_NAME = {
    "azurecloud": PUBLIC,
    "azurepubliccloud": PUBLIC,
    "public": PUBLIC,
    "azurechinacloud": CHINA,
    "china": CHINA,
    "azureusgovernment": US_GOVERNMENT,
    "azureusgovernmentcloud": US_GOVERNMENT,
    "usgov": US_GOVERNMENT,
}


def resolve_cloud(name: str | None, environment: Mapping[str, str]) -> Cloud:
    """The cloud that `--cloud`, ARM_CLOUD_METADATA_URL, AZURE_CLOUD and AZURE_AUTHORITY_HOST name; else public Azure.

    Raises CloudError for an unknown name, and for metadata that cannot be read or is none: falling back to public
    Azure would look at another world than the one that was meant, and send it a token. Raises ProxyError where
    HTTPS_PROXY is no address: no request could leave, and each library would say so in its own way.
    """
    cloud = _resolved(name, environment)
    for address in (cloud.resource_manager, cloud.authority):
        proxy_for(urlsplit(address).netloc)
    return cloud


def _resolved(name: str | None, environment: Mapping[str, str]) -> Cloud:
    wanted = name or environment.get("AZURE_CLOUD") or None
    url = environment.get("ARM_CLOUD_METADATA_URL")
    if url:
        return _from_metadata(_fetch(url, environment), wanted, url)
    cloud = PUBLIC if wanted is None else _named(wanted)
    authority = environment.get("AZURE_AUTHORITY_HOST")
    if authority:
        host = authority if "://" in authority else f"https://{authority}"
        cloud = cloud._replace(authority=_address(host, "AZURE_AUTHORITY_HOST"))
    return cloud


def _named(name: str) -> Cloud:
    cloud = _BY_NAME.get(name.lower())
    if cloud is None:
        close = difflib.get_close_matches(name.lower(), _BY_NAME, n=1)
        hint = f"did you mean {_BY_NAME[close[0]].name}?" if close else "set ARM_CLOUD_METADATA_URL for another one"
        known = ", ".join(one.name for one in (PUBLIC, CHINA, US_GOVERNMENT))
        raise CloudError(f"there is no cloud {name!r} among {known}: {hint}")
    return cloud


def _fetch(url: str, environment: Mapping[str, str]) -> Json:
    if not url.lower().startswith("https://"):
        raise CloudError(f"ARM_CLOUD_METADATA_URL is {url}: the metadata says whom to trust, so it must be https")
    proxy = proxy_for(urlsplit(url).netloc)
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - https, just checked
    try:
        handlers = [urllib.request.HTTPSHandler(context=tls_context(environment)), _NoRedirect()]
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as answer:
            text = answer.read(_LONGEST_METADATA)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = getattr(error, "reason", None) or error
        where = f"at ARM_CLOUD_METADATA_URL ({url}){f' through {proxy}' if proxy is not None else ''}"
        raise CloudError(f"cannot read the cloud's metadata {where}: {reason}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CloudError(f"what ARM_CLOUD_METADATA_URL ({url}) answers is no JSON") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect ends as the error that its status is: the address is the user's word on whom to trust."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _from_metadata(metadata: Json, wanted: str | None, url: str) -> Cloud:
    clouds = [one for one in (metadata if isinstance(metadata, list) else [metadata]) if isinstance(one, dict)]
    names = [str(one.get("name")) for one in clouds]
    if wanted is not None:
        chosen = [one for one in clouds if str(one.get("name")).lower() == wanted.lower()]
    elif len(clouds) == 1:
        chosen = clouds
    else:
        host = _host(url)
        chosen = [one for one in clouds if _host(one.get("resourceManager")) == host]
    if len(chosen) != 1:
        what = f"no cloud {wanted!r}" if wanted is not None else "no single cloud"
        raise CloudError(f"the metadata at {url} tells {what} among {', '.join(names) or 'none'}: name one by --cloud")
    return _cloud(chosen[0], url)


def _cloud(body: dict[str, Json], url: str) -> Cloud:
    authentication = body.get("authentication")
    if not isinstance(authentication, dict) or not isinstance(body.get("name"), str):
        raise CloudError(f"the metadata at {url} has no name and authentication")
    manager = _address(body.get("resourceManager"), f"resourceManager in the metadata at {url}")
    audiences = [one.rstrip("/") for one in authentication.get("audiences") or () if isinstance(one, str)]
    audience = manager if manager in audiences or not audiences else audiences[0]
    suffixes = body.get("suffixes")
    suffixes = suffixes if isinstance(suffixes, dict) else {}
    known = {"storage": "storage", "key_vault": "keyVaultDns", "container_registry": "acrLoginServer"}
    return Cloud(
        body["name"],
        manager,
        _address(authentication.get("loginEndpoint"), f"loginEndpoint in the metadata at {url}"),
        f"{audience}/.default",
        _ml_scope(body),
        MappingProxyType({key: suffixes[name] for key, name in known.items() if isinstance(suffixes.get(name), str)}),
    )


def _ml_scope(body: dict[str, Json]) -> str:
    """The audience of the data plane, which no metadata tells: as azure-ai-ml puts it together from the portal's."""
    host = _host(body.get("portal")) or ""
    top = host.removeprefix("portal.azure.") if host.startswith("portal.azure.") else "com"
    return f"https://ml.azure.{top}/.default"


def _host(address: Json) -> str | None:
    parts = https_parts(address)
    return parts.netloc.lower() if parts is not None else None


def _address(value: Json, what: str) -> str:
    parts = https_parts(value)
    if parts is None:
        raise CloudError(f"{what} is {value!r}, no https address")
    return f"https://{parts.netloc.lower()}{parts.path.rstrip('/')}"
