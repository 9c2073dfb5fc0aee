"""What became of each photo that was sent, in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lib.photos.identify import MAX_BYTES
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


DAY_WRONG = N_(
    "The day must be written as year-month-day, such as 2025-08-24, and lie between 1990 and today. "
    "Nothing was sent."
)
SESSION_GONE = N_("The session is not there any more. Choose another one and send again.")
# Why sending pauses, said by the script while it waits to go on by itself.
TROUBLES = {
    "offline": N_(
        "You are offline. The photos wait here and go on by themselves when the connection is back: "
        "keep this page open."
    ),
    "lost": N_(
        "The server cannot be reached: it is waking up, or the connection is gone. Sending goes on by itself: "
        "keep this page open."
    ),
    "waking": N_("The server is waking up. Sending goes on by itself: keep this page open."),
    "busy": N_("The server is busy. Sending goes on by itself: keep this page open."),
    "storage": N_("The server cannot keep photos just now. Sending goes on by itself: keep this page open."),
    "portal": N_(
        "Something else answered in the server's place. Perhaps this network wants you to sign in first; "
        "sending goes on by itself after that."
    ),
    "error": N_("Something went wrong on the server. It is tried again by itself: keep this page open."),
}
# What the script can tell of a file before it is sent; the server looks closer.
BEFORE_SENDING = ("photo-empty", "photo-too-large", "photo-unsupported")


@dataclass(frozen=True, slots=True)
class Told:
    """One file's line: `scientific` when the label is a name, `closest` when the species is not clear.

    `photo_id` leads to the photo's page, None where the reader may not see it; `is_species` when the label has a
    page of its own; `unsure` when a person should look at the name.
    """

    filename: str
    status: str
    status_words: str
    photo_id: int | None = None
    label: str = ""
    scientific: bool = False
    is_species: bool = False
    unsure: bool = False
    common_name: str = ""
    sure: str = ""
    confidence: str = ""
    closest: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def tell(outcome: Outcome, say: Words, guest: bool = False) -> Told:
    """The line of one file; a guest's leads nowhere."""
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
        photo_id=None if guest else photo.id,
        label=say.label(photo.label),
        scientific=scientific,
        is_species=level == "species",
        unsure=photo.label_source == "model" and level != "species",
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
    """The texts that the upload script shows, so that it says the same as the page without it.

    The script fills what stands in braces.
    """
    return {
        "status": {status: say.gettext(words) for status, words in STATUS_WORDS.items()},
        "picked": say.gettext("Not sent yet"),
        "waiting": say.gettext("Waiting"),
        "sending": say.gettext("Sending: {percent}%"),
        "naming": say.gettext("Looking for the name …"),
        "failed": say.gettext("Not sent. It can be sent again."),
        "progress": say.gettext("Sent of {filename}"),
        "send": say.gettext("Send"),
        "send_one": say.gettext("Send 1 photo ({size})"),
        "send_many": say.gettext("Send {count} photos ({size})"),
        "choose": say.gettext("Choose at least one photo."),
        "remove": say.gettext("Remove"),
        "remove_which": say.gettext("Remove {filename}"),
        "removed": say.gettext("{filename} is not sent."),
        "listed": say.gettext("{count} photos are in the list."),
        "listed_one": say.gettext("1 photo is in the list."),
        "twice": say.gettext("{filename} is in the list already."),
        "counted": say.gettext("{done} of {all} files are done."),
        "ended": [
            say.gettext("Taken: {count}"),
            say.gettext("Already there: {count}"),
            say.gettext("Not taken: {count}"),
            say.gettext("Not sent: {count}"),
        ],
        "troubles": {kind: say.gettext(words) for kind, words in TROUBLES.items()},
        "signed_out": say.gettext(
            "You are signed out. Your photos stay in this list: sign in in a new tab and come back, "
            "then they go on."
        ),
        "read_only": say.gettext("The key of this browser may only read, so it sends no photos."),
        "gone": say.gettext("The file cannot be read any more: it was moved or changed. Choose it again."),
        "session_gone": say.gettext(SESSION_GONE),
        "day_wrong": say.gettext(DAY_WRONG),
        "before": {kind: say.gettext(PROBLEM_KINDS[kind].meaning) for kind in BEFORE_SENDING},
        "closest": say.gettext("closest: {species}"),
        "confirm": say.gettext("Confirm"),
        "confirm_which": say.gettext("Confirm: {filename} is {species}"),
        "confirmed": say.gettext("Confirmed: {filename}"),
        "not_confirmed": say.gettext("That did not work. Open the photo to confirm its name."),
        "not_right": say.gettext("Not right?"),
        "not_right_which": say.gettext("Not right? Correct {filename}"),
        "open": say.gettext("Open the photo"),
        "open_which": say.gettext("Open the photo {filename}"),
        "human": say.gettext("named by a person"),
        "very_sure": say.confidence(1.0, "species"),
        "levels": {level: say.confidence(0.0, level) for level in ("species", "genus", "family", "unknown")},
        "labels": {label: say.label(label) for label in ("unknown", "not_a_plant")},
        "unlabelled": say.label(None),
        "metrics": {
            metric: say.metric(metric) for metric in ("total_images", "species_richness", "shannon_diversity")
        },
        "too_few": say.gettext("too few photos to compare"),
        "day_before": say.gettext("before"),
        "day_now": say.gettext("now"),
        "low_resolution": say.gettext(LOW_RESOLUTION),
        "from_a_list": say.gettext(FROM_A_LIST),
        "day_guessed": say.gettext(DAY_GUESSED),
        "refusals": {}
        if say.language == "en"
        else {kind: say.gettext(PROBLEM_KINDS[kind].meaning) for kind in OF_UPLOADS},
        "most_bytes": MAX_BYTES,
    }
