"""Builds that fail: pip, conda and docker, each with the package or file and the reason."""

from __future__ import annotations

from pfdoctor.core.decode.patterns import line_pattern as _line

_REST = r"(?P<message>[^\n]*)"
_LINE = r"[^\n]+"
"""The line of the literal, whatever it is."""
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

PATTERNS = (
    _line(
        "pip",
        "no-version",
        "Could not find a version that satisfies the requirement",
        rf"Could not find a version that satisfies the requirement (?P<requirement>(?P<package>{_NAME})[^\n(]*)"
        r"(?:\(from versions: (?P<versions>[^)\n]{0,600}))?[^\n]*",
    ),
    _line(
        "pip",
        "no-distribution",
        "No matching distribution found for",
        rf"No matching distribution found for (?P<requirement>(?P<package>{_NAME})[^\n]*)",
    ),
    _line(
        "pip",
        "conflict",
        "because these package versions have conflicting dependencies",
        r"Cannot install (?P<requirements>[^\n]*) because these package versions have conflicting dependencies",
    ),
    _line("pip", "conflict", "ResolutionImpossible", r"ResolutionImpossible[^\n]*"),
    _line(
        "pip",
        "incompatible-installed",
        ", but you have ",
        rf"(?P<package>{_NAME}) (?P<version>\S+) (?:requires (?P<requirement>[^\n,]+(?:,[^\n,]+)*?)), b"
        rf"ut you have (?P<installed>[^\n]+?) which is incompatible",
    ),
    _line("pip", "wheel-failed", "Failed building wheel for", rf"Failed building wheel for (?P<package>{_NAME})"),
    _line(
        "pip", "wheel-failed", "Could not build wheels for", rf"Could not build wheels for (?P<package>{_NAME})[^\n]*"
    ),
    _line(
        "pip",
        "wheel-failed",
        "Failed to build installable wheels for",
        r"Failed to build installable wheels for [^\n(]*\((?P<package>[^)\n]+)\)",
    ),
    _line("pip", "build-failed", "subprocess-exited-with-error", r"error: subprocess-exited-with-error"),
    _line("pip", "metadata-failed", "metadata-generation-failed", r"error: metadata-generation-failed"),
    _line("pip", "invalid-requirement", "Invalid requirement:", r"Invalid requirement: (?P<requirement>[^\n]*)"),
    _line(
        "pip", "requirements-missing", "Could not open requirements file", r"Could not open requirements file: " + _REST
    ),
    _line(
        "pip",
        "install-failed",
        "Could not install packages due to an",
        r"Could not install packages due to an (?P<error>\w+): " + _REST,
    ),
    _line(
        "pip",
        "python-version",
        "requires a different Python:",
        rf"Package '?(?P<package>{_NAME})'? requires a different Python: (?P<python>\S+) not in "
        rf"(?P<requirement>[^\n]*)",
    ),
    _line(
        "pip",
        "feed-refused",
        "Error, Credentials not correct for",
        r"(?P<status>\d\d\d) Error, Credentials not correct for (?P<url>\S+)",
    ),
    _line(
        "pip",
        "hash-mismatch",
        "THESE PACKAGES DO NOT MATCH THE HASHES",
        r"THESE PACKAGES DO NOT MATCH THE HASHES[^\n]*",
    ),
    _line("pip", "externally-managed", "externally-managed-environment", r"error: externally-managed-environment"),
    _line(
        "conda",
        "not-found",
        "ResolvePackageNotFound",
        r"ResolvePackageNotFound:?\s*(?:-\s*(?P<package>[^\s\n]+))?[^\n]*",
    ),
    _line(
        "conda",
        "not-found",
        "PackagesNotFoundError",
        r"PackagesNotFoundError:[^\n]*(?:\s*\n\s*-\s*(?P<package>\S+))?",
    ),
    _line(
        "conda",
        "unsatisfiable",
        ("UnsatisfiableError", "LibMambaUnsatisfiableError"),
        r"(?:LibMamba)?UnsatisfiableError:?[^\n]*",
    ),
    _line("conda", "pip-failed", "CondaEnvException", r"CondaEnvException: [^\n]*"),
    _line("conda", "pip-failed", "Pip subprocess error:", r"Pip subprocess error:"),
    _line("conda", "download-failed", "CondaHTTPError", r"CondaHTTPError: HTTP (?P<status>\d+)[^\n]*"),
    _line("conda", "solve-failed", "Solving environment: failed", r"Solving environment: failed[^\n]*"),
    _line(
        "docker",
        "command-failed",
        "did not complete successfully: exit code:",
        r"process \"(?P<command>[^\n]*?)\" did not complete successfully: exit code: (?P<exit_code>\d+)",
    ),
    _line(
        "docker",
        "command-failed",
        "returned a non-zero code:",
        r"The command '(?P<command>[^\n]*?)' returned a non-zero code: (?P<exit_code>\d+)",
    ),
    _line(
        "docker",
        "file-missing",
        "failed to calculate checksum of ref",
        r"failed to calculate checksum of ref [^\n]*?\"?(?P<file>/[^\s\"]*)\"?: not found",
    ),
    _line("docker", "file-missing", "COPY failed:", r"COPY failed: " + _REST),
    _line("docker", "file-missing", "failed to read dockerfile", r"failed to read dockerfile: " + _REST),
    _line("docker", "file-missing", "not found in Docker build context", _LINE),
    _line("docker", "image-not-found", "manifest unknown", _LINE),
    _line("docker", "image-not-found", "manifest for ", r"manifest for (?P<image>\S+) not found[^\n]*"),
    _line("docker", "pull-refused", "pull access denied", r"pull access denied for (?P<image>[^\s,]+)[^\n]*"),
    _line(
        "docker",
        "pull-refused",
        "unauthorized: authentication required",
        _LINE,
    ),
    _line("docker", "pull-failed", ("ImagePullBackOff", "ErrImagePull"), r"(?:ImagePullBackOff|ErrImagePull)[^\n]*"),
    _line("docker", "disk-full", "No space left on device", _LINE),
    _line("docker", "disk-full", "no space left on device", _LINE),
    _line("docker", "apt-failed", "E: Unable to locate package", r"E: Unable to locate package (?P<package>\S+)"),
)
