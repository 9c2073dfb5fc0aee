"""Which versions named a day's photos: counted, told, and never invented."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from lib.model_versions import ModelVersion, counted, listed, named_by, only_version
from lib.store.records import DayRow, Prediction, ProcessingRow

DAY = date(2025, 8, 24)
ROW = DayRow(DAY, model_name="starter")


def said(name: str, version: str | None) -> Prediction:
    now = datetime(2025, 8, 24, 3, tzinfo=UTC)
    return Prediction(name, 0.02, now, [], "Zea mays", 0.9, 0.5, 0.1, model_version=version)


def told(*named: tuple[str, str | None]) -> list[ModelVersion]:
    return named_by(ROW, ProcessingRow(DAY, processing_metadata=counted([said(*each) for each in named])))


def test_each_version_is_told_once_in_order() -> None:
    named = (("starter", "1.1.0"), ("other", "2"), ("starter", "1.0.0"), ("starter", "1.1.0"))
    assert counted([said(*each) for each in named]) == {
        "models": {"other": 1, "starter": 3},
        "model_versions": {"other": {"2": 1}, "starter": {"1.0.0": 1, "1.1.0": 2}},
    }
    assert told(*named) == [("other", "2"), ("starter", "1.0.0"), ("starter", "1.1.0")]
    assert only_version(told(*named), "starter") is None
    assert only_version(told(*named), "other") == "2"


def test_photos_of_which_no_version_is_on_record_are_told_beside_the_others() -> None:
    found = told(("starter", None), ("starter", "1.1.0"))
    assert found == [("starter", None), ("starter", "1.1.0")]
    assert only_version(found, "starter") is None
    assert [each.shown for each in found] == ["starter", "starter 1.1.0"]
    assert "model_versions" not in counted([said("starter", None)])
    assert told(("starter", None)) == [("starter", None)]


def test_a_document_has_each_once_those_not_on_record_first() -> None:
    found = {ModelVersion("b", "1"), ModelVersion("a", "2"), ModelVersion("a"), ModelVersion("a", "10")}
    assert listed([*found, ModelVersion("b", "1")]) == [
        {"name": "a", "version": None}, {"name": "a", "version": "10"}, {"name": "a", "version": "2"},
        {"name": "b", "version": "1"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "metadata",
    [
        {}, {"models": None}, {"models": []}, {"models": {"": 3}}, {"models": {"x": "3"}}, {"models": {"x": True}},
        {"models": {"x": -1}}, {"models": {"x": 1.5}}, {"model_versions": {"starter": {"9": 1}}},
    ],
)  # fmt: skip
def test_what_is_no_count_is_passed_over(metadata: dict[str, Any]) -> None:
    """A file of another hand may hold anything."""
    assert named_by(ROW, ProcessingRow(DAY, processing_metadata=metadata)) == [("starter", None)]
    assert named_by(DayRow(DAY), ProcessingRow(DAY, processing_metadata=metadata)) == []


@pytest.mark.parametrize(
    "versions", [None, [], {"starter": "1"}, {"starter": {"1": "x"}}, {"other": {"1": 2}}]
)
def test_versions_that_are_none_are_not_on_record(versions: object) -> None:
    metadata = {"models": {"starter": 2}, "model_versions": versions}
    assert named_by(ROW, ProcessingRow(DAY, processing_metadata=metadata)) == [("starter", None)]
