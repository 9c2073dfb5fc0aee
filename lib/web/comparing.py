"""What a comparison found, in sentences: which side is more diverse, how unlike they are, what to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib.comparison import MINIMUM_DAYS
from lib.store.records import MINIMUM_UNITS
from lib.web.verdicts import p_words
from lib.web.words import N_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lib.comparison import DailyTest, Note
    from lib.contrasts import HillContrast
    from lib.diversity import Estimate
    from lib.side_by_side import Comparison
    from lib.species_changes import SpeciesChange
    from lib.web.words import Words

# By the verdict of lib.contrasts and lib.comparison: how the second side is.
DIVERSITY = {
    "higher": N_(
        "%(b)s is more diverse than %(a)s: %(ratio)s times as many equally common species (%(interval)s), %(p)s."
    ),
    "lower": N_(
        "%(b)s is less diverse than %(a)s: %(ratio)s times as many equally common species (%(interval)s), %(p)s."
    ),
    "none": N_(
        "No difference in diversity for sure: %(b)s has %(ratio)s times as many equally common species as %(a)s "
        "(%(interval)s), %(p)s."
    ),
}
DAILY = {
    "higher": N_(
        "On a survey day of %(b)s the value tends to be higher than on one of %(a)s: the difference is %(size)s, "
        "%(p)s."
    ),
    "lower": N_(
        "On a survey day of %(b)s the value tends to be lower than on one of %(a)s: the difference is %(size)s, "
        "%(p)s."
    ),
    "none": N_(
        "The daily values of %(b)s and of %(a)s do not differ for sure: the difference is %(size)s, %(p)s."
    ),
    "too_few": N_(
        "Too few days for a test: %(a_days)s of %(a)s and %(b_days)s of %(b)s can be compared, and each side needs "
        "at least %(needed)s."
    ),
}
VERDICTS = {"higher": N_("higher"), "lower": N_("lower"), "none": N_("no difference for sure")}
SIZES = {
    "negligible": N_("negligible"),
    "small": N_("small"),
    "medium": N_("medium"),
    "large": N_("large"),
}
TOO_FEW = {
    "no_survey": N_("No day was surveyed, so that there is nothing to compare."),
    "no_plants": N_(
        "None of the photos shows a plant of a known species, so that there is nothing to compare."
    ),
    "few_plants": N_("There are fewer than %(units)s plants: too few for a comparison."),
    "low_coverage": N_(
        "More than half of the plants there are estimated to be of species that were not found: too much is unseen "
        "for a comparison."
    ),
}
NOTES = {
    "certain_labels": N_("Some days say nothing of how sure their labels are; they are taken as certain."),
    "plants_independent": N_(
        "The intervals hold the doubt about the labels and that of drawing as many plants again from the same "
        "days; other days would have given other plants, which the test of the daily values looks at."
    ),
    "effort_differs": N_(
        "The sides have different numbers of plants: diversity is compared at equal coverage, and Bray–Curtis "
        "compares shares."
    ),
    "days_independent": N_(
        "The test of the daily values treats the days as independent; neighbouring days are not quite, so that p "
        "is rather too small."
    ),
}
# The parts of a dissimilarity stand below it; the names of the fields of lib.contrasts.Dissimilarity.
UNLIKENESS = (
    ("bray_curtis", N_("Bray–Curtis of the shares"), False),
    ("bray_curtis_raw", N_("Bray–Curtis of the counts"), False),
    ("jaccard", N_("Jaccard"), False),
    ("jaccard_turnover", N_("of it, species replaced by others"), True),
    ("jaccard_nestedness", N_("of it, species merely missing"), True),
    ("sorensen", N_("Sørensen"), False),
    ("sorensen_turnover", N_("of it, species replaced by others"), True),
    ("sorensen_nestedness", N_("of it, species merely missing"), True),
)


def findings(found: Comparison, a: str, b: str, say: Words) -> list[str]:
    """The main things in a sentence each: diversity, composition, species; `a` and `b` are the sides' names."""
    sentences = []
    if found.standardised:
        sentences.append(_diversity(found.standardised.hill, a, b, say))
    if found.dissimilarity:
        unlike = found.dissimilarity.bray_curtis
        sentences.append(
            say.gettext(
                "For both sides to be alike, %(share)s of the plants of one would have to be of other species "
                "(%(interval)s).",
                share=say.percent(unlike.value),
                interval=f"{say.percent(unlike.low)}–{say.percent(unlike.high)}",
            )
        )
    if found.species.shared or found.species.lost or found.species.gained:
        sentences.append(
            say.gettext(
                "Species on both sides: %(shared)s; in %(a)s only: %(lost)s; in %(b)s only: %(gained)s.",
                shared=say.number(len(found.species.shared)),
                lost=say.number(len(found.species.lost)),
                gained=say.number(len(found.species.gained)),
                a=a,
                b=b,
            )
        )
    return sentences


def _diversity(hill: Sequence[HillContrast], a: str, b: str, say: Words) -> str:
    """By the Hill number of order 1, which weighs species by their share."""
    found = next(each for each in hill if each.order == 1)
    return say.gettext(
        DIVERSITY[found.verdict],
        a=a,
        b=b,
        ratio=say.number(found.ratio.value, 2),
        interval=interval(found.ratio, 2, say),
        p=p_words(found.p, say),
    )


def daily_words(test: DailyTest, a: str, b: str, say: Words) -> str:
    """What the test of the daily values found."""
    return say.gettext(
        DAILY[test.verdict],
        a=a,
        b=b,
        size=say.gettext(SIZES[test.size]) if test.size else "",
        p="" if test.p is None else p_words(test.p, say),
        a_days=say.number(test.a.days),
        b_days=say.number(test.b.days),
        needed=say.number(MINIMUM_DAYS),
    )


def interval(estimate: Estimate, decimals: int, say: Words) -> str:
    """The interval of an estimate."""
    return f"{say.number(estimate.low, decimals)}–{say.number(estimate.high, decimals)}"


def too_few_words(why: str | None, say: Words) -> str:
    """Why a side cannot be compared; empty when it can."""
    return say.gettext(TOO_FEW[why], units=say.number(MINIMUM_UNITS)) if why else ""


def absence_words(change: SpeciesChange, say: Words) -> str:
    """Whether a species that one side has not is absent there, and the chance to have merely missed it."""
    chance = change.missed_by_chance or 0.0
    if change.absence == "absent":
        return say.gettext("absent (%(p)s)", p=p_words(chance, say))
    return say.gettext("perhaps only missed (%(p)s)", p=p_words(chance, say))


def notes_words(notes: Sequence[Note], say: Words) -> list[str]:
    """What a reader has to know; that a side has too few plants is said where the side is."""
    return [say.gettext(NOTES[note.code]) for note in notes if note.code in NOTES]
