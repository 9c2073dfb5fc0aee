"""The name of a plant that a person typed into a form."""

from __future__ import annotations

import pytest

from lib.config import STARTER_MODEL
from lib.labels import HumanLabel
from lib.web import typed_name
from lib.web.forms import Typed
from lib.web.words import Words


def typed(**given: str) -> Typed:
    return Typed(Words("en"), given)


@pytest.mark.parametrize("text", ["Stellaria media", "common chickweed", "コハコベ", "こはこべ", "ｺﾊｺﾍﾞ"])
def test_a_known_name_is_taken_in_every_spelling(text: str) -> None:
    form = typed(label=text)
    assert typed_name.read(form, STARTER_MODEL) == HumanLabel("Stellaria media", "species")
    assert form.good
    assert typed_name.offer(form, STARTER_MODEL) is None


def test_a_name_that_nobody_knows_is_taken_with_consent_only() -> None:
    form = typed(label="  nomen  novum ")
    assert typed_name.read(form, STARTER_MODEL) is None
    assert form.error("label").startswith("No plant is known by this name. Nothing was changed yet")
    assert typed_name.offer(form, STARTER_MODEL) == ("Nomen novum", "Save as the species Nomen novum")
    consent = typed(label="  nomen  novum ", as_written="Nomen novum")
    assert typed_name.read(consent, STARTER_MODEL) == HumanLabel("Nomen novum", "species")
    other = typed(label="nomen nudum", as_written="Nomen novum")
    assert typed_name.read(other, STARTER_MODEL) is None


def test_what_the_page_itself_has_shown_needs_no_consent() -> None:
    assert typed_name.read(typed(label="Nomen novum"), STARTER_MODEL, ["Nomen novum"]) is not None


@pytest.mark.parametrize("text", ["", "<b>", "???", "x" * 201])
def test_what_reads_like_no_name_is_refused_without_an_offer(text: str) -> None:
    form = typed(label=text)
    assert typed_name.read(form, STARTER_MODEL) is None
    assert form.error("label")
    assert typed_name.offer(form, STARTER_MODEL) is None
