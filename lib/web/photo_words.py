"""What is told of one photo, in the reader's words: how sure its name is, how good it is, and who named it what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Literal

from lib.store.records import LEAST_UNITS, MINIMUM_COVERAGE, MINIMUM_UNITS, DayRow, Photo
from lib.web.words import N_, VERY_SURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lib.web.words import Words

State = Literal["unsure", "sure", "confirmed", "not_a_plant", "waiting", "failed"]
# What the list of photos can be held to.
STATES: dict[State, str] = {
    "unsure": N_("The model is unsure"),
    "sure": N_("The model is sure"),
    "confirmed": N_("Named by a person"),
    "not_a_plant": N_("Not a plant"),
    "waiting": N_("Waiting for a name"),
    "failed": N_("Could not be named"),
}
# How likely one of several guesses is; the first that it reaches.
LIKELY = (
    (VERY_SURE, N_("very likely")),
    (0.7, N_("likely")),
    (0.2, N_("possible")),
    (0.0, N_("unlikely")),
)
# Where the day of a photo comes from (`date_source`).
DAY_SOURCES = {
    "exif_offset": N_("from the camera's clock"),
    "exif_local": N_("from the camera's clock"),
    "form": N_("given when it was sent"),
    "today": N_("the day on which it was sent, because the photo does not say when it was taken"),
    "human": N_("changed by a person"),
}
# As lib.photos.quality measures them: sharpness is the variance of the Laplacian at a short side of 256 pixels.
BLURRED, SOFT = 50.0, 200.0
DARK, BRIGHT = 60.0, 195.0  # of 255
FLAT = 20.0
WELL_EXPOSED, BADLY_EXPOSED = 0.95, 0.8
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Guess:
    """One of the species that the model thinks likeliest. `level` is that of `name`."""

    name: str
    level: str
    words: str
    confidence: float


def guesses(photo: Photo, say: Words) -> list[Guess]:
    """What the model said, likeliest first."""
    found = photo.prediction.predictions if photo.prediction else ()
    return [
        Guess(
            each["species"],
            each.get("taxonomic_level", "species"),
            likelihood(each["confidence"], say),
            each["confidence"],
        )
        for each in found
    ]


def likelihood(confidence: float, say: Words) -> str:
    """How likely a guess is, in words."""
    return say.gettext(next(words for least, words in LIKELY if confidence >= least))


def sureness(photo: Photo, say: Words) -> str:
    """How sure the name of a photo is, and who says so; a number only where it is the name's own."""
    if photo.label_source == "human":
        return say.gettext("named by a person")
    if photo.label is None:
        if photo.is_processed:
            return say.gettext("the model could not look at it")
        return say.gettext("the model has not looked at it yet")
    if photo.prediction is None:
        return say.gettext("named by the model")
    confidence = photo.prediction.top_prediction_confidence
    words = say.confidence(confidence, photo.label_level or "")
    return f"{words} · {say.percent(confidence)}" if photo.label_level == "species" else words


@dataclass(frozen=True, slots=True)
class Judged:
    """One measure of a photo: what it is, its value, what that means, and whether it makes the name doubtful."""

    name: str
    value: str
    words: str
    doubtful: bool = False


def quality(photo: Photo, say: Words) -> list[Judged]:
    """How usable the photo is for naming plants; what was never measured is left out."""
    size = say.gettext("%(width)s × %(height)s pixels", width=photo.width, height=photo.height)
    found = [
        Judged(
            say.gettext("Size"),
            size,
            say.gettext("small, so its name is less certain")
            if photo.low_resolution
            else say.gettext("large enough"),
            photo.low_resolution,
        )
    ]
    blur, exposure = photo.blur_score, photo.exposure_score
    if blur is not None:
        blurred = blur < BLURRED and not photo.low_resolution
        if blur < SOFT and photo.low_resolution:
            words = say.gettext("soft, because the photo is small")
        elif blurred:
            words = say.gettext("blurred: hold still, or step back from the plant")
        elif blur < SOFT:
            words = say.gettext("somewhat soft")
        else:
            words = say.gettext("sharp")
        found.append(Judged(say.gettext("Sharpness"), say.number(blur), words, blurred))
    if exposure is not None:
        if exposure >= WELL_EXPOSED:
            words = say.gettext("hardly anything is lost in shadow or glare")
        elif exposure >= BADLY_EXPOSED:
            words = say.gettext("some of it is lost in shadow or glare")
        else:
            words = say.gettext("much of it is black or white")
        value = say.percent(exposure)
        found.append(Judged(say.gettext("Exposure"), value, words, exposure < BADLY_EXPOSED))
    if photo.brightness_mean is not None:
        bright = photo.brightness_mean
        if bright < DARK:
            words = say.gettext("dark")
        elif bright > BRIGHT:
            words = say.gettext("very bright")
        else:
            words = say.gettext("neither dark nor glaring")
        value = say.gettext("%(value)s of 255", value=say.number(bright))
        found.append(Judged(say.gettext("Brightness"), value, words, not DARK <= bright <= BRIGHT))
    if photo.contrast_std is not None:
        flat = photo.contrast_std < FLAT
        words = say.gettext("flat: the plant hardly stands out") if flat else say.gettext("enough")
        found.append(Judged(say.gettext("Contrast"), say.number(photo.contrast_std), words, flat))
    return found


