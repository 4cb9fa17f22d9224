"""Which endpoint the person means: flags, a resource id, or what `az` and the workspace's config.json say."""

from __future__ import annotations

import configparser
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from pfdoctor.core.model import Json, PfdoctorError

_WORKSPACE_ID = re.compile(
    r"/?subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/(?P<workspace>[^/]+)"
    r"(?:/onlineEndpoints/(?P<endpoint>[^/]+)(?:/deployments/(?P<deployment>[^/]+))?)?/?\Z",
    re.IGNORECASE,
)
_FLAGS = {
    "subscription": "--subscription (-s)",
    "resource_group": "--resource-group (-g)",
    "workspace": "--workspace (-w)",
}


class Where(NamedTuple):
    """A workspace, and what in it; the latter two may be left open."""

    subscription: str
    resource_group: str
    workspace: str
    endpoint: str | None = None
    deployment: str | None = None


class Given(NamedTuple):
    """The flags as typed."""

    subscription: str | None = None
    resource_group: str | None = None
    workspace: str | None = None
    endpoint: str | None = None
    deployment: str | None = None
    from_az_config: bool = False
    meant: bool = True
    """False where the workspace stands in the environment only: that alone asks for nothing."""

    @property
    def any(self) -> bool:
        """Whether anything of Azure was asked for."""
        return bool(self.endpoint) or (self.meant and bool(self.workspace or self.from_az_config))


def resolve(given: Given) -> Where:
    """What is meant. Raises PfdoctorError that names the flags that are missing, or that contradict a resource id."""
    named: dict[str, str | None] = {name: getattr(given, name) for name in (*_FLAGS, "endpoint", "deployment")}
    for name, value in named.items():
        if value is not None and not value.strip():
            raise PfdoctorError(f"--{name.replace('_', '-')} is empty: a variable that is not set?")
    for flag in ("endpoint", "workspace"):
        value = named[flag]
        if value and "/" in value:
            named = _with_id(named, flag, value)
    if given.from_az_config:
        configured = _configured()
        named = {name: value or configured.get(name) for name, value in named.items()}
    named["subscription"] = named["subscription"] or os.environ.get("AZURE_SUBSCRIPTION_ID") or None
    missing = [flag for name, flag in _FLAGS.items() if not named[name]]
    if missing:
        what = f"endpoint {named['endpoint']}" if named["endpoint"] else "a workspace"
        hint = f"; {_looked()}" if given.from_az_config else ", or --from-az-config"
        raise PfdoctorError(f"to find {what}, give {' and '.join(missing)}{hint}")
    return Where(*(named[name] for name in Where._fields))  # type: ignore[arg-type]  # none of the first three is None


def _with_id(named: dict[str, str | None], flag: str, value: str) -> dict[str, str | None]:
    match = _WORKSPACE_ID.match(value)
    if match is None or (flag == "endpoint" and match["endpoint"] is None):
        raise PfdoctorError(
            f"--{flag} {value} is neither a name nor a resource id: "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.MachineLearningServices/workspaces/…"
            + ("/onlineEndpoints/…" if flag == "endpoint" else "")
        )
    found = {**named, flag: None}
    for name, part in match.groupdict().items():
        other = found.get(name)
        if part is not None and other is not None and other.lower() != part.lower():
            raise PfdoctorError(f"--{name.replace('_', '-')} {other} contradicts the resource id, which says {part}")
        found[name] = part if part is not None else other
    return found


def _configured() -> dict[str, str]:
    """The workspace's own config.json nearest above the current folder, else az's defaults and current account."""
    found = _from_workspace_file()
    if found:
        return found
    folder = _az_folder()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(folder / "config", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise PfdoctorError(f"cannot read {folder / 'config'}: {type(error).__name__}") from error
    names = {"resource_group": "group", "workspace": "workspace"}
    found = {name: parser.get("defaults", key, fallback="") for name, key in names.items()}
    found["subscription"] = _current_subscription(folder / "azureProfile.json")
    return {name: value for name, value in found.items() if value}


def _az_folder() -> Path:
    return Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")


def _looked() -> str:
    """Where `--from-az-config` looked, and what of it is not there."""
    folder = _az_folder()
    files = (folder / "config", folder / "azureProfile.json")
    absent = [str(file) for file in files if not file.is_file()]
    state = f"there is no {' and no '.join(absent)}" if absent else f"{files[0]} and {files[1].name} do not tell"
    return (
        f"--from-az-config found no config.json of a workspace in {Path.cwd()} or above, and {state} "
        "(az login and az configure --defaults workspace=NAME group=NAME write them)"
    )


def _from_workspace_file() -> dict[str, str]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        for name in (folder / "config.json", folder / ".azureml" / "config.json"):
            content = _json(name)
            if isinstance(content, dict) and isinstance(content.get("workspace_name"), str):
                keys = {"subscription": "subscription_id", "resource_group": "resource_group"}
                found = {ours: str(content.get(theirs) or "") for ours, theirs in keys.items()}
                return {name: value for name, value in found.items() if value} | {
                    "workspace": content["workspace_name"]
                }
    return {}


def _current_subscription(profile: Path) -> str:
    content = _json(profile)
    subscriptions = content.get("subscriptions") if isinstance(content, dict) else None
    for one in subscriptions if isinstance(subscriptions, list) else ():
        if isinstance(one, dict) and one.get("isDefault") is True:
            return str(one.get("id") or "")
    return ""


def _json(path: Path) -> Json:
    """The content of a file that others write; None where there is none that can be read."""
    try:
        # az writes its profile with a byte order mark
        return json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return None
