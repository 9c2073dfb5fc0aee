"""The chart of a calibration: every dot where its bin says, within the box, and hollow where plants are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.answers import calibration_of
from lib.classifier.figures import wilson
from lib.web.chart import LineChart
from lib.web.reliability import FEW, reliability_chart, right_in
from lib.web.words import Words

SAY = Words("en")


def drawn(*answers: tuple[float, bool]) -> LineChart:
    """The chart of answers, each with its confidence and whether it was right."""
    confidences = np.array([confidence for confidence, _ in answers])
    return reliability_chart(
        calibration_of(confidences, np.array([right for _, right in answers], bool)), SAY
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_all_of_it_lies_in_its_box(answers: list[tuple[float, bool]]) -> None:
    chart = drawn(*answers)
    box = chart.frame
    dots = [*chart.dots, *chart.hollow]
    assert len(dots) == len(chart.whiskers)
    for x, y in [(dot.x, dot.y) for dot in dots] + [
        point for each in chart.whiskers for point in ((each.x1, each.y1), (each.x2, each.y2))
    ]:
        assert box.left <= x <= box.right
        assert box.top <= y <= box.bottom


def test_a_dot_stands_at_its_mean_confidence_and_the_share_that_was_right() -> None:
    chart = drawn(*[(0.82, True)] * 3, *[(0.86, False)] * 2)
    box = chart.frame
    (dot,), (whisker,) = chart.dots, chart.whiskers
    assert dot.x == pytest.approx(box.left + (3 * 0.82 + 2 * 0.86) / 5 * (box.right - box.left), abs=0.1)
    assert dot.y == box.y(0.6)
    low, high = wilson(3, 5)
    assert (whisker.x1, whisker.y1, whisker.x2, whisker.y2) == (dot.x, box.y(low), dot.x, box.y(high))
    assert dot.label == "80% to 90% sure: right for 3 of 5 plants"


def test_few_plants_are_hollow() -> None:
    assert (len(drawn(*[(0.5, True)] * (FEW - 1)).hollow), len(drawn(*[(0.5, True)] * FEW).dots)) == (1, 1)
    assert drawn((0.5, True)).hollow[0].label == "50% to 60% sure: right for 1 of 1 plant"


def test_the_line_leads_from_nothing_to_all() -> None:
    chart = drawn()
    line, box = chart.trend, chart.frame
    assert line is not None
    assert (line.x1, line.y1, line.x2, line.y2) == (box.left, box.bottom, box.right, box.top)
    assert [tick.text for tick in box.x_ticks] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    assert [tick.text for tick in box.y_ticks] == [tick.text for tick in box.x_ticks]
    assert [tick.text for tick in box.years] == ["how sure it was"]
    assert chart.dots == chart.hollow == chart.whiskers == []


def test_right_answers_are_counted_whole() -> None:
    (found,) = [each for each in calibration_of(np.full(7, 0.55), np.arange(7) < 3).bins if each.n]
    assert right_in(found) == 3