def size_of(photo: Photo, say: Words) -> str:
    """How large the file is."""
    if photo.file_size_bytes < MEGABYTE / 10:
        return say.gettext("%(size)s kB", size=say.number(max(photo.file_size_bytes / 1000, 1)))
    return say.gettext("%(size)s MB", size=say.number(photo.file_size_bytes / MEGABYTE, 1))


def moment(at: datetime, zone: tzinfo, say: Words) -> str:
    """An instant as a date and a time of day at the site."""
    local = at.astimezone(zone)
    return say.gettext("%(day)s, %(time)s", day=say.day(local.date()), time=f"{local:%H:%M}")


@dataclass(frozen=True, slots=True)
class Naming:
    """One change of a photo's name: when, by whom, and from what to what; `old` is None for the first name."""

    when: str
    who: str
    old: str | None
    old_level: str
    new: str | None
    new_level: str

    @property
    def confirmed(self) -> bool:
        """Whether a person said that the name is right."""
        return self.old is not None and (self.old, self.old_level) == (self.new, self.new_level)


def namings(photo: Photo, zone: tzinfo, say: Words) -> list[Naming]:
    """How the photo came to its name, the newest change first.

    The history keeps what stood before each change of a person. What the model said first has no entry of its
    own; it is told with the time of its newest look.
    """
    states = [(each["label"], each["level"], each["source"]) for each in photo.label_history]
    states.append((photo.label, photo.label_level, photo.label_source))
    found = []
    first = states[0]
    if first[2] == "model" and first[0] is not None:
        prediction = photo.prediction
        who = (
            say.gettext("the model %(name)s", name=_model(photo)) if prediction else say.gettext("the model")
        )
        when = moment(prediction.timestamp, zone, say) if prediction else ""
        found.append(Naming(when, who, None, "", first[0], first[1] or ""))
    for number, change in enumerate(photo.label_history):
        old, new = states[number], states[number + 1]
        found.append(
            Naming(
                _when(change.get("at"), zone, say),
                say.gettext("a person"),
                old[0],
                old[1] or "",
                new[0],
                new[1] or "",
            )
        )
    return found[::-1]


def _model(photo: Photo) -> str:
    prediction = photo.prediction
    assert prediction is not None
    return " ".join(filter(None, (prediction.model_name, prediction.model_version)))


def _when(at: Any, zone: tzinfo, say: Words) -> str:
    try:
        return moment(datetime.fromisoformat(at), zone, say)
    except (TypeError, ValueError):
        return ""


# What a page that a change leads to is told of the days before: dates and numbers, as `?was=`.
_WAS = re.compile(r"(\d{4}-\d{2}-\d{2})(?:_(\d{1,9})_(\d{1,9})_(-|\d{1,3}\.\d{1,4}))?", re.ASCII)
_MOST_WAS = 4


@dataclass(frozen=True, slots=True)
class Before:
    """A day before a change; all but the date is None for a day that had no photos.

    `shannon_diversity` is None too on a day with too few photos to compare.
    """

    date: date
    total_images: int | None = None
    species_richness: int | None = None
    shannon_diversity: float | None = None


def before_of(day: date, row: DayRow | None) -> Before:
    """What is worth telling of a day's row when the day has changed."""
    if row is None:
        return Before(day)
    comparable = row.effort == "ok"
    return Before(day, row.total_images, row.species_richness, row.shannon_diversity if comparable else None)


def write_before(days: Iterable[Before]) -> str:
    """These days for an address."""
    return "~".join(
        f"{each.date}"
        if each.total_images is None
        else f"{each.date}_{each.total_images}_{each.species_richness}_"
        f"{'-' if each.shannon_diversity is None else format(each.shannon_diversity, '.4f')}"
        for each in days
    )


def read_before(text: str) -> Sequence[Before]:
    """What `write_before` wrote; nothing for what it never wrote, as addresses can be typed."""
    found = []
    for part in text.split("~")[:_MOST_WAS]:
        match = _WAS.fullmatch(part)
        if match is None:
            return ()
        try:
            day = date.fromisoformat(match[1])
        except ValueError:
            return ()
        if match[2] is None:
            found.append(Before(day))
        else:
            shannon = None if match[4] == "-" else float(match[4])
            found.append(Before(day, int(match[2]), int(match[3]), shannon))
    return found


def effort_words(row: DayRow, say: Words) -> str:
    """Why a day cannot be compared with others; empty where it can."""
    if row.effort == "ok":
        return ""
    if row.plants < LEAST_UNITS:
        return say.gettext("No plant of a known species was found in the photos.")
    if row.plants < MINIMUM_UNITS:
        # Expected numbers are broken; what is too little is not rounded up to enough.
        plants = min(round(row.plants, 1), MINIMUM_UNITS - 0.1)
        if plants == 1:
            return say.gettext(
                "Only one plant could be counted; a day needs at least %(least)s to be compared with others.",
                least=say.number(MINIMUM_UNITS),
            )
        return say.gettext(
            "Only %(plants)s plants could be counted; a day needs at least %(least)s to be compared with others.",
            plants=say.number(plants, 0 if float(plants).is_integer() else 1),
            least=say.number(MINIMUM_UNITS),
        )
    return say.gettext(
        "The species found make up an estimated %(coverage)s of the plants there; a day needs at least %(least)s "
        "to be compared with others. More photos would help.",
        coverage=say.percent(min(row.coverage_estimate or 0.0, MINIMUM_COVERAGE - 0.01)),
        least=say.percent(MINIMUM_COVERAGE),
    )
