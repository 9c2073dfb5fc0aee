"""Section `pairs` of the reference set (two samples side by side): what is compared and what is not."""

from __future__ import annotations

from tests.lib.diversity.reference.families import Family

FAMILIES: dict[str, Family] = {}

NOT_COMPARED: dict[str, str] = {"*": "no function offers it"}
