"""Collectors: each observes one kind of source and turns it into facts. Only collectors read the world."""
