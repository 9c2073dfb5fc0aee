"""Which names this server answers to: a page of another site must not reach it by a name of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

_LABEL = re.compile(r"[\w-]{1,63}")
# Names that no public name server gives out, so that nobody elsewhere can point one at this machine.
_LOCAL = (".localhost", ".local", ".internal", ".home.arpa", ".lan")


def answers_to(host: str, allowed: Sequence[str], origins: Sequence[str]) -> bool:
    """Whether a request with this Host header (name, maybe with a port) is meant for this server.

    Addresses and names of the local network are; others only when they are among `allowed` (names; `.example.org`
    stands for all below it) or the hosts of `origins`. What an attacker points here by DNS rebinding is
    none of these.
    """
    name = _name(host)
    if name is None:
        return False
    if "." not in name or name.endswith(_LOCAL):
        return True
    if any(name == each or (each.startswith(".") and name.endswith(each)) for each in allowed):
        return True
    return name in {urlsplit(origin).hostname for origin in origins} or _is_address(name)


def is_host(name: str) -> bool:
    """Whether `name` can stand in ALLOWED_HOSTS: a host name without scheme, port or path, or `.example.org`."""
    return all(_LABEL.fullmatch(label) for label in name.removeprefix(".").split("."))


def _name(host: str) -> str | None:
    """The name in a Host header in lower case, without port, brackets and the dot at its end; None for nonsense."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    name = parts.hostname.removesuffix(".")
    return name if is_host(name) or _is_address(name) else None


def _is_address(name: str) -> bool:
    import ipaddress  # a millisecond that most requests, by a known name, do without

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
