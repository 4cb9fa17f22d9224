"""Scenarios: the state of a simulated Azure as a plain mapping, mostly from a YAML file.

A file says only what matters: `extends:` another, `variables:`, and raw ARM bodies by resource id. Everything else
Azure would fill in is filled in. See `examples/scenarios/healthy.yaml` for all sections with their meaning.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pfdoctor.simulator.clock import Clock, instant, seconds_of
from pfdoctor.simulator.defaults import CREATED
from pfdoctor.simulator.directory import derived_id, from_plain
from pfdoctor.simulator.documents import Path_, ScenarioError, read
from pfdoctor.simulator.faults import fault_of
from pfdoctor.simulator.ids import parse
from pfdoctor.simulator.rbac import EVERYONE, Deny, Permission, Role
from pfdoctor.simulator.world import Eligible, Lock, Settings, World

__all__ = ["Scenario", "ScenarioError"]

_SECTIONS = (
    "tenant caller clock settings managementGroups principals roles resources roleAssignments denyAssignments locks "
    "eligible providers secrets logs metrics locations simulation faults expect"
).split()
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AGO = re.compile(r"-(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TENANT = "99999999-8888-7777-6666-555555555555"


class Scenario:
    """A scenario that was read and can become any number of worlds."""

    def __init__(
        self, data: Mapping[str, Any], lines: Mapping[Path_, tuple[str, int]], name: str, folder: Path
    ) -> None:
        self.data = data
        self.name = name
        self.folder = folder
        """What relative paths in it are relative to."""
        self._lines = lines
        unknown = [section for section in data if section not in _SECTIONS]
        if unknown:
            raise self.error((unknown[0],), f"no section {unknown[0]!r}; there are: {', '.join(_SECTIONS)}")

    @classmethod
    def load(cls, file: str | Path) -> Scenario:
        """Read a YAML file and all that it extends. Raises ScenarioError with file and line."""
        data, lines = read(Path(file))
        scenario = cls(data, lines, Path(file).stem, Path(file).parent)
        scenario.world()  # what cannot become a world is refused here, where its place is known
        return scenario

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], name: str = "scenario", folder: str | Path = ".") -> Scenario:
        """A scenario from a plain mapping, such as a dump."""
        return cls(data, {}, name, Path(folder))

    def error(self, path: Path_, problem: str) -> ScenarioError:
        """The error for what stands at a path, with the place of the nearest thing that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self._lines:
                file, line = self._lines[path[:length]]
                return ScenarioError(f"{file}:{line}: {problem}")
        return ScenarioError(f"{self.name}: {' / '.join(path)}: {problem}")

    def section(self, name: str) -> dict[str, Any]:
        """A section that is a mapping of things by name."""
        value = self.data.get(name) or {}
        if not isinstance(value, dict):
            raise self.error((name,), f"{name} must be a mapping, not {type(value).__name__}")
        return value

    def entries(self, section: str) -> list[tuple[str, dict[str, Any]]]:
        """The things of a section, each of them a mapping."""
        entries = list(self.section(section).items())
        for key, value in entries:
            if not isinstance(value, dict):
                raise self.error((section, key), f"{key} must be a mapping, not {type(value).__name__}")
        return [(key, copy.deepcopy(value)) for key, value in entries]

    def world(self) -> World:
        """A new world in the state that the scenario describes."""
        return _Builder(self).build()


