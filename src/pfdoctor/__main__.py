"""`python -m pfdoctor`."""

from __future__ import annotations

from pfdoctor.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
