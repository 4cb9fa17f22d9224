"""An Azure Resource Manager and identity simulator on loopback. It imports nothing of the product it has to judge."""
