"""Processes that die: the web server's workers, the kernel's memory killer, exit codes, and the probes that notice."""

from __future__ import annotations

from pfdoctor.core.decode.patterns import line_pattern as _line

_REST = r"(?P<message>[^\n]*)"
_LINE = r"[^\n]+"
"""The line of the literal, whatever it is."""

PATTERNS = (
    _line("worker", "boot-failed", "Worker failed to boot", r"(?:Reason: )?Worker failed to boot\.?"),
    _line("worker", "load-failed", "App failed to load", r"App failed to load\.?"),
    _line(
        "worker", "startup-failed", "Application startup failed. Exiting", r"Application startup failed\. Exiting\.?"
    ),
    _line("worker", "timeout", "WORKER TIMEOUT", r"WORKER TIMEOUT \(pid:\s?(?P<pid>\d+)\)"),
    _line(
        "worker",
        "killed",
        "Perhaps out of memory?",
        r"Worker \(pid:\s?(?P<pid>\d+)\) was sent (?P<signal>SIG\w+)! Perhaps out of memory\?",
    ),
    _line(
        "worker",
        "killed",
        "was terminated due to signal",
        r"Worker with pid (?P<pid>\d+) was terminated due to signal (?P<signal>\d+)",
    ),
    _line(
        "worker",
        "exited",
        "exited with code",
        r"(?:Worker \(pid:\s?(?P<pid>\d+)\) )?exited with code (?P<exit_code>-?[1-9]\d*)",
    ),
    _line("worker", "port-in-use", "Connection in use: (", r"Connection in use: \('(?P<host>[^']*)', (?P<port>\d+)\)"),
    _line(
        "worker",
        "port-in-use",
        ("address already in use", "Address already in use"),
        _LINE,
    ),
    _line(
        "worker",
        "gave-up",
        "entered FATAL state, too many start retries",
        r"gave up: (?P<process>\S+) entered FATAL state[^\n]*",
    ),
    _line(
        "worker",
        "command-missing",
        "command not found",
        r"(?P<command>[\w./-]+): (?:line \d+: )?[\w./-]*:? ?command not found",
    ),
    _line(
        "worker",
        "command-missing",
        "executable file not found in $PATH",
        r"\"(?P<command>[^\"\n]*)\": executable file not found in \$PATH",
    ),
    _line("worker", "wrong-platform", "exec format error", _LINE),
    _line(
        "worker",
        "crash-loop",
        ("CrashLoopBackOff", "Back-off restarting failed container"),
        r"CrashLoopBackOff|Back-off restarting failed container[^\n]*",
    ),
    _line("worker", "crashed", "Segmentation fault", r"Segmentation fault[^\n]*"),
    _line("memory", "killed", "OOMKilled", r"OOMKilled[^\n]{0,200}"),
    _line(
        "memory",
        "killed",
        "Out of memory: Killed process",
        r"Out of memory: Killed process (?P<pid>\d+) \((?P<process>[^)]*)\)[^\n]*",
    ),
    _line("memory", "killed", ("oom-kill", "oom_reaper"), r"(?:oom-kill|oom_reaper)[^\n]{0,300}"),
    _line("memory", "killed", ("exit code 137", "exit code: 137", "exit status 137"), r"exit (?:code|status):? 137"),
    _line("memory", "exhausted", "Unable to allocate ", r"Unable to allocate (?P<size>[\d.]+ \w+)[^\n]*"),
    _line("memory", "exhausted", "Cannot allocate memory", _LINE),
    _line("memory", "gpu-exhausted", "CUDA out of memory", r"CUDA out of memory[^\n]*"),
    _line(
        "probe",
        "{probe}",
        (" probe failed: ", " probe errored: "),
        r"(?P<probe>Liveness|Readiness|Startup) probe (?:failed|errored): (?P<reason>(?:"
        r"HTTP probe failed with statuscode: (?P<status>\d+))?[^\n]*)",
    ),
    _line("probe", "port-unreachable", "Failed to connect to port", r"Failed to connect to port (?P<port>\d+)[^\n]*"),
    _line(
        "probe",
        "container-crashed",
        "User container has crashed or terminated",
        r"User container has crashed or terminated[:.]? ?(?P<reason>[^\n]*)",
    ),
    _line(
        "platform",
        "{step}",
        (
            "SystemSetup: Failed",
            "UserContainerImagePull: Failed",
            "ModelDownload: Failed",
            "UserContainerStart: Failed",
            "Setup: Failed",
        ),
        r"(?P<step>[A-Z]\w+): Failed(?P<reason>[^\n]*)",
    ),
    _line(
        "platform",
        "image-timeout",
        "waiting for Environment Image to become available",
        _LINE,
    ),
    _line("platform", "serving-not-started", "start promptflow runtime...", r"start promptflow runtime\.\.\."),
)
