"""Dates, numbers, metrics and confidence in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from math import ceil
from typing import Any

from lib.store.records import NOT_A_PLANT
from lib.taxa import common_name
from lib.web.languages import FIRST_WEEKDAY, translation


def N_(text: str) -> str:
    """Mark a text for the catalogues where it stands; `Words.text` translates it where it is shown."""
    return text


MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


@dataclass(frozen=True, slots=True)
class MetricWords:
    """How a metric is written: its name, the short name for labels, what it says, and its decimals."""

    name: str
    short: str
    meaning: str
    decimals: int


METRIC_WORDS = {
    "species_richness": MetricWords(
        N_("Species richness"), N_("richness"), N_("How many species were found."), 0
    ),
    "shannon_diversity": MetricWords(
        N_("Shannon diversity"),
        N_("Shannon"),
        N_("How hard it is to guess the species of the next plant: more species, and more even, is higher."),
        2,
    ),
    "pielou_evenness": MetricWords(
        N_("Pielou evenness"),
        N_("evenness"),
        N_("How evenly the plants are spread over the species; 1 when all are equally common."),
        2,
    ),
    "simpson_diversity": MetricWords(
        N_("Simpson diversity"),
        N_("Simpson"),
        N_("The chance that two plants picked at random are of different species."),
        2,
    ),
    "hill_q0": MetricWords(
        N_("Hill number q = 0"), N_("Hill 0"), N_("All species count alike: the species richness."), 0
    ),
    "hill_q1": MetricWords(
        N_("Hill number q = 1"),
        N_("Hill 1"),
        N_("How many equally common species would be as diverse; weighs species by their share."),
        1,
    ),
    "hill_q2": MetricWords(
        N_("Hill number q = 2"),
        N_("Hill 2"),
        N_("How many equally common species would be as diverse; weighs the dominant species most."),
        1,
    ),
    "chao1_estimate": MetricWords(
        N_("Chao1 estimate"),
        N_("Chao1"),
        N_("How many species there are in all, with those not yet seen estimated."),
        1,
    ),
    "coverage_estimate": MetricWords(
        N_("Sample coverage"),
        N_("coverage"),
        N_("The share of the plants in the field whose species is among those found."),
        2,
    ),
    "total_images": MetricWords(N_("Photos"), N_("photos"), N_("How many photos were taken."), 0),
}
WHOLE = ("total_images", "species_richness")  # metrics whose values are whole numbers
UNKNOWN = "unknown"
VERY_SURE = 0.9


class Words:
    """Everything of one language that templates cannot say with a fixed text."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.first_weekday = FIRST_WEEKDAY[language]
        self._catalogue = translation(language)

    def gettext(self, text: str, **values: Any) -> str:
        """The translation of a text, its %(name)s places filled."""
        translated = self._catalogue.gettext(text)
        return translated % values if values else translated

    def ngettext(self, one: str, many: str, number: int) -> str:
        """The translation of a counted thing; %(num)s in it is the number."""
        return self._catalogue.ngettext(one, many, number) % {"num": self.number(number)}

    def month(self, month: int, *, short: bool = False) -> str:
        """The name of a month, 1 to 12."""
        name = self.gettext(MONTHS[month - 1])
        return name[:3] if short else name  # Jan and 12月: three characters do in both languages

    def day(self, day: date) -> str:
        """A date with its year, as it is written in running text."""
        return self.gettext(
            "%(day)d %(month)s %(year)d", day=day.day, month=self.month(day.month), year=day.year
        )

    def day_of_year(self, day: date) -> str:
        """A date where the year is plain."""
        return self.gettext("%(day)d %(month)s", day=day.day, month=self.month(day.month))

    def short_day(self, day: date) -> str:
        """A date where the year is plain and room is short."""
        return self.gettext("%(day)d %(month)s", day=day.day, month=self.month(day.month, short=True))

    def month_of_year(self, month: date) -> str:
        """A month with its year."""
        return self.gettext("%(month)s %(year)d", month=self.month(month.month), year=month.year)

    def year(self, year: int) -> str:
        """A calendar year."""
        return self.gettext("%(year)d", year=year)

    def weekdays(self) -> list[str]:
        """Short names, in the order of this language's week."""
        return [self.gettext(WEEKDAYS[(self.first_weekday + step) % 7]) for step in range(7)]

    def weekday(self, day: date) -> str:
        """The short name of a date's day of the week."""
        return self.gettext(WEEKDAYS[day.weekday()])

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with its thousands apart."""
        return f"{value:,.{decimals}f}"

    def percent(self, share: float | None, decimals: int = 0) -> str:
        """A share of 1 as a percentage; a dash for None.

        What would round to nothing or to all is only said to be below or above.
        """
        if share is None:
            return "–"
        text, least = f"{share * 100:.{decimals}f}", 10.0**-decimals
        if share > 0 and float(text) == 0:
            return f"<{least:.{decimals}f}%"
        if share < 1 and float(text) == 100:
            return f">{100 - least:.{decimals}f}%"
        return f"{text}%"

    def metric(self, metric: str) -> str:
        """The name of a metric."""
        return self.gettext(METRIC_WORDS[metric].name)

    def metric_meaning(self, metric: str) -> str:
        """One sentence on what a metric says."""
        return self.gettext(METRIC_WORDS[metric].meaning)

    def value(self, metric: str, value: float | None) -> str:
        """A metric's value with the decimals it deserves; a dash where it is undefined."""
        return "–" if value is None else self.number(value, METRIC_WORDS[metric].decimals)

    def median(self, metric: str, value: float) -> str:
        """A median of a metric: that of whole numbers may lie between two of them."""
        return self.number(value, max(METRIC_WORDS[metric].decimals, 1))

    def interval(self, metric: str, low: float | None, high: float | None) -> str:
        """An interval of a metric; empty when there is none."""
        if low is None or high is None:
            return ""
        return f"{self.value(metric, low)}–{self.value(metric, high)}"

    def thresholds(self, metric: str, thresholds: list[float]) -> list[str]:
        """What the levels 0 to 4 hold, for the legend."""
        if metric in WHOLE:  # the quartiles of counts may fall between two of them
            whole = [ceil(threshold) for threshold in thresholds]
            return [
                self.gettext("under %(bound)s", bound=self.number(whole[0])),
                *(self._counts(low, high - 1) for low, high in pairwise(whole)),
                self.gettext("%(bound)s or more", bound=self.number(whole[-1])),
            ]
        bounds = [self._bound(metric, threshold) for threshold in thresholds]
        return [
            self.gettext("under %(bound)s", bound=bounds[0]),
            *(f"{low} – < {high}" for low, high in pairwise(bounds)),
            self.gettext("%(bound)s or more", bound=bounds[-1]),
        ]

    def _counts(self, low: int, high: int) -> str:
        """Counts from `low` to `high`; a dash for a level that no count can have."""
        if low > high:
            return "–"
        return self.number(low) if low == high else f"{self.number(low)}–{self.number(high)}"

    def _bound(self, metric: str, threshold: float) -> str:
        # Quartiles fall between whole numbers and must not be rounded onto a day's value.
        decimals = METRIC_WORDS[metric].decimals
        return self.number(
            threshold, decimals if threshold == round(threshold, decimals) else max(decimals, 2)
        )

    def species(self, number: int) -> str:
        """How many species."""
        return self.ngettext("%(num)s species", "%(num)s species", number)

    def photos(self, number: int) -> str:
        """How many photos."""
        return self.ngettext("%(num)s photo", "%(num)s photos", number)

    def plants(self, number: int) -> str:
        """How many plants."""
        return self.ngettext("%(num)s plant", "%(num)s plants", number)

    def label(self, label: str | None) -> str:
        """A photo's label: a scientific name as it is, and the words for what is not a name."""
        if label is None:
            return self.gettext("not classified yet")
        if label == UNKNOWN:
            return self.gettext("not sure what it is")
        if label == NOT_A_PLANT:
            return self.gettext("not a plant")
        return label

    def confidence(self, confidence: float, level: str) -> str:
        """How sure the model is of a label of this taxonomic level, in words."""
        if level == "species":
            return self.gettext("very sure") if confidence >= VERY_SURE else self.gettext("sure")
        if level == "genus":
            return self.gettext("sure of the genus only")
        if level == "family":
            return self.gettext("sure of the family only")
        return self.gettext("unsure")

    def common_name(self, species: str) -> str:
        """The reader's common name of a species; empty where none is known."""
        return common_name(species, self.language) or ""
