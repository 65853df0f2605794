"""The version, on the ground floor: every room may read it."""

__version__ = "0.1.0"
