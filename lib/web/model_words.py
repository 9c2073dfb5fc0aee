"""A model in the reader's words: how its numbers are kept, how often it was right, and how far to believe it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lib.answers import Share
from lib.classifier.figures import wilson
from lib.performance import ENOUGH_PLANTS
from lib.web.reliability import right_in
from lib.web.words import N_

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lib.answers import AtRisk, Calibration, Confusion, Recall, RiskCoverage, RuleLevel
    from lib.model_facts import Fact, Mistake, ModelFacts, Recalled
    from lib.performance import ModelReport, Note
    from lib.web.words import Words

# What the first words of model.json on how numbers are kept hold, in lower case.
PRECISIONS = (
    (("none", "float32"), N_("32 bits for each number, as it was trained")),
    (("float16", "fp16"), N_("16 bits for each number instead of 32, which halves its size")),
    (("int4", "4-bit"), N_("4 bits for each number instead of 32, which makes it much smaller")),
    (("int8", "8-bit"), N_("8 bits for each number instead of 32, which makes it smaller")),
)
# By the levels of the label rule, the surest first.
LEVELS = {
    "species": N_("a species"),
    "genus": N_("the genus only"),
    "family": N_("the family only"),
    "unknown": N_("nothing: it was not sure"),
}
TOPS = {
    "top_1": N_("Right with its likeliest name"),
    "top_3": N_("Right among its three likeliest"),
    "top_5": N_("Right among its five likeliest"),
}
# How far confidences are off, by the name in metrics.json: of what photos are shown with, where that is told.
ERRORS = ("calibration_error.with_in_domain_probability", "calibration_error.after", "calibration_error")
SURER = N_(
    "It is surer than it should be: on average %(sure)s sure, and right for %(right)s of %(plants)s "
    "(%(interval)s)."
)
CAREFUL = N_(
    "It is more careful than it need be: on average %(sure)s sure, and right for %(right)s of %(plants)s "
    "(%(interval)s)."
)
FITTING = N_(
    "How sure it is fits how often it is right, as far as %(plants)s can tell: on average %(sure)s sure, "
    "and right for %(right)s (%(interval)s)."
)
# By the kinds of lib.performance.NOTES.
NOTES = {
    "selection": N_(
        "People choose which photos they name, often those that are easy: the numbers are of these photos and not "
        "of all. For numbers of all, name a random choice of photos, the unsure ones included."
    ),
    "anchoring": N_(
        "Whoever confirms a name has read the model’s answer first, which draws doubtful plants to it. The "
        "corrected ones, and those named before its answer, are the severer judges."
    ),
    "few": N_("There are fewer than %(plants)s plants: read the intervals rather than the values."),
    "unlisted": N_(
        "A model that is not the one in use, or whose version is not on record, has no list of species here: a "
        "species that it could not know counts as its mistake."
    ),
    "masked": N_(
        "Some answers were limited to a regional list, so that no species beyond it could be named; both kinds are "
        "told apart below the shares."
    ),
    "unseen": N_(
        "Some photos were named before this model looked at them: if it was trained on these, its numbers are too "
        "good."
    ),
}
MANY = 500  # plants or photos, from which on the tenths of a per cent tell something
MISTAKES_SHOWN = 50  # of the test, as many as of confirmed photos
_ROUNDING = 1e-9


def precision_words(text: str, say: Words) -> str:
    """How a model's numbers are kept; empty where the text is of none of the known kinds."""
    kind = re.split("[(;]", text.lower())[0]  # behind these stand the details, and what was added later
    for marks, words in PRECISIONS:
        if any(mark in kind for mark in marks):
            return say.gettext(words)
    return ""


def web_address(text: str | None) -> str:
    """`text` when it is nothing but an address of the web that is safe to link to; empty otherwise."""
    if not text or not text.isprintable() or any(letter in text for letter in " \\\"'<>"):
        return ""
    try:
        parts = urlsplit(text)
        safe = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # such as a bracket that is not closed
        return ""
    return text if safe else ""


def shown_name(model: ModelReport, say: Words) -> str:
    """A model with its version, or that this is not on record."""
    if model.model_version:
        return f"{model.model_name} {model.model_version}"
    return say.gettext("%(name)s (version not on record)", name=model.model_name)


def measured(share: Share, say: Words) -> tuple[str, str]:
    """A share and its interval, in words; a dash and nothing where it is of none."""
    return _share_words(share.value, share.low, share.high, share.n, say)


def tested(share: Recalled, say: Words) -> tuple[str, str]:
    """The same of the makers' test photos; the interval is empty where they do not tell it."""
    return _share_words(share.share, share.low, share.high, share.photos, say)


def counted(right: int, of: int, say: Words) -> tuple[str, str]:
    """The same of so many right ones of so many."""
    return _share_words(right / of if of else None, *wilson(right, of), of, say)


