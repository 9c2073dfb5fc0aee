"""The training command's own arithmetic, split and negatives; none of it needs torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.classifier import figures
from lib.classifier.taxonomy import Label, Taxon
from scripts.training import calibration, card, domain_fit, measure, negatives, photos, scores, strangers

ROOT = Path(__file__).resolve().parents[2]


def logits_of_truth(n: int, classes: int, sharpness: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(z), and the logits sharpness * z: a model whose right temperature is
    `sharpness`.
    """
    generator = np.random.default_rng(seed)
    z = generator.normal(0, 2, (n, classes))
    p = figures.softmax(z)
    labels = (p.cumsum(1) > generator.random((n, 1))).argmax(1)
    return z * sharpness, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_fitted_temperature_undoes_overconfidence(sharpness: float) -> None:
    logits, labels = logits_of_truth(20_000, 5, sharpness)
    assert measure.fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.05)


def test_calibration_error_falls_with_the_right_temperature_and_is_large_when_overconfident() -> None:
    logits, labels = logits_of_truth(20_000, 5, 3.0)
    before = figures.calibration_error(figures.softmax(logits), labels)
    after = figures.calibration_error(figures.softmax(logits, 3.0), labels)
    assert before > 0.1
    assert after < 0.02


def test_the_logistic_fit_finds_the_parameters_it_was_drawn_from() -> None:
    generator = np.random.default_rng(5)
    x = generator.normal([3.0, -1.0], [2.0, 0.1], (40_000, 2))
    p = 1 / (1 + np.exp(-(0.5 * x[:, 0] + 8.0 * x[:, 1] + 6.0)))
    intercept, coefficients = measure.fit_logistic(x, (generator.random(len(p)) < p).astype(float), ridge=0.0)
    assert intercept == pytest.approx(6.0, abs=0.4)
    assert coefficients == pytest.approx([0.5, 8.0], rel=0.06)


def test_the_logistic_fit_survives_perfect_separation() -> None:
    x = np.concatenate([np.full((50, 1), -1.0), np.full((50, 1), 1.0)])
    intercept, coefficients = measure.fit_logistic(x, np.repeat([0.0, 1.0], 50))
    p = measure.logistic(intercept, coefficients, x)
    assert np.isfinite(p).all()
    assert p[:50].max() < 0.1 < 0.9 < p[50:].min()


def test_auroc_by_hand() -> None:
    assert measure.auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert measure.auroc(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.5


def test_energy_and_similarity_are_what_the_runtime_computes() -> None:
    from lib.classifier import domain

    generator = np.random.default_rng(2)
    logits, embeddings = generator.normal(0, 30, (6, 12)), generator.random((6, 40), np.float32)
    directions = measure.prototypes(embeddings, np.array([0, 0, 1, 1, 2, 2]), 3)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1, abs=1e-6)
    for i in range(6):
        assert measure.energies(logits)[i] == pytest.approx(domain.energy(logits[i]))
        assert measure.similarities(embeddings, directions)[i] == pytest.approx(
            domain.similarity(embeddings[i], directions), abs=1e-6
        )


def make_photos(folder: Path, species: int, each: int) -> None:
    generator = np.random.default_rng(0)
    for s in range(species):
        (folder / f"Genus_species-{s}").mkdir(parents=True)
        for i in range(each):
            noise = generator.integers(0, 256, (150, 150, 3), np.uint8)
            Image.fromarray(noise).save(folder / f"Genus_species-{s}" / f"{i:03}.jpg")


def test_photos_are_read_in_name_order_with_species_from_folders(tmp_path: Path) -> None:
    make_photos(tmp_path, 2, 3)
    read = photos.load(tmp_path)
    assert read.pixels.shape == (6, 3, 150, 150)
    assert read.species == ["Genus species-0", "Genus species-1"]
    assert read.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert read.names[0] == "Genus_species-0/000.jpg"


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    make_photos(tmp_path, 2, 1)
    (tmp_path / "Zea_mays").mkdir()
    with pytest.raises(FileNotFoundError, match="Zea_mays"):
        photos.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        photos.load(tmp_path / "nowhere")


