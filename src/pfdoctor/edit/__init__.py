"""Edits of texts: what a step changes, and not a byte besides. Nothing here writes a file."""
