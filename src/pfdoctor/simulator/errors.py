"""The errors that Azure Resource Manager answers, in its own words.

Texts follow what clients of ARM quote in public bug reports and documentation; parsers depend on the codes and on the
quoted parts (object id, action, scope).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pfdoctor.simulator.ids import Target

REFRESH = "If access was recently granted, please refresh your credentials."


class ArmError(Exception):
    """An answer with an error body: HTTP status, ARM code, message, and headers of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.details = list(details)

    def body(self) -> dict[str, object]:
        """The JSON that goes with it."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def not_found(target: Target) -> ArmError:
    """ARM's 404 for a resource that is not there."""
    if not target.group:
        return ArmError(404, "ResourceNotFound", f"The resource '{target.id}' could not be found.")
    namespace, _, types = target.type.partition("/")
    path = "/".join(f"{word}/{name}" for word, name in zip(types.split("/"), target.names, strict=False))
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{namespace}/{path}' under resource group '{target.group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(group: str) -> ArmError:
    """ARM's 404 for a resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def subscription_not_found(subscription: str) -> ArmError:
    """ARM's 404 for a subscription."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def bad_request(message: str, code: str = "BadRequest") -> ArmError:
    """A 400."""
    return ArmError(400, code, message)


def user_error(message: str, status: int = 400) -> ArmError:
    """A refusal by Azure Machine Learning's own front end."""
    information = [{"type": "ComponentName", "info": {"value": "managementfrontend"}}]
    error = ArmError(status, "UserError", message)
    error.details = [{"code": "UserError", "message": message, "additionalInfo": information}]
    return error


def authorization_failed(client: str, oid: str, action: str, scope: str) -> ArmError:
    """ARM's 403 for a role that is missing."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{oid}' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid. {REFRESH}",
    )


def condition_not_fulfilled(client: str, oid: str, action: str, scope: str) -> ArmError:
    """ARM's 403 where a role would do, but its condition does not hold."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{oid}' has an authorization with ABAC condition that is not fulfilled "
        f"to perform action '{action}' over scope '{scope}' or the scope is invalid. {REFRESH}",
    )


def linked_authorization_failed(who: tuple[str, str], action: str, scope: str, linked: tuple[str, str]) -> ArmError:
    """ARM's 403 for a missing right on another resource that the request names; `linked` is its action and scope."""
    client, oid = who
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{client}' with object id '{oid}' has permission to perform action '{action}' on scope '{scope}'; "
        f"however, it does not have permission to perform action(s) '{linked[0]}' on the linked scope(s) '{linked[1]}' "
        "(respectively) or the linked scope(s) are invalid.",
    )


def deny_assignment(who: tuple[str, str], action: str, scope: str, deny: tuple[str, str, str]) -> ArmError:
    """ARM's 403 for a deny assignment, given as name, id and scope."""
    client, oid = who
    name, identifier, at = deny
    return ArmError(
        403,
        "DenyAssignmentAuthorizationFailed",
        f"The client '{client}' with object id '{oid}' has permission to perform action '{action}' on scope '{scope}'; "
        f"however, the access is denied because of the deny assignment with name '{name}' and Id '{identifier}' at "
        f"scope '{at}'.",
    )


def not_registered(subscription: str, namespace: str) -> ArmError:
    """ARM's 409 for writing a resource whose provider the subscription has not registered."""
    return ArmError(
        409,
        "MissingSubscriptionRegistration",
        f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how "
        "to register subscriptions.",
        details=[
            {
                "code": "MissingSubscriptionRegistration",
                "target": namespace,
                "message": f"The subscription {subscription} is not registered to use namespace '{namespace}'.",
            }
        ],
    )


def scope_locked(scope: str, operation: str, locked: str) -> ArmError:
    """ARM's 409 for a lock; `operation` is write or delete."""
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform {operation} operation because following scope(s) are locked: '{locked}'. "
        "Please remove the lock and try again.",
    )
