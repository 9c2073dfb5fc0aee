"""The five sections of the reference set, each with its tables."""

from __future__ import annotations

from tests.lib.diversity.reference import cases, incidence, multisite, pairs, temporal
from tests.lib.diversity.reference.families import Section

SECTIONS = tuple(
    Section(module.__name__.rpartition(".")[2], module.FAMILIES, module.NOT_COMPARED)
    for module in (cases, pairs, multisite, incidence, temporal)
)