class _Builder:
    """Makes one world from one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        data = scenario.data
        clock = data.get("clock")
        try:
            start = None if clock is None else seconds_of(str(clock))
        except ValueError:
            raise scenario.error(("clock",), f"{clock!r} is no time like 2026-11-22T12:00:00Z") from None
        self.world = World(tenant=str(data.get("tenant") or _TENANT), clock=Clock(start))
        self.start = start if start is not None else time.time()
        self.names: dict[str, str] = {}

    def build(self) -> World:
        steps: tuple[Callable[[], None], ...] = (
            self._settings,
            self._management_groups,
            self._principals,
            self._resources,
            self._members,
            self._roles,
            self._role_assignments,
            self._deny_assignments,
            self._locks_and_eligible,
            self._rest,
            self._faults,
        )
        for step in steps:
            step()
        return self.world

    def _settings(self) -> None:
        known = {field.name: field.type for field in fields(Settings)}
        for name, value in self.scenario.section("settings").items():
            if name not in known:
                raise self.scenario.error(("settings", name), f"no setting {name!r}; there are: {', '.join(known)}")
            if not isinstance(value, int | float):
                raise self.scenario.error(("settings", name), f"{name} must be a number or true or false")
            setattr(self.world.settings, name, float(value) if known[name] == "float" else value)

    def _management_groups(self) -> None:
        """`managementGroups: {name: {parent: name, subscriptions: [ids]}}`."""
        groups = dict(self.scenario.entries("managementGroups"))
        self.world.management_groups = groups
        for name, group in groups.items():
            chain: list[str] = []
            above: str | None = name
            while above is not None and above not in chain:
                chain.append(above)
                above = groups.get(above, {}).get("parent")
            keys = tuple(f"/providers/microsoft.management/managementgroups/{link.lower()}" for link in chain)
            self.world.access.management_groups[keys[0]] = keys[1:]
            for subscription in group.get("subscriptions") or ():
                self.world.access.management_groups[str(subscription).lower()] = keys

    def _principals(self) -> None:
        for key, plain in self.scenario.entries("principals"):
            if plain.get("type", "ServicePrincipal") not in {"User", "Group", "ServicePrincipal"}:
                raise self.scenario.error(
                    ("principals", key), f"type {plain['type']!r} is not User, Group or ServicePrincipal"
                )
            principal = from_plain(key, plain)
            self.names[key] = principal.id
            if principal.type != "Group":
                self.world.directory.add(principal)

    def _members(self) -> None:
        """Groups come after the resources, whose identities may be their members."""
        for key, plain in self.scenario.entries("principals"):
            if plain.get("type") == "Group":
                members = [self._principal(("principals", key, "members"), name) for name in plain.get("members") or ()]
                self.world.directory.add(from_plain(key, plain, members))
        caller = self.scenario.data.get("caller")
        if caller:
            self.world.caller = self._principal(("caller",), caller)

    def _resources(self) -> None:
        given = {principal.resource.lower(): principal for principal in self._with_resource()}
        for identifier, body in sorted(self.scenario.entries("resources"), key=lambda item: item[0].count("/")):
            target = parse(identifier)
            if not identifier.startswith("/") or target.tail or not target.type:
                raise self.scenario.error(("resources", identifier), f"{identifier!r} is no resource id")
            principal = given.get(target.key)
            if principal is not None:
                if "userassignedidentities" in target.type.lower():
                    ids = {"principalId": principal.id, "clientId": principal.application}
                    body["properties"] = {**ids, **(body.get("properties") or {})}
                else:
                    body["identity"] = {
                        "type": "SystemAssigned",
                        "principalId": principal.id,
                        **(body.get("identity") or {}),
                    }
            self._containers(target.id)
            self.world.add(target.id, body)
        for identifier, body in self.scenario.section("resources").items():
            # Adding the versions has counted them; what a dump says of them holds.
            counted = {name: (body.get("properties") or {}).get(name) for name in ("latestVersion", "nextVersion")}
            resource = self.world.store.get(identifier)
            if resource is not None and any(counted.values()):
                resource.properties.update(counted)
        for resource in self.world.store.all():
            self._user_assigned(resource.body)

    def _with_resource(self) -> list[Any]:
        return [principal for principal in self.world.directory.by_id.values() if principal.resource]

    def _containers(self, identifier: str) -> None:
        """Subscriptions and resource groups that a resource lies in need not be written down."""
        target = parse(identifier)
        for scope in (
            f"/subscriptions/{target.subscription}",
            f"/subscriptions/{target.subscription}/resourceGroups/{target.group}",
        ):
            if target.subscription and (target.group or scope.count("/") == 2) and self.world.store.get(scope) is None:
                self.world.add(scope, {})

    def _user_assigned(self, body: dict[str, Any]) -> None:
        """Object and client ids of the identities that a resource uses."""
        identities = (body.get("identity") or {}).get("userAssignedIdentities") or {}
        for identifier, value in identities.items():
            resource = self.world.store.get(identifier)
            if resource is not None and not value:
                ids = {name: resource.properties[name] for name in ("principalId", "clientId")}
                identities[identifier] = ids

    def _principal(self, path: Path_, reference: Any) -> str:
        """The object id that a name of the section `principals`, an object id or a resource id stands for."""
        text = str(reference)
        if text in self.names:
            return self.names[text]
        if _GUID.fullmatch(text):
            return text
        if text.startswith("/"):
            known = self.world.directory.by_resource.get(parse(text).key)
            if known is not None:
                return known.id
            raise self.scenario.error(path, f"{text} has no identity")
        raise self.scenario.error(path, f"no principal {text!r}; there are: {', '.join(self.names) or 'none'}")

    def _roles(self) -> None:
        for key, plain in self.scenario.entries("roles"):
            identifier = key if _GUID.fullmatch(key) else derived_id("role", key)
            permissions = plain.get("permissions") or [plain]
            role = Role(
                identifier.lower(),
                str(plain.get("name", key)),
                tuple(Permission.of(element) for element in permissions),
                str(plain.get("description") or ""),
                custom=True,
                assignable=tuple(plain.get("assignableScopes") or ("/",)),
            )
            self.world.access.roles[role.id] = role

    def _time(self, path: Path_, text: Any) -> str:
        """A time, which may be given as `-3m`: three minutes before the scenario begins."""
        ago = _AGO.fullmatch(str(text))
        if ago:
            return instant(self.start - float(ago[1]) * _SECONDS[ago[2]])
        try:
            seconds_of(str(text))
        except ValueError:
            raise self.scenario.error(path, f"{text!r} is no time like 2026-11-22T12:00:00Z or -10m") from None
        return str(text)

    def _role_assignments(self) -> None:
        for key, plain in self.scenario.entries("roleAssignments"):
            path = ("roleAssignments", key)
            for name in ("principal", "role", "scope"):
                if not plain.get(name):
                    raise self.scenario.error(path, f"{key} needs a {name}")
            role = self.world.access.role(str(plain["role"]))
            if role is None:
                raise self.scenario.error(
                    (*path, "role"), f"no role {plain['role']!r} among the built-in and custom ones"
                )
            if not str(plain["scope"]).startswith("/"):
                raise self.scenario.error((*path, "scope"), f"{plain['scope']!r} is no scope")
            created = self._time((*path, "createdOn"), plain.get("createdOn") or CREATED)
            details = {
                "name": key if _GUID.fullmatch(key) else derived_id("assignment", key),
                "created": created,
                "updated": self._time((*path, "updatedOn"), plain.get("updatedOn") or created),
                "created_by": plain.get("createdBy") or self.world.caller,
                "condition": plain.get("condition"),
                "description": plain.get("description"),
            }
            if plain.get("principalType"):
                details["type"] = plain["principalType"]
            self.world.grant(
                self._principal((*path, "principal"), plain["principal"]), role.id, plain["scope"], **details
            )

    def _deny_assignments(self) -> None:
        for key, plain in self.scenario.entries("denyAssignments"):
            path = ("denyAssignments", key)
            if not plain.get("scope"):
                raise self.scenario.error(path, f"{key} needs a scope")
            principals = [self._deny_principal(path, name) for name in plain.get("principals") or (EVERYONE,)]
            deny = Deny(
                key if _GUID.fullmatch(key) else derived_id("deny", key),
                str(plain.get("name", key)),
                plain["scope"],
                tuple(Permission.of(element) for element in plain.get("permissions") or [plain]),
                tuple(principals),
                tuple(self._deny_principal(path, name) for name in plain.get("excludePrincipals") or ()),
                here_only=bool(plain.get("doNotApplyToChildScopes")),
                created=str(plain.get("createdOn") or CREATED),
            )
            self.world.access.denies[deny.id.lower()] = deny

    def _deny_principal(self, path: Path_, name: Any) -> str:
        return EVERYONE if name in {EVERYONE, "everyone"} else self._principal(path, name)

    def _locks_and_eligible(self) -> None:
        world, scenario = self.world, self.scenario
        for key, plain in scenario.entries("locks"):
            if plain.get("level") not in {"ReadOnly", "CanNotDelete"}:
                raise scenario.error(("locks", key), "level must be ReadOnly or CanNotDelete")
            if not plain.get("scope"):
                raise scenario.error(("locks", key), f"{key} needs a scope")
            lock = Lock(key, str(plain.get("scope")), plain["level"], str(plain.get("notes") or ""))
            world.locks[lock.id.lower()] = lock
        for key, plain in scenario.entries("eligible"):
            role = world.access.role(str(plain.get("role")))
            if role is None:
                raise scenario.error(("eligible", key), f"no role {plain.get('role')!r}")
            principal = self._principal(("eligible", key), plain.get("principal"))
            world.eligible[key] = Eligible(key, str(plain.get("scope")), role.id, principal, plain.get("until"))

    def _rest(self) -> None:
        world, scenario = self.world, self.scenario
        for section in ("secrets", "logs", "metrics", "simulation"):
            for identifier, plain in scenario.entries(section):
                if world.store.get(identifier) is None:
                    raise scenario.error((section, identifier), f"there is no resource {identifier}")
                getattr(world, section)[parse(identifier).key] = plain
        world.locations = {name.lower(): plain for name, plain in scenario.entries("locations")}
        world.providers = {name.lower(): plain for name, plain in scenario.entries("providers")}

    def _faults(self) -> None:
        faults = self.scenario.data.get("faults") or []
        if not isinstance(faults, list):
            raise self.scenario.error(("faults",), "faults must be a list of {match: …, fault: …}")
        for index, rule in enumerate(faults):
            self._check_fault(("faults", str(index)), rule)
        self.world.faults = copy.deepcopy(faults)

    def _check_fault(self, path: Path_, rule: Any) -> None:
        if not isinstance(rule, dict) or not {"match", "fault"} >= set(rule) or "fault" not in rule:
            raise self.scenario.error(path, "a fault is {match: …, fault: …}")
        try:
            fault_of(rule.get("match") or {}, rule["fault"])
        except ValueError as error:
            raise self.scenario.error(path, str(error)) from None
