"""`python -m pfdoctor`."""

from __future__ import annotations

from pfdoctor.cli.main import run

if __name__ == "__main__":
    run()
