"""What became of each photo that was sent, in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lib.web.problem_kinds import OF_UPLOADS, PROBLEM_KINDS
from lib.web.words import N_, Words

if TYPE_CHECKING:
    from lib.intake import Outcome
    from lib.problems import Problem

STATUS_WORDS = {
    "created": N_("Taken"),
    "duplicate": N_("Already there"),
    "rejected": N_("Not taken"),
}
LOW_RESOLUTION = N_("The photo is small, so its name is less certain.")
FROM_A_LIST = N_("The name was chosen from a list of the region's plants.")
DAY_GUESSED = N_("The photo does not say when it was taken; it counts for today.")


@dataclass(frozen=True, slots=True)
class Told:
    """One file's line: `scientific` when the label is a name, `closest` when the species is not clear."""

    filename: str
    status: str
    status_words: str
    label: str = ""
    scientific: bool = False
    common_name: str = ""
    sure: str = ""
    confidence: str = ""
    closest: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def tell(outcome: Outcome, say: Words) -> Told:
    """The line of one file."""
    problem = refusal(outcome.problem, say) if outcome.problem else ""
    status_words = say.gettext(STATUS_WORDS[outcome.status])
    photo = outcome.photo
    if photo is None:
        return Told(outcome.filename, outcome.status, status_words, problem=problem)
    level = photo.label_level or ""
    scientific = level in ("species", "genus", "family")
    prediction = photo.prediction
    confidence = closest = sure = ""
    if photo.label_source == "human":
        sure = say.gettext("named by a person")
    elif prediction is not None:
        confidence = say.percent(prediction.top_prediction_confidence)
        sure = say.confidence(prediction.top_prediction_confidence, level)
        closest = prediction.top_prediction_species if level != "species" else ""
    notes = []
    if photo.low_resolution:
        notes.append(say.gettext(LOW_RESOLUTION))
    if prediction is not None and prediction.masked and photo.label_source != "human":
        notes.append(say.gettext(FROM_A_LIST))
    if photo.date_source == "today":
        notes.append(say.gettext(DAY_GUESSED))
    return Told(
        outcome.filename,
        outcome.status,
        status_words,
        label=say.label(photo.label),
        scientific=scientific,
        common_name=say.common_name(photo.label) if scientific and photo.label else "",
        sure=sure,
        confidence=confidence,
        closest=closest,
        notes=tuple(notes),
        problem=problem,
    )


def refusal(problem: Problem, say: Words) -> str:
    """Why a file was not taken. The problem's own text is the more exact one, but it is in English."""
    known = PROBLEM_KINDS.get(problem.kind)
    if say.language == "en" or known is None:
        return problem.detail or problem.title
    cause = PROBLEM_KINDS.get(problem.extensions.get("cause", ""))
    return " ".join(say.gettext(each.meaning) for each in (known, cause) if each)


def script_words(say: Words) -> dict[str, Any]:
    """The texts that the upload script shows, so that it says the same as the page without it."""
    return {
        "status": {status: say.gettext(words) for status, words in STATUS_WORDS.items()},
        "waiting": say.gettext("Waiting"),
        "sending": say.gettext("Sending: {percent}%"),
        "naming": say.gettext("Looking for the name …"),
        "failed": say.gettext("Not sent: the connection or the server failed. It can be sent again."),
        "progress": say.gettext("Sent of {filename}"),
        "counted": say.gettext("{done} of {all} files are done."),
        "closest": say.gettext("closest: {species}"),
        "day": say.gettext("Open {day} in the calendar"),
        "human": say.gettext("named by a person"),
        "very_sure": say.confidence(1.0, "species"),
        "levels": {level: say.confidence(0.0, level) for level in ("species", "genus", "family", "unknown")},
        "labels": {label: say.label(label) for label in ("unknown", "not_a_plant")},
        "unlabelled": say.label(None),
        "metrics": {metric: say.metric(metric) for metric in ("species_richness", "shannon_diversity")},
        "too_few": say.gettext("too few photos to compare"),
        "low_resolution": say.gettext(LOW_RESOLUTION),
        "from_a_list": say.gettext(FROM_A_LIST),
        "day_guessed": say.gettext(DAY_GUESSED),
        "refusals": {}
        if say.language == "en"
        else {kind: say.gettext(PROBLEM_KINDS[kind].meaning) for kind in OF_UPLOADS},
    }
