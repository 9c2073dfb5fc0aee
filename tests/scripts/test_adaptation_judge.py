"""The rule by which an adapted model replaces the old one, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lib.classifier.taxonomy import Taxon
from scripts.adaptation import judge
from scripts.adaptation.judge import Said

TAXA = [Taxon(name, name.split(" ")[0], "Poaceae") for name in ("Zea mays", "Poa annua", "Triticum aestivum")]


def said(answers: list[int], classes: int, sure: float = 0.9) -> Said:
    """A model that gives `sure` to these classes, and the rest to the others evenly."""
    probabilities = np.full((len(answers), classes), (1 - sure) / (classes - 1))
    probabilities[np.arange(len(answers)), answers] = sure
    return Said(probabilities, np.ones(len(answers)), TAXA[:classes])


def test_one_sided_p_is_the_binomial_tail() -> None:
    def tail(won: int, lost: int) -> float:
        n = won + lost
        return sum(math.comb(n, k) for k in range(won, n + 1)) / 2**n

    for won, lost in ((5, 0), (8, 2), (10, 1), (4, 0)):
        assert judge.one_sided(won, lost) == pytest.approx(tail(won, lost))
    assert judge.one_sided(3, 3) == 1
    assert judge.one_sided(0, 0) == 1
    assert judge.one_sided(1, 9) > 0.9


def test_clearly_more_right_is_better_and_a_few_more_are_not() -> None:
    labels = np.array([0, 1] * 10)
    right, wrong = labels.tolist(), (1 - labels).tolist()
    five, four = wrong[:5] + right[5:], wrong[:4] + right[4:]
    assert judge.verdict(said(five, 2), said(right, 2), labels).better
    found = judge.verdict(said(four, 2), said(right, 2), labels)
    assert not found.better
    assert "20 of 20 test photos rightly, the old one 16" in found.reasons[0]
    assert not judge.verdict(said(right, 2), said(right, 2), labels).better
    assert not judge.verdict(said(right, 2), said(five, 2), labels).better


def test_more_right_but_wildly_overconfident_is_refused() -> None:
    labels = np.array([0, 1] * 10)
    right = labels.tolist()
    old = said((1 - labels)[:8].tolist() + right[8:], 2, 0.55)
    new = said((1 - labels)[:2].tolist() + right[2:], 2, 1 - 1e-9)
    found = judge.verdict(old, new, labels)
    assert found.report["all"]["only_b"] == 6
    assert not found.better
    assert "log-loss" in found.reasons[0]


def test_a_species_that_the_old_model_lacks_counts_as_wrong_for_it_and_as_chance_in_its_log_loss() -> None:
    labels = np.array([2] * 8 + [0, 1] * 4)
    old = said([0] * 8 + [0, 1] * 4, 2)
    new = said(labels.tolist(), 3)
    found = judge.verdict(old, new, labels)
    assert found.better
    assert found.report["species_of_the_old_model"]["n"] == 8
    assert found.report["old"]["top_1"]["value"] == 0.5
    expected = (8 * math.log(2) - 8 * math.log(0.9)) / 16
    assert found.report["log_loss"]["old"] == pytest.approx(expected)
    assert found.report["recall"]["Triticum aestivum"]["old"]["value"] == 0


def test_new_species_do_not_make_up_for_old_ones_that_were_forgotten() -> None:
    labels = np.array([2] * 20 + [0] * 8)
    old = said([0] * 28, 2)
    new = said([2] * 20 + [1] * 6 + [0] * 2, 3)
    found = judge.verdict(old, new, labels)
    assert found.report["all"]["only_b"] == 20
    assert not found.better
    assert any("6 photos lost" in reason for reason in found.reasons)


def test_the_label_rule_is_reported_with_the_in_domain_probability() -> None:
    labels = np.array([0, 1, 0, 1])
    new = said([0, 1, 0, 1], 2)
    shut = Said(new.probabilities, np.full(4, 0.1), TAXA[:2])
    found = judge.verdict(said([1, 0, 1, 0], 2), shut, labels)
    assert found.report["new"]["named_as_a_species"]["value"] == 0
    assert found.report["old"]["named_as_a_species"]["value"] == 1
    assert found.report["old"]["of_these_right"]["value"] == 0
