"""Section `temporal` of the reference set (a series of samples in time): what is compared and what is not."""

from __future__ import annotations

from tests.lib.diversity.reference.families import Family

FAMILIES: dict[str, Family] = {}

NOT_COMPARED: dict[str, str] = {"*": "no function offers it"}
