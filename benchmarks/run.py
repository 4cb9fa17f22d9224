"""Speed and memory, asserted as ratios measured side by side in this run: `python benchmarks/run.py PFDOCTOR`.

PFDOCTOR is the command of an *installed* wheel. Each figure is the CPU time (user and system) of whole processes, the
median of several runs taken in turn with what they are compared to, so that a machine whose speed drifts judges fairly.
`--promptflow PF` names the `pf` command of promptflow's own environment, for the comparison with `pf flow validate`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "healthy"
FORBIDDEN = ("azure", "jsonschema", "pydantic", "rich")


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system, children included), and the peak of memory in MB of the largest process."""

    cpu: float
    megabytes: float


def measure(command: Sequence[str | Path], cwd: Path | None = None) -> Cost:
    """The cost of one whole run; its exit code must be 0 or 1 (findings)."""
    process = subprocess.Popen(
        [str(part) for part in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        sys.exit(f"{command[0]} failed with {code}: {error.decode(errors='replace')[-500:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def side_by_side(ours: Sequence[str | Path], theirs: Sequence[str | Path], runs: int) -> tuple[float, float, float]:
    """Median CPU of both, and the median of the ratios ours / theirs, pair by pair, after one warm-up of each."""
    measure(ours), measure(theirs)
    pairs = [(measure(ours).cpu, measure(theirs).cpu) for _ in range(runs)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


class Results:
    """Prints each figure beside its bound, and remembers what failed."""

    def __init__(self) -> None:
        self.failed = 0
        self.count = 0

    def check(self, what: str, value: float, bound: float, *, at_most: bool = True, detail: str = "") -> None:
        holds = value <= bound if at_most else value >= bound
        self.count += 1
        self.failed += not holds
        relation = "at most" if at_most else "at least"
        print(f"{'ok  ' if holds else 'FAIL'} {what}: {value:.2f} ({relation} {bound:g}) {detail}", flush=True)


def cold_start(pfdoctor: str, python: str, results: Results) -> None:
    ours, floor, ratio = side_by_side(
        [pfdoctor, "check", "--format", "json", EXAMPLE / "flow"], [python, "-c", "pass"], 15
    )
    detail = f"{ours * 1000:.0f} ms of CPU beside {floor * 1000:.0f} ms"
    results.check("cold check / python -c pass", ratio, 12, detail=detail)


def against_promptflow(pfdoctor: str, pf: str, results: Results) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # pf writes .promptflow/ into the flow's folder: give it a copy; and it sends telemetry unless told not to
        flow = Path(folder) / "flow"
        os.environ["PF_HOME_DIRECTORY"] = folder
        (Path(folder) / "pf.yaml").write_text("telemetry: {enabled: false}\n")
        shutil.copytree(EXAMPLE / "flow", flow)
        theirs, ours, ratio = side_by_side(
            [pf, "flow", "validate", "--source", flow], [pfdoctor, "check", "--format", "json", flow], 5
        )
    results.check("pf flow validate / check", ratio, 20, at_most=False, detail=f"{theirs:.2f} s beside {ours:.3f} s")


def imports(python: str, results: Results) -> None:
    """What is in sys.modules after a check, exactly."""
    probe = (
        "import sys\nfrom pfdoctor.cli.main import main\nmain(['check', '--format', 'json', sys.argv[1]])\n"
        f"print('\\n' + ' '.join(sorted(m for m in {FORBIDDEN!r} if m in sys.modules)))"
    )
    printed = subprocess.run([python, "-c", probe, str(EXAMPLE)], capture_output=True, text=True, check=True).stdout
    found = printed.splitlines()[-1].split()
    results.check("modules imported that must not be", len(found), 0, detail=" ".join(found))


def generate(folder: Path, count: int) -> None:
    """A repository of `count` flow folders, each with its deployment."""
    (folder / ".git").mkdir(parents=True)
    for number in range(count):
        target = folder / f"team{number % 20}" / f"flow{number}"
        shutil.copytree(EXAMPLE, target)
        for name in ("deployment.yml", "endpoint.yml", "model.yml"):
            path = target / name
            path.write_text(path.read_text().replace("support-chat", f"support-chat-{number}"))


def scaling(pfdoctor: str, results: Results) -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        generate(small, 100)
        generate(large, 1_000)
        command = [pfdoctor, "check", "--no-progress", "--format", "json"]
        costs = []
        for _ in range(3):
            costs.append((measure([*command, small]), measure([*command, large])))
    ratio = statistics.median(large_cost.cpu / small_cost.cpu for small_cost, large_cost in costs)
    large_cpu = statistics.median(large_cost.cpu for _, large_cost in costs)
    results.check("1,000 flows / 100 flows", ratio, 11, detail=f"{large_cpu:.1f} s of CPU for 1,000")
    results.check("memory for 1,000 flows, MB", max(cost.megabytes for _, cost in costs), 300)


def long_texts(pfdoctor: str, results: Results) -> None:
    """220 KB in which each word is the name of a secret, beside the same amount of ordinary text."""
    with tempfile.TemporaryDirectory() as folder:
        ordinary, crowded = Path(folder) / "ordinary", Path(folder) / "crowded"
        for target, word in ((ordinary, "AccountName "), (crowded, "AccountKey=")):
            shutil.copytree(EXAMPLE / "flow", target)
            template = next(target.glob("*.jinja2"))
            template.write_text(template.read_text() + word * 20_000)
        command = [pfdoctor, "check", "--format", "json"]
        ours, theirs, ratio = side_by_side([*command, crowded], [*command, ordinary], 5)
    detail = f"{ours * 1000:.0f} ms of CPU beside {theirs * 1000:.0f} ms"
    results.check("names of secrets / ordinary words", ratio, 4, detail=detail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pfdoctor", help="the command of an installed wheel")
    parser.add_argument("--promptflow", metavar="PF", help="the pf command of promptflow's own environment")
    options = parser.parse_args()
    python = str(Path(options.pfdoctor).with_name("python"))
    results = Results()
    imports(python, results)
    cold_start(options.pfdoctor, python, results)
    if options.promptflow:
        against_promptflow(options.pfdoctor, options.promptflow, results)
    else:
        print("left out: pf flow validate (no --promptflow)")
    long_texts(options.pfdoctor, results)
    scaling(options.pfdoctor, results)
    print(f"{results.count - results.failed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