def rule_rows(rule: Sequence[RuleLevel], say: Words) -> list[tuple[str, str, str, str, str]]:
    """What the label rule gave: its words, plants, how many of these were right, the share and its interval."""
    rows = []
    for level in rule:
        right, (share, between) = "–", ("–", "")
        if level.right is not None and level.n:
            right, (share, between) = say.number(level.right), counted(level.right, level.n, say)
        rows.append((say.gettext(LEVELS[level.level]), say.number(level.n), right, share, between))
    return rows


def calibration_words(calibration: Calibration, say: Words) -> list[str]:
    """Whether the confidence can be believed on the whole, and where most answers are; nothing without answers."""
    sure, right, plants = calibration.confidence, calibration.right, calibration.n
    if sure is None or right is None:
        return []
    low, high = wilson(round(right * plants), plants)
    verdict = SURER if sure > high + _ROUNDING else CAREFUL if sure < low - _ROUNDING else FITTING
    most = max(calibration.bins, key=lambda each: each.n)
    share, between = counted(right_in(most), most.n, say)
    return [
        say.gettext(
            verdict,
            sure=say.percent(sure),
            right=say.percent(right),
            plants=say.plants(plants),
            interval=f"{say.percent(low)}–{say.percent(high)}",
        ),
        say.gettext(
            "Where it says %(low)s to %(high)s, it is right for %(right)s of %(plants)s (%(interval)s).",
            low=say.percent(most.low),
            high=say.percent(most.high),
            right=share,
            plants=say.plants(most.n),
            interval=between,
        ),
    ]


def risk_words(curve: RiskCoverage, say: Words) -> str:
    """How many plants can be left to the model when one in twenty may be wrong; empty without answers."""
    found = next((each for each in curve.at_risk if each.risk == 0.05), None)
    if found is None:
        return ""
    risk = say.percent(found.risk)
    if not found.coverage:
        return say.gettext(
            "If at most %(risk)s may be wrong, none of these plants can be left to it.", risk=risk
        )
    return say.gettext(
        "If at most %(risk)s may be wrong, %(share)s of these plants can be left to it: those of which it is "
        "%(sure)s sure or more.",
        risk=risk,
        share=say.percent(found.coverage),
        sure=threshold_words(found, say),
    )


def threshold_words(found: AtRisk, say: Words) -> str:
    """The confidence from which on answers are let stand; a dash where none are."""
    return say.percent(found.threshold, 1)


def recall_rows(recall: Sequence[Recall], say: Words) -> list[tuple[str, int, str, str]]:
    """Of each species how many plants there were, the share that was named so, and its interval."""
    return [
        (each.species, each.n, *_share_words(each.value, each.low, each.high, each.n, say)) for each in recall
    ]


def tested_rows(recalled: Mapping[str, Recalled], say: Words) -> list[tuple[str, int, str, str]]:
    """The same of the makers' test photos, the species that it knows worst first."""
    worst = sorted(recalled.items(), key=lambda item: (item[1].share, item[0]))
    return [(name, each.photos, *tested(each, say)) for name, each in worst]


def mistake_rows(confusions: Sequence[Confusion]) -> list[tuple[str, str, int]]:
    """What it was, what it was named as, and how many plants."""
    return [(each.true, each.named, each.count) for each in confusions]


def tested_mistakes(mistakes: Sequence[Mistake]) -> list[tuple[str, str, int]]:
    """The same of the makers' test photos, the most frequent first."""
    rows = [(each.true, each.named, each.photos) for each in mistakes]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))[:MISTAKES_SHOWN]


def seconds_words(seconds: float | None, say: Words) -> str:
    """A duration of which a person has a notion; a dash where it is not known."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return say.gettext("%(number)s ms", number=say.number(seconds * 1000))
    return say.gettext("%(number)s s", number=say.number(seconds, 1))


def megabytes(count: int, say: Words) -> str:
    """So many bytes of memory."""
    return say.gettext("%(number)s MB", number=say.number(count / 1_000_000))


def makers_error(facts: ModelFacts) -> float | None:
    """How far the confidence was off on the makers' test photos, 0 to 1; None where they do not say."""
    measured = facts.measured or {}
    return next((found for name in ERRORS if (found := _share(measured.get(name))) is not None), None)


def agreement(facts: ModelFacts) -> tuple[float, int] | None:
    """The share of pictures with the same likeliest species as the model it was converted from, and how many."""
    parity = facts.parity or {}
    share, pictures = _share(parity.get("shipped.top1")), parity.get("shipped.photos")
    if share is None or not isinstance(pictures, int) or pictures <= 0:
        return None
    return share, pictures


def notes_words(notes: Sequence[Note], say: Words) -> list[str]:
    """What a reader has to know."""
    return [say.gettext(NOTES[note.kind], plants=say.number(ENOUGH_PLANTS)) for note in notes]


def _share_words(
    share: float | None, low: float | None, high: float | None, of: int, say: Words
) -> tuple[str, str]:
    decimals = 1 if of >= MANY else 0
    known = of and low is not None and high is not None
    interval = f"{say.percent(low, decimals)}–{say.percent(high, decimals)}" if known else ""
    return say.percent(share, decimals), interval


def _share(value: Fact) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and value is not None and 0 <= float(value) <= 1 else None
