"""The pure core: facts and rules in, a report out. No input or output happens here."""
