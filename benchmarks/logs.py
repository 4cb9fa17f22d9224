"""Reading a log beside `grep`: `python benchmarks/logs.py`. CPU time of whole processes in turn, and peak of memory.

The log has 100 MB; every twentieth line holds a literal of the catalogue. `grep -F -c -f` looks for the same literals.
Exits 1 where reading takes more than ten times as long, or more than 100 MB.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pfdoctor import catalog
from run import measure

SIZE = 100_000_000
RATIO, MEGABYTES = 10, 100
ROUNDS = 3
NOISE = (
    "2024-05-01 10:00:00 +0000      21 execution.flow     INFO     Node {n} completes.",
    '10.0.0.{n} - - [01/May/2024:10:00:00 +0000] "POST /score HTTP/1.1" 200 53 "-" "python-requests/2.31"',
    "Collecting azure-identity=={n}.15.0 (from -r requirements.txt (line {n}))",
    "  Downloading azure_identity-{n}.15.0-py3-none-any.whl (164 kB)",
    "2024-05-01T10:00:00.1234567Z ##[debug]Evaluating condition for step {n}: succeeded()",
)
READ = (
    "import sys; from pfdoctor import catalog; from pfdoctor.collect import logs;"
    "found = logs.read(sys.argv[1:], catalog.load_full().symptoms); print(len(found.logs[0]['hits']))"
)


def write_log(path: Path, literals: list[str]) -> None:
    """A log of `SIZE` bytes, the same in every run."""
    lines = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        written = 0
        while written < SIZE:
            block = [lines.choice(NOISE).format(n=lines.randrange(99)) for _ in range(19)]
            block.append(f"2024-05-01 10:00:00 +0000 21 promptflow-serving ERROR {lines.choice(literals)} there")
            written += file.write("\n".join(block) + "\n")


def main() -> int:
    """Print the figures; 1 where they are not met."""
    literals = [text for symptom in catalog.load_full().symptoms.values() for text in symptom.contains]
    with tempfile.TemporaryDirectory() as folder:
        log, wanted = Path(folder, "log"), Path(folder, "literals")
        write_log(log, literals)
        wanted.write_text("\n".join(literals) + "\n", "utf-8")
        # a pipe: grep that writes to nowhere stops at the first line it finds
        grep = ["sh", "-c", 'grep -F -c -f "$1" "$2" | cat', "sh", wanted, log]
        costs = [(measure(grep), measure([sys.executable, "-c", READ, log])) for _ in range(ROUNDS)]
        lines = int(subprocess.run(["wc", "-l", log], capture_output=True, text=True, check=True).stdout.split()[0])
    ratio = statistics.median(ours.cpu / theirs.cpu for theirs, ours in costs)
    seconds = statistics.median(ours.cpu for _, ours in costs)
    memory = max(ours.megabytes for _, ours in costs)
    print(f"{SIZE / 1e6:.0f} MB, {lines:,} lines, {len(literals)} literals: {seconds:.1f} s CPU, {memory:.0f} MB")
    print(f"{ratio:.1f} times the CPU time of grep -F -c -f")
    return int(ratio > RATIO or memory > MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
