"""What the numbers mean: every metric is defined once, and as the pages present it."""

from __future__ import annotations

import json

import pytest

from lib import __version__, calendars
from lib.definitions import DEFINITIONS, definitions, versions
from lib.store.records import METRICS


def test_every_metric_is_defined_and_no_other() -> None:
    assert tuple(DEFINITIONS) == METRICS
    assert json.loads(json.dumps(definitions())).keys() == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_a_definition_says_all_that_a_reader_needs(metric: str) -> None:
    defined = definitions([metric])[metric]
    assert defined["unit"] == calendars.PRESENTED[metric].unit
    assert defined["definition"].endswith(".")
    assert defined["formula"]
    assert defined["value"].endswith(".")
    assert (defined["interval"] is None) == (defined["level"] is None) == (metric == "total_images")
    assert defined["source"] or metric == "total_images"


def test_versions_are_those_of_the_product_and_of_the_analysis() -> None:
    assert versions("7") == {
        "product": "Weed Diversity Analyzer",
        "product_version": __version__,
        "analysis_version": "7",
    }
