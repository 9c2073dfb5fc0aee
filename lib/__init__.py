"""Everything the functions share; nothing here knows about routes."""

__version__ = "0.1.0"
