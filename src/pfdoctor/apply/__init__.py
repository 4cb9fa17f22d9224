"""Applying a plan: a check before, a record for the undo, the change, and a look at what came of it."""
