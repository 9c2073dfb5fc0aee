"""The name of a plant that a person typed: taken when it is known, and when it is not only after a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib import plant_names
from lib.labels import HumanLabel, human_label
from lib.problems import Problem
from lib.web.words import N_

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from lib.web.forms import Typed

LONGEST_LABEL = 200
FIELD = "label"
AS_WRITTEN = "as_written"  # the button that says: no slip, take this name although nobody knows it
UNREADABLE = N_(
    "No plant is known by this name. Write it in Latin, in English or in Japanese, such as Stellaria media."
)
UNKNOWN_NAME = N_("No plant is known by this name. Nothing was changed yet: is it a slip of the pen?")
# What is offered for a name that reads like one, by the level that it would have.
OFFERS = {
    "species": N_("Save as the species %(name)s"),
    "genus": N_("Save as the genus %(name)s"),
    "family": N_("Save as the family %(name)s"),
}


def read(form: Typed, model_dir: Path, seen: Collection[str] = ()) -> HumanLabel | None:
    """The label in the field `label`; None, with the words beside the field, where it holds none.

    A name that neither the model nor the table of plants has would be counted as one more species: it is taken only
    when the form says so with `as_written`, or when it is one of `seen`, which the page itself has shown.
    """
    text = form.line(FIELD, LONGEST_LABEL)
    if not form.good:
        return None
    label = _label(text, model_dir)
    if label is None:
        form.refuse(FIELD, form.say.gettext(UNREADABLE))
    elif not label.known and label.name not in (form.value(AS_WRITTEN), *seen):
        form.refuse(FIELD, form.say.gettext(UNKNOWN_NAME))
        return None
    return label


def offer(form: Typed, model_dir: Path) -> tuple[str, str] | None:
    """For a name that was refused because nobody knows it: the value of the button that takes it all the same, and
    its words. None for what reads like no name.
    """
    text = form.value(FIELD)
    label = _label(text, model_dir) if form.error(FIELD) and len(text) <= LONGEST_LABEL else None
    if label is None or label.known:
        return None
    return label.name, form.say.gettext(OFFERS[label.level], name=label.name)


def _label(text: str, model_dir: Path) -> HumanLabel | None:
    try:
        label = human_label(text, model_dir)
    except Problem:
        label = None
    if label is not None and label.known:
        return label
    # In hiragana, in half-width kana, without an accent: no slip, but no name as the table has it either.
    plant = plant_names.known_plant(text, model_dir)
    return human_label(plant.name, model_dir) if plant is not None else label
