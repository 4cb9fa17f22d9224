"""Reports: the result of a run as text for a person and as JSON for a program."""