def smooth(seed: int) -> np.ndarray:
    """A photo-like smooth random picture (3, 150, 150)."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((150, 150), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def test_near_duplicates_are_one_group_and_other_photos_are_not() -> None:
    first = smooth(1)
    shifted = np.roll(first, 1, axis=2)
    brighter = np.clip(first.astype(int) + 12, 0, 255).astype(np.uint8)
    groups = photos.duplicate_groups(
        photos.fingerprints(np.stack([first, smooth(2), shifted, smooth(3), brighter]))
    )
    assert groups[0] == groups[2] == groups[4]
    assert len(set(groups.tolist())) == 3


def test_the_split_is_stratified_repeatable_and_keeps_groups_together() -> None:
    labels = np.repeat([0, 1, 2], [200, 60, 40])
    groups = np.arange(300)
    groups[10:16] = 10
    groups[250:253] = 250
    side = photos.split(labels, groups, seed=7)
    assert len(set(side[10:16])) == 1
    assert len(set(side[250:253])) == 1
    for species in range(3):
        own = side[labels == species]
        assert np.bincount(own, minlength=3) / len(own) == pytest.approx([0.7, 0.15, 0.15], abs=0.04)
    assert (photos.split(labels, groups, seed=7) == side).all()
    assert (photos.split(labels, groups, seed=8) != side).any()


def test_negatives_come_from_their_seed_alone_and_in_every_kind() -> None:
    pixels = np.stack([smooth(i) for i in range(8)])
    labels = np.arange(8) % 3
    made, kinds = negatives.make(pixels, labels, 18, seed=4)
    again, _ = negatives.make(pixels, labels, 18, seed=4)
    other, _ = negatives.make(pixels, labels, 18, seed=5)
    assert made.dtype == np.uint8
    assert made.shape == (18, 3, 150, 150)
    assert set(kinds) == {*negatives.KINDS, "blend"}
    assert (made == again).all()
    assert (made != other).any()
    assert not any((made == photo).all((1, 2, 3)).any() for photo in pixels)


def test_soil_is_cut_where_there_is_no_green() -> None:
    photo = np.full((1, 150, 150, 3), (120, 90, 70), np.uint8)
    photo[:, :, :110] = (60, 160, 40)
    photo[:, 100:, 90:] = (120, 90, 70)
    crop = negatives.soil(photo, np.random.default_rng(0))
    assert crop.shape == (150, 150, 3)
    assert (np.abs(crop.astype(int) - (120, 90, 70)).max(-1) < 12).mean() > 0.9


def test_without_the_training_packages_the_command_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch')")
    done = subprocess.run(
        [sys.executable, "scripts/train_classifier.py", "--photos", str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "make train" in done.stderr
    assert "Traceback" not in done.stderr


def fake_outputs(seed: int, n: int, energy: float, similarity: float) -> domain_fit.Outputs:
    generator = np.random.default_rng(seed)
    return domain_fit.Outputs(
        generator.normal(0, 3, (n, 3)),
        generator.normal(energy, 1.0, n),
        generator.normal(similarity, 0.05, n),
        generator.normal(similarity, 0.05, n),
    )


def test_the_gate_tells_known_photos_from_strangers_and_weighs_strangers_by_species() -> None:
    known, near, far = (
        fake_outputs(1, 300, 6, 0.8),
        fake_outputs(2, 200, 3, 0.6),
        fake_outputs(3, 100, -4, 0.2),
    )
    gate = domain_fit.fit(("energy", "similarity"), known, [near], far)
    assert np.median(gate(known)) > 0.9
    assert np.median(gate(near)) < 0.2
    assert gate(far).max() < 0.01
    rare, common = fake_outputs(4, 10, 3, 0.6), fake_outputs(4, 10, 3, 0.6)
    repeated = domain_fit.Outputs(
        *(np.concatenate([x] * 30) for x in (rare.logits, rare.energy, rare.similarity, rare.density))
    )
    once = domain_fit.fit(("energy",), known, [rare, common], far)
    often = domain_fit.fit(("energy",), known, [repeated, common], far)
    assert once.intercept == pytest.approx(often.intercept, rel=0.02)


def test_a_gate_is_carried_to_another_scale() -> None:
    here, there = fake_outputs(1, 4000, 6, 0.8), fake_outputs(1, 4000, 6, 0.8)
    there = domain_fit.Outputs(
        there.logits, there.energy * 3 - 5, there.similarity * 0.5 + 0.1, there.density
    )
    gate = domain_fit.Gate(("energy", "similarity"), -10.0, (1.5, 4.0))
    assert gate.carried(here, there)(there) == pytest.approx(gate(here), abs=1e-9)
    assert domain_fit.Gate().carried(here, there)(there).tolist() == [1.0] * 4000


def test_the_price_and_the_truth_of_labels_are_counted() -> None:
    taxa = [Taxon("Poa annua", "Poa", "Poaceae"), Taxon("Zea mays", "Zea", "Poaceae")]
    photos_ = domain_fit.Outputs(np.array([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0]]), *np.zeros((3, 3)))
    found = domain_fit.labels(photos_, domain_fit.Gate(), 1.0, taxa)
    assert [label.name for label in found] == ["Poa annua", "Zea mays", "Poa"]
    summary = domain_fit.known_photos(found, [taxa[0], taxa[0], taxa[1]])
    assert summary["levels"]["species"] == 2
    assert summary["true_of_species_level"]["value"] == 0.5
    assert summary["species_level"]["n"] == 3
    closed = domain_fit.Gate(("energy",), -40.0, (1.0,))
    assert domain_fit.levels(domain_fit.labels(photos_, closed, 1.0, taxa))["levels"]["unknown"] == 3


def test_every_species_of_the_photos_has_a_row_of_taxa() -> None:
    rows = (ROOT / "scripts" / "training" / "taxa.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 13
    starter = (
        (ROOT / "lib" / "classifier" / "starter" / "labels.csv").read_text(encoding="utf-8").splitlines()
    )
    assert [line.split(",", 1)[1] for line in starter] == rows


def test_photos_of_other_things_are_cut_the_same_way_each_time(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)).save(
        tmp_path / "objects" / "a.png"
    )
    (tmp_path / "SOURCE.txt").write_text("a test\n")
    groups = strangers.groups(tmp_path)
    assert list(groups) == ["objects"]
    assert strangers.source(tmp_path) == "a test"
    assert strangers.groups(None) == {}
    cut = strangers.crops(groups["objects"], 4, seed=3)
    assert cut.shape == (5, 3, 150, 150)
    assert (cut == strangers.crops(groups["objects"], 4, seed=3)).all()


def test_the_shipped_card_is_what_its_figures_say() -> None:
    starter = ROOT / "lib" / "classifier" / "starter"
    document, metrics = (
        json.loads((starter / name).read_text("utf-8")) for name in ("model.json", "metrics.json")
    )
    assert (starter / "MODEL_CARD.md").read_text("utf-8") == card.text(document, metrics)


def test_intervals_and_absent_figures_are_printed_plainly() -> None:
    assert card.interval(figures.share(9, 10)) == "90.0 % (59.6 to 98.2)"
    assert card.interval(figures.share(0, 0)) == "– (0.0 to 100.0)"


def plants(seed: int, n: int, centre: int, length: int = 6) -> np.ndarray:
    """Embeddings (n, length) around one axis, of any length."""
    generator = np.random.default_rng(seed)
    around = np.eye(length)[centre] + generator.normal(0, 0.1, (n, length))
    return around * generator.uniform(1, 5, (n, 1))


def test_examples_keep_the_cosines_along_their_main_directions() -> None:
    from lib.classifier import domain

    embeddings = np.concatenate([plants(1, 40, 0), plants(2, 40, 1)])
    exact, known = measure.examples(embeddings, 6, 10.0), measure.examples(embeddings, 2, 10.0)
    assert known.directions.shape == (2, 6)
    assert known.photos.shape == (80, 2)
    unit = scores.unit(embeddings)
    assert exact.photos @ exact.photos.T == pytest.approx(unit @ unit.T, abs=0.01)
    near, far = plants(3, 20, 1), plants(4, 20, 4)
    assert domain.densities(near, known) == pytest.approx(domain.densities(near, exact), abs=0.05)
    assert domain.densities(near, known).min() > domain.densities(far, known).max() + 0.3
    # A half-precision file gives back what was measured.
    assert (known.photos.astype(np.float16).astype(np.float32) == known.photos).all()


def test_every_score_is_higher_for_a_known_plant_than_for_a_strange_one() -> None:
    embeddings = np.concatenate([plants(1, 60, 0), plants(2, 60, 1), plants(3, 60, 2)])
    head = np.eye(6)[:, :3] * 4
    labels = np.repeat([0, 1, 2], 60)
    known, strange = plants(7, 30, 1), plants(8, 30, 5)
    fitted = scores.fit(embeddings, embeddings @ head, labels, seed=1)
    assert len(fitted) == 9
    for name, score in fitted.items():
        separation = measure.auroc(score(known, known @ head), score(strange, strange @ head))
        assert separation > 0.95, name


def test_sub_centres_find_the_kinds_within_a_class() -> None:
    units = scores.unit(np.concatenate([plants(1, 30, 0), plants(2, 30, 3)]))
    centres = scores.sub_centres(units, 2, seed=0)
    assert sorted(centres.argmax(1).tolist()) == [0, 3]
    assert np.linalg.norm(centres, axis=1) == pytest.approx(1)
    assert len(scores.sub_centres(units[:1], 4, seed=0)) == 1


POA, ZEA = Taxon("Poa annua", "Poa", "Poaceae"), Taxon("Zea mays", "Zea", "Poaceae")


def mixture_by_hand() -> list[calibration.Part]:
    """Two known photos (one right) for 3 of 4 parts, one stranger for the fourth."""
    known = calibration.part(
        0.75,
        np.array([[0.9, 0.1], [0.75, 0.25]]),
        [Label("Poa annua", "species", 0.9), Label("Poa annua", "species", 0.75)],
        [POA, ZEA],
        [POA, ZEA],
    )
    stranger = calibration.part(
        0.25,
        np.array([[0.2, 0.25]]),
        [Label("Poaceae", "family", 0.45)],
        [Taxon("Triticum aestivum", "Triticum", "Poaceae")],
        [POA, ZEA],
    )
    return [known, stranger]


def test_a_mixture_weighs_each_part_by_its_share() -> None:
    parts = mixture_by_hand()
    assert calibration.weights(parts) == pytest.approx([0.375, 0.375, 0.25])
    assert calibration.error(parts) == pytest.approx(0.375 * 0.1 + 0.375 * 0.75 + 0.25 * 0.25)
    table = calibration.reliability(parts)
    assert [row["n"] for row in table] == [0, 0, 1, 0, 0, 0, 0, 1, 0, 1]
    assert table[9]["share"] == pytest.approx(0.375)
    assert (table[9]["confidence"], table[9]["right"]) == pytest.approx((0.9, 1.0))
    assert (table[0]["confidence"], table[0]["right"]) == (None, None)


def test_labels_are_judged_at_their_own_level() -> None:
    levels = calibration.levels(mixture_by_hand())
    assert levels["species"] == pytest.approx({"n": 2, "share": 0.75, "confidence": 0.825, "right": 0.5})
    assert levels["family"] == pytest.approx({"n": 1, "share": 0.25, "confidence": 0.45, "right": 1.0})
    assert levels["genus"] == {"n": 0, "share": 0, "confidence": None, "right": None}


def test_what_has_no_name_is_never_right() -> None:
    part = calibration.part(
        1.0, np.array([[0.9, 0.1]]), [Label("Poa annua", "species", 0.9)], [None], [POA, ZEA]
    )
    assert not part.right.any()
    assert calibration.levels([part])["species"]["right"] == 0


def test_the_risk_at_a_coverage_and_its_area() -> None:
    found = calibration.risk_coverage(mixture_by_hand(), seed=1)
    # The surest 37.5 % are right, the next 37.5 % wrong, the last quarter wrong.
    assert found["risk"]["1"] == pytest.approx(0.625)
    assert found["risk"]["0.5"] == pytest.approx(0.5)
    # (0 to 0.375: none wrong; then 1 - 0.375 / t for the rest.)
    assert found["area"]["value"] == pytest.approx(0.625 - 0.375 * np.log(1 / 0.375), abs=1e-3)
    assert found["area"]["low"] <= found["area"]["value"] <= found["area"]["high"]


def test_a_set_alone_is_counted_photo_by_photo() -> None:
    known = mixture_by_hand()[:1]
    found = calibration.risk_coverage(known, seed=1)
    assert found["risk"]["1"] == 0.5
    assert found["risk"]["0.5"] == 0.0
    assert found["area"]["value"] == pytest.approx((0 + 0.5) / 2)


def test_the_gate_is_a_probability_for_its_mixture() -> None:
    known, near, far = (
        fake_outputs(1, 4000, 6, 0.8),
        fake_outputs(2, 4000, 4, 0.6),
        fake_outputs(3, 4000, -4, 0.2),
    )
    shares = domain_fit.Shares(0.8, 0.16, 0.04)
    assert shares.strangers == pytest.approx(0.2)
    gate = domain_fit.fit(("energy",), known, [near], far, shares)
    p = np.concatenate([gate(known), gate(near), gate(far)])
    weight = np.repeat([0.8, 0.16, 0.04], 4000) / 4000
    truth = np.repeat([1.0, 0.0, 0.0], 4000)
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        inside = (p >= low) & (p < high)
        shown, real = (np.average(x[inside], weights=weight[inside]) for x in (p, truth))
        assert shown == pytest.approx(real, abs=0.06)
    cautious = domain_fit.fit(("energy",), known, [near], far, domain_fit.FORMER)
    assert cautious(known).mean() < gate(known).mean()


def test_a_species_in_the_part_of_the_stranger_is_compared_with_the_others_alone() -> None:
    kinds = [plants(k + 1, 50, k) for k in range(3)]
    labels = np.repeat([0, 1, 2], 50)
    known = domain_fit.reference(np.concatenate(kinds), labels, 3)
    fresh = np.concatenate([plants(k + 11, 20, k) for k in range(3)])
    found = domain_fit.each_in_turn(known, labels, fresh, np.repeat([0, 1, 2], 20))
    assert set(found) == {"similarity", "density"}
    for figures_ in found.values():
        assert figures_["auroc"] > 0.99
        assert figures_["above"] < 0.05
    # Were a species compared with its own photos too, nothing would tell it apart.
    mixed = domain_fit.each_in_turn(known, np.roll(labels, 50), fresh, np.repeat([0, 1, 2], 20))
    assert mixed["density"]["auroc"] < 0.9
