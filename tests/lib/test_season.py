"""The year laid out: months of weeks, marks, words and the small picture; and the colours of the levels."""

from __future__ import annotations

import itertools
import re
from datetime import date, timedelta

import pytest

from lib import calendars
from lib.store.records import DayRow
from lib.web import season, static_files
from lib.web.languages import LANGUAGES
from lib.web.words import Words

TODAY = date(2025, 10, 1)


def day(
    when: date, plants: int = 12, species: int = 4, coverage: float | None = 0.9, **values: object
) -> DayRow:
    counts = {f"Genus species{number}": plants // species for number in range(species)} if plants else {}
    given = {
        "total_images": 20,
        "species_richness": species if plants else 0,
        "shannon_diversity": 1.75 if plants else None,
        "species_counts": counts,
        "coverage_estimate": coverage,
    }
    return DayRow(date=when, **(given | values))  # type: ignore[arg-type]


def calendar(*rows: DayRow, metric: str = "shannon_diversity", year: int = 2025) -> calendars.Calendar:
    return calendars.build(rows, metric, year, True, 2025)


def days_of(months: list[season.Month]) -> list[season.Day]:
    return [each for month in months for each in month.days]


# The year


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("year", [1900, *range(2020, 2030), 2200])
def test_a_year_has_each_of_its_days_once_in_weeks_of_the_language(language: str, year: int) -> None:
    say = Words(language)
    months = season.months(calendar(year=year), say, date(2040, 1, 1))
    found = [each.date for each in days_of(months)]
    assert found == [date(year, 1, 1) + timedelta(days=n) for n in range(len(found))]
    assert found[-1] == date(year, 12, 31)
    assert [month.number for month in months] == list(range(1, 13))
    for month in months:
        assert {each.date.month for each in month.days} == {month.number}
        for week in month.weeks:
            assert len(week) == 7
            for column, each in enumerate(week):
                assert each is None or (each.date.weekday() - say.first_weekday) % 7 == column
            assert any(week)


def test_each_kind_of_day_has_a_mark_and_a_label_of_its_own() -> None:
    shown = calendar(
        day(date(2025, 5, 12), species=4, plants=20, shannon_diversity=2.1, total_images=23),
        day(date(2025, 5, 13), plants=0, coverage=None, total_images=1),
        day(date(2025, 5, 14), plants=3, species=3, total_images=3),
    )
    found = {each.date: each for each in days_of(season.months(shown, Words("en"), date(2025, 5, 15)))}
    may = [found[date(2025, 5, number)] for number in (12, 13, 14, 15, 16)]
    assert [(each.mark, each.surveyed) for each in may] == [
        ("level", True),
        ("zero", True),
        ("low", True),
        ("absent", False),
        ("future", False),
    ]
    assert may[0].level == 3
    assert [each.label for each in may] == [
        "12 May: 4 species, 23 photos, Shannon 2.10",
        "13 May: surveyed, no species named, 1 photo",
        "14 May: 3 species, 3 photos, too few photos to compare",
        "15 May: no survey",
        "16 May: still to come",
    ]


def test_a_label_holds_the_interval_where_there_is_one() -> None:
    row = day(date(2025, 5, 12), confidence_intervals={"shannon_diversity": {"low": 1.5, "high": 2.0}})
    labels = [each.label for each in days_of(season.months(calendar(row), Words("en"), TODAY))]
    assert "12 May: 4 species, 20 photos, Shannon 1.75 (1.50–2.00)" in labels


def test_the_number_of_photos_needs_no_effort_to_be_shown() -> None:
    shown = calendar(day(date(2025, 5, 12), plants=0, coverage=None), metric="total_images")
    assert season.mark_of(shown.data["2025-05-12"], "total_images") == "level"
    assert season.mark_of(shown.data["2025-05-12"], "shannon_diversity") == "zero"


def test_the_season_spans_the_months_with_surveys() -> None:
    shown = calendar(day(date(2025, 5, 12)), day(date(2025, 7, 3)))
    months = season.months(shown, Words("en"), TODAY)
    assert [month.number for month in months if month.in_season] == [5, 6, 7]
    assert not any(month.in_season for month in season.months(calendar(), Words("en"), TODAY))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_small_picture_holds_the_season_by_weeks_and_no_name_that_is_cut_off(language: str) -> None:
    say = Words(language)
    shown = calendar(day(date(2025, 5, 12)), day(date(2025, 7, 3)))
    drawn = season.picture(season.months(shown, say, TODAY), say.first_weekday)
    assert [square.day.date for square in drawn.squares] == [
        date(2025, 5, 1) + timedelta(days=n) for n in range(92)
    ]
    assert len({(square.x, square.y) for square in drawn.squares}) == 92
    for before, after in itertools.pairwise(drawn.squares):
        new_week = after.day.date.weekday() == say.first_weekday
        assert (after.x > before.x) == new_week
        assert (after.y > before.y) != new_week
    assert [month for _, month in drawn.months] == [5, 6, 7]
    assert max(square.x for square in drawn.squares) + season.SQUARE == drawn.width
    assert max(square.y for square in drawn.squares) + season.SQUARE == drawn.height
    # A season of one month has five or six columns; the name of a month in its last one would be cut off.
    assert all(x + season.NAME_COLUMNS * (season.SQUARE + season.GAP) <= drawn.width for x, _ in drawn.months)


def test_the_small_picture_of_nothing_is_empty() -> None:
    empty = season.picture(season.months(calendar(), Words("en"), TODAY), 0)
    assert empty.squares == []
    assert empty.width > 0


# The colours of the levels, as the style sheet has them

# How colours look without one kind of cone: linear RGB by Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
LEAST_STEP = 8.0  # of CIE L*, between one level and the next
LEAST_CONTRAST = 4.5  # of a number on its level: WCAG 2.2, 1.4.3
LEAST_OF_SHAPES = 3.0  # of a mark on the page: WCAG 2.2, 1.4.11

Linear = tuple[float, ...]


def schemes() -> dict[str, dict[str, str]]:
    """The colours among the custom properties: those of the light page, of the dark one and of the printed one."""
    style = (static_files.FOLDER / "style.css").read_text("utf-8")
    blocks = re.findall(r"(@media[^{]*\{\s*)?:root\s*\{([^}]*)\}", style)
    found = {
        "dark" if "dark" in media else "print" if "print" in media else "light": dict(
            re.findall(r"--([\w-]+):\s*(#[0-9a-f]+)", body)
        )
        for media, body in blocks
    }
    return {name: found["light"] | own for name, own in found.items()}


def linear(colour: str) -> Linear:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    return tuple(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)


def luminance(colour: Linear) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def lightness(colour: Linear) -> float:
    """CIE L*, 0 to 100."""
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27


def contrast(one: str, other: str) -> float:
    low, high = sorted(luminance(linear(each)) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, sight: str) -> Linear:
    own = linear(colour)
    return tuple(
        min(1.0, max(0.0, sum(weight * each for weight, each in zip(row, own, strict=True))))
        for row in SIGHT[sight]
    )


def test_the_measures_of_colour_are_the_usual_ones() -> None:
    assert lightness(linear("#fff")) == pytest.approx(100)
    assert lightness(linear("#777777")) == pytest.approx(50.03, abs=0.05)
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_levels_differ_in_lightness_for_every_kind_of_sight(scheme: str, sight: str) -> None:
    colours = schemes()[scheme]
    steps = [lightness(seen(colours[f"level{level}"], sight)) for level in range(5)]
    direction = 1 if scheme == "dark" else -1
    assert all(direction * (after - before) >= LEAST_STEP for before, after in itertools.pairwise(steps))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_numbers_can_be_read_on_every_level(scheme: str) -> None:
    colours = schemes()[scheme]
    for level in range(5):
        text = colours["on-pale" if level < 3 else "on-deep"]
        assert contrast(text, colours[f"level{level}"]) >= LEAST_CONTRAST, level


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_marks_and_the_days_without_a_survey_can_be_seen(scheme: str) -> None:
    colours = schemes()[scheme]
    assert contrast(colours["mark"], colours["ground"]) >= LEAST_OF_SHAPES
    for text in ("faint", "ink"):
        assert contrast(colours[text], colours["ground"]) >= LEAST_CONTRAST
