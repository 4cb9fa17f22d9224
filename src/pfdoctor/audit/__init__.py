"""Looks at every endpoint of a scope: what there is, in which order, what is kept, and the report of all of it."""
