"""Whether this process was asked to end: what has begun is finished, and nothing new is begun."""

from __future__ import annotations

# A plain flag: it is set in a signal handler, where a lock that the interrupted thread holds would hang for ever.
_asked = False


def ask() -> None:
    """The process is to end."""
    global _asked
    _asked = True


def asked() -> bool:
    """True from then on."""
    return _asked
