"""`python -m pfdoctor.simulator SCENARIO`: an Azure on loopback for any program, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from pfdoctor.simulator import Scenario, ScenarioError, Simulator


def main(arguments: list[str] | None = None) -> int:
    """Serve a scenario. Prints the variables to export, one a line, then nothing more."""
    parser = argparse.ArgumentParser(prog="python -m pfdoctor.simulator", description=__doc__)
    parser.add_argument("scenario", help="a scenario file, such as examples/scenarios/healthy.yaml")
    parser.add_argument("--port", type=int, default=0, help="of the TLS server (default: a free one)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="of every answer, in milliseconds")
    parser.add_argument("--serving", choices=("standin", "promptflow"), default="standin", help="what serves the flows")
    given = parser.parse_args(arguments)
    # whoever runs it in the background ends it by `kill`: the folder of its certificates has to go then, too
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        scenario = Scenario.load(given.scenario)
        with Simulator(scenario, latency=given.latency / 1000, port=given.port, serving=given.serving) as simulator:
            for name, value in simulator.environment.items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
            sys.stdout.flush()
            while True:
                # not for ever at once: a signal that comes just before a wait would only be seen after it
                time.sleep(0.5)
    except (ScenarioError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is given
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
