"""Charts: everything in its box, bands around their lines, no line over a gap, and what few days come to."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.web import _environment, chart
from lib.web.chart import BarChart, LineChart, Reading, Segment, line_chart, month_bars
from lib.web.words import Words

START = date(2025, 5, 1)
SAY = Words("en")
VALUES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 30)


@st.composite
def series(draw: st.DrawFn) -> list[Reading]:
    """Up to forty surveyed days with any values, intervals and efforts."""
    day = START
    readings = []
    for spacing in draw(st.lists(st.integers(1, 60), max_size=40)):
        day += timedelta(spacing)
        value = draw(st.none() | VALUES)
        below, above = draw(st.tuples(st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e6)))
        known = value is not None and math.isfinite(value)
        low = None if below is None or not known else (value or 0.0) - below
        high = None if above is None or not known else (value or 0.0) + above
        readings.append(Reading(day, value, low, high, draw(st.booleans())))
    return readings


def drawn(readings: list[Reading], **given: object) -> LineChart:
    return line_chart(readings, SAY, value_words=lambda value: f"{value:.2f}", **given)  # type: ignore[arg-type]


def days(*offsets: int, value: float = 2.0, **given: object) -> list[Reading]:
    return [Reading(START + timedelta(each), value, **given) for each in offsets]  # type: ignore[arg-type]


def points(polyline: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in polyline.split())]


def corners(path: str) -> list[tuple[float, float]]:
    assert re.fullmatch(r"M[-\d. L]+Z", path), path
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path[1:-1].split("L"))]


def coordinates(found: LineChart) -> list[tuple[float, float]]:
    every = [point for line in found.lines for point in points(line)]
    every += [corner for band in found.bands for corner in corners(band)]
    every += [(dot.x, dot.y) for dot in [*found.dots, *found.hollow]]
    for each in [*found.whiskers, *([found.trend] if found.trend else [])]:
        every += [(each.x1, each.y1), (each.x2, each.y2)]
    return every + [(x, found.frame.bottom) for x in found.undefined]


class TestEverySeries:
    @given(series(), st.none() | st.tuples(VALUES, VALUES), st.booleans())
    def test_everything_is_finite_and_in_the_box(
        self, readings: list[Reading], trend: tuple[float, float] | None, whole: bool
    ) -> None:
        line = None
        if trend and readings:
            line = ((readings[0].date, trend[0]), (readings[-1].date, trend[1]))
        found = drawn(readings, trend=line, whole=whole)
        box = found.frame
        assert 0 <= box.left < box.right <= box.width
        assert 0 <= box.top < box.bottom <= box.height
        for x, y in coordinates(found):
            assert math.isfinite(x)
            assert math.isfinite(y)
            assert box.left <= x <= box.right
            assert box.top <= y <= box.bottom
        assert math.isfinite(box.low)
        assert math.isfinite(box.high)
        for tick in [*box.y_ticks, *box.x_ticks, *box.years]:
            assert 0 <= tick.at <= max(box.width, box.height)

    @given(series())
    def test_bands_hold_their_lines(self, readings: list[Reading]) -> None:
        found = drawn(readings)
        heights = dict(point for line in found.lines for point in points(line))
        for band in found.bands:
            way = corners(band)
            there, back = way[: len(way) // 2], way[len(way) // 2 :][::-1]
            assert [x for x, _ in there] == [x for x, _ in back]
            for (x, low), (_, high) in zip(there, back, strict=True):
                assert high <= heights[x] <= low  # y grows downwards

    @given(series())
    def test_no_line_and_no_band_crosses_a_gap(self, readings: list[Reading]) -> None:
        found = drawn(readings)
        limit = chart.gap_limit([each.date for each in readings])
        width = found.frame.right - found.frame.left - 2 * chart.INSET
        a_day = width / max((readings[-1].date - readings[0].date).days, 1) if readings else 0
        for way in [points(line) for line in found.lines] + [corners(band) for band in found.bands]:
            for (x, _), (following, _) in pairwise(way):
                assert abs(following - x) <= limit * a_day + 0.11  # coordinates have one decimal

    @given(series())
    def test_every_day_is_drawn_once_as_what_it_is(self, readings: list[Reading]) -> None:
        found = drawn(readings)
        known = [each for each in readings if each.value is not None and abs(each.value) <= chart.LARGEST]
        usable = [each for each in known if each.comparable]
        on_lines = sum(len(points(line)) for line in found.lines)
        assert all(len(points(line)) > 1 for line in found.lines)
        assert on_lines + (found.gaps + 1 if usable else 0) - len(found.lines) == len(usable)
        assert len(found.dots) == len(usable)  # forty days have room for their dots
        assert len(found.hollow) == len(known) - len(usable)
        assert len(found.undefined) == len(readings) - len(known)


def test_no_day_is_an_empty_chart() -> None:
    found = drawn([])
    assert found.empty
    assert coordinates(found) == []
    assert found.frame.x_ticks == []


def test_one_day_is_a_dot_with_its_interval() -> None:
    found = drawn([Reading(START, 2.0, 1.5, 2.6)])
    assert not found.empty
    assert (found.lines, found.bands) == ([], [])
    [dot], [whisker] = found.dots, found.whiskers
    assert whisker.x1 == whisker.x2 == dot.x
    assert whisker.y2 < dot.y < whisker.y1
    assert dot.label == "1 May 2025: 2.00"
    assert [tick.text for tick in found.frame.x_ticks] == ["1 May"]


def test_a_longer_time_without_a_survey_breaks_the_line() -> None:
    assert len(drawn(days(0, 3, 6, 20, 23)).lines) == 1  # a fortnight is bridged
    found = drawn(days(0, 3, 6, 21, 24))
    assert [len(points(line)) for line in found.lines] == [3, 2]
    assert found.gaps == 1


def test_a_series_of_few_surveys_has_longer_ones_without_a_gap() -> None:
    monthly = range(0, 300, 30)
    assert len(drawn(days(*monthly, 390)).lines) == 1
    assert len(drawn(days(*monthly, 391)).lines) == 1  # the last stands alone
    assert drawn(days(*monthly, 391)).gaps == 1


def test_days_with_too_little_effort_are_hollow_and_not_joined() -> None:
    readings = days(0, 2, 4)
    readings[1] = Reading(readings[1].date, 9.0, 8.0, 10.0, comparable=False)
    found = drawn(readings)
    assert len(points(found.lines[0])) == 2
    [hollow] = found.hollow
    assert hollow.y < min(y for _, y in points(found.lines[0]))
    assert found.frame.high >= 9


def test_a_day_without_an_interval_parts_the_band_but_not_the_line() -> None:
    readings = days(*range(5), low=1.0, high=3.0)
    readings[2] = Reading(readings[2].date, 2.0)
    found = drawn(readings)
    assert (len(found.lines), len(found.bands)) == (1, 2)


def test_a_huge_interval_is_cut_and_says_so() -> None:
    found = drawn([Reading(START, 10.0, 8.0, 900.0), *days(1, 2, value=9.0, low=8.0, high=11.0)])
    assert found.cut
    assert found.frame.high < 60
    assert not drawn(days(0, 1, low=1.0, high=3.0)).cut


def test_many_days_have_no_room_for_dots_but_for_those_that_stand_alone() -> None:
    found = drawn(days(*range(200), 260))
    assert len(found.dots) == 1
    assert len(drawn(days(*range(50))).dots) == 50


def test_the_axis_shows_the_span_asked_for() -> None:
    span = START - timedelta(30), START + timedelta(60)
    found = drawn(days(0, 1), span=span)
    (first, _), (second, _) = points(found.lines[0])
    share = (first - found.frame.left) / (found.frame.right - found.frame.left)
    assert 0.3 < share < 0.4
    assert second - first < 6
    assert drawn([], span=span).frame.x_ticks


class TestTrend:
    def line(self, start: float, end: float) -> Segment | None:
        readings = days(0, 10, value=1.0) + days(20, value=3.0)
        return drawn(readings, trend=((START, start), (START + timedelta(20), end))).trend

    def test_it_is_drawn_from_its_first_to_its_last_day(self) -> None:
        line = self.line(1.0, 3.0)
        assert line is not None
        assert line.x1 < line.x2
        assert line.y1 > line.y2

    def test_what_leaves_the_box_is_cut_off_on_its_way(self) -> None:
        whole, cut = self.line(0.0, 3.0), self.line(-3.0, 3.0)
        assert whole is not None
        assert cut is not None
        assert cut.x1 == pytest.approx((whole.x1 + whole.x2) / 2, abs=0.1)
        assert cut.x2 == whole.x2

    @pytest.mark.parametrize(("start", "end"), [(50.0, 50.0), (-9.0, -8.0), (math.nan, 1.0), (1.0, math.inf)])
    def test_one_beyond_the_box_is_none(self, start: float, end: float) -> None:
        assert self.line(start, end) is None

    def test_a_level_one_is_level(self) -> None:
        line = self.line(2.0, 2.0)
        assert line is not None
        assert line.y1 == line.y2


class TestBars:
    def test_months_stand_side_by_side_and_those_without_a_survey_are_told_from_zero(self) -> None:
        found = month_bars({date(2024, 11, 1): 4, date(2025, 1, 1): 0, date(2025, 2, 1): None}, SAY)
        assert [bar.surveyed for bar in found.bars] == [True, False, True, False]
        assert [bar.label for bar in found.bars] == [
            "November 2024: 4",
            "December 2024: no survey",
            "January 2025: 0",
            "February 2025: no survey",
        ]
        assert [bar.height > 0 for bar in found.bars] == [True, False, False, False]
        assert [tick.text for tick in found.frame.years] == ["2024", "2025"]

    def test_japanese_months(self) -> None:
        found = month_bars({date(2024, 11, 1): 4}, Words("ja"))
        assert found.bars[0].label == "2024年11月：4"
        assert found.frame.x_ticks[0].text == "11月"

    @pytest.mark.parametrize("number", [1, 2, 3, 30])
    def test_few_months_have_bars_not_slabs(self, number: int) -> None:
        found = month_bars({date(2023 + month // 12, month % 12 + 1, 1): 4 for month in range(number)}, SAY)
        room = (found.frame.right - found.frame.left) / number
        for place, (bar, tick) in enumerate(zip(found.bars, found.frame.x_ticks, strict=False)):
            assert bar.width == pytest.approx(min(0.7 * room, 36), abs=0.1)
            if number < 4:
                # Each stands in the middle of its room, above its name.
                assert bar.x + bar.width / 2 == pytest.approx(
                    found.frame.left + (place + 0.5) * room, abs=0.1
                )
                assert tick.at == pytest.approx(bar.x + bar.width / 2, abs=0.1)

    def test_nothing_is_empty(self) -> None:
        assert month_bars({}, SAY).empty
        assert month_bars({START: None}, SAY).empty
        assert not month_bars({START: 0}, SAY).empty

    @given(
        st.dictionaries(
            st.dates(date(1995, 1, 1), date(2060, 1, 1)).map(lambda day: day.replace(day=1)),
            st.none() | st.integers(0, 10**9),
            max_size=20,
        )
    )
    def test_bars_stay_in_the_box_and_apart(self, counts: dict[date, int | None]) -> None:
        found = month_bars(counts, SAY)
        box = found.frame
        for bar in found.bars:
            assert box.left <= bar.x <= bar.x + bar.width <= box.right + 0.1
            assert box.top <= bar.y <= box.bottom
            assert bar.y + bar.height == pytest.approx(box.bottom, abs=0.11)
        for bar, following in pairwise(found.bars):
            assert bar.x < following.x or len(found.bars) > 300
        highest = max((count for count in counts.values() if count), default=0)
        assert box.high >= highest


class TestDrawing:
    """The template: valid as XML, no style attribute, one element a mark, names for those who do not see it."""

    @pytest.fixture
    def page(self) -> str:
        readings = days(0, 3, 6, 30, 33, 70, low=1.0, high=3.0)
        readings += [
            Reading(START + timedelta(71), 1.0, comparable=False),
            Reading(START + timedelta(72), None),
        ]
        self.line: LineChart = drawn(readings, trend=((START, 1.5), (START + timedelta(70), 2.5)))
        self.bars: BarChart = month_bars({START: 4, date(2025, 7, 1): 2}, SAY)
        return drawing(self.line, self.bars)

    def test_it_has_a_mark_for_each(self, page: str) -> None:
        assert page.count('<polyline class="line"') == len(self.line.lines) + 1  # one is in the legend
        assert page.count('class="band"') == len(self.line.bands) + 1
        assert page.count('class="dot"') == len(self.line.dots)
        assert page.count('class="trend"') == 2
        assert page.count('class="whisker"') == 1
        assert page.count('class="bar"') == 2
        assert "no survey for a longer time" in page

    def test_it_says_what_it_is_and_has_no_style_of_its_own(self, page: str) -> None:
        assert 'role="img" aria-labelledby="one-title one-description"' in page
        assert '<title id="one-title">&lt;Shannon&gt;</title>' in page
        assert '<desc id="one-description">Six &amp; more days</desc>' in page
        assert "style=" not in page

    def test_it_is_well_formed(self, page: str) -> None:
        import xml.etree.ElementTree as ET

        ET.fromstring(f"<page>{page}</page>")  # noqa: S314


def drawing(line: LineChart, bars: BarChart) -> str:
    source = (
        '{% from "chart.html" import line_chart, bar_chart, line_legend with context %}'
        '{{ line_chart(line, "<Shannon>", "Six & more days", "one") }}'
        '{{ line_legend([line]) }}{{ bar_chart(bars, "Months", "Counts") }}'
    )
    return _environment("en").from_string(source).render(line=line, bars=bars)
