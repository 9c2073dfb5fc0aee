"""The benchmark of the reference set counts every value once, and says what it did not compare."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts import bench
from scripts.benchmarks import reference
from tests.lib.diversity.reference import families

SMALL_SET: dict[str, Any] = {
    "counts": {"values": 5},
    "cases": [
        {
            "id": "three",
            "counts": [2, 1, 1],
            "n": 4,
            "s_obs": 3,
            "f1": 2,
            "f2": 1,
            "flags": [],
            "ref": {
                "richness": {"vegan@2::specnumber": 3.0, "skbio@0::sobs": 4.0},
                "simpson": {"vegan@2::diversity": 0.625, "skbio@0::simpson": "NaN"},
                "heip": {"skbio@0::heip_e": 0.9},
            },
        }
    ],
    "pairs": [],
    "multisite": [],
    "incidence": [],
    "temporal": [],
}


def test_it_counts_every_value_and_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(families, "load", lambda: SMALL_SET)
    assert bench.main(["reference"]) == 0
    *words, line = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["compared"], found["wrong"], found["left_out"], found["not_compared"]) == (3, 1, 1, 1)
    assert found["families"]["cases richness"]["worst"] == pytest.approx(0.25)
    assert found["families"]["cases simpson"]["left_out"] == {families.NO_NUMBER: 1}
    assert found["families_not_compared"]["cases heip"]["values"] == 1
    assert "Of 5 reference values 3 are compared, 1 too far off" in words[0]
    assert any("Heip" in each and "cases heip" in each for each in words)


def test_it_says_where_it_looked_for_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVERSITY_REFERENCE", "/nowhere")
    with pytest.raises(SystemExit, match=r"/nowhere/golden\.json\.gz"):
        reference.measure()
