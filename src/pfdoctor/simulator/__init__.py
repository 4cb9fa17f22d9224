"""An Azure Resource Manager and identity simulator on loopback.

The unmodified Azure SDKs work against it. It imports nothing of the product it has to judge, so that it can prove it
wrong.
"""

from pfdoctor.simulator.scenario import Scenario, ScenarioError
from pfdoctor.simulator.simulator import Simulator

__all__ = ["Scenario", "ScenarioError", "Simulator"]
