"""What ends a live run before it can look at anything."""

from __future__ import annotations

from pfdoctor.core.model import PfdoctorError


class CloudError(PfdoctorError):
    """Which Azure is meant could not be told: an unknown name, or metadata that cannot be read or is none."""


class ProxyError(CloudError):
    """What names the proxy is no address of one."""


class AuthenticationError(PfdoctorError):
    """Nobody is logged in, or with a login that cannot see what is to be read."""

    exit_code = 4


class RefusedRequestError(RuntimeError):
    """A request that may not leave: not a read, or to another host. Always a fault of ours, never of the user."""
