"""pfdoctor: finds out, proves and fixes why a prompt flow endpoint does not deploy or answer."""

__version__ = "0.1.0"
