"""Checkpoints that take latitude and longitude: found by structure, converted to give what their source gives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from scripts.conversion import Refused, network, place, reference  # noqa: E402
from scripts.conversion.place import PlaceRule  # noqa: E402
from tests.scripts.conversion import checkpoints  # noqa: E402

pytestmark = pytest.mark.torch
ROUNDING = 5e-5
PLACES = torch.tensor([[43.06, 141.35], [-33.9, 18.4]])


class WithPlace(nn.Module):
    """A classifier as one writes it: backbone, layers for the place, and a head on both."""

    def __init__(self, layers: list[nn.Module], width: int, scale: str, *, first: bool = False) -> None:
        super().__init__()
        self.backbone = checkpoints.small_swin(num_classes=0)
        self.latlon = nn.Sequential(*layers)
        self.classifier = nn.Linear(64 + width, checkpoints.CLASSES)
        self.scale, self.first = scale, first
        checkpoints.random_weights(self, seed=3)

    def forward(self, image: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        latitude, longitude = place[:, 0], place[:, 1]
        if self.scale == "unit":
            given = torch.stack([latitude / 90, longitude / 180], 1)
        elif self.scale == "sincos":
            a, b = latitude / 180 * math.pi, longitude / 180 * math.pi
            given = torch.stack([a.sin(), a.cos(), b.sin(), b.cos()], 1)
        else:
            given = place
        both = [self.backbone(image), self.latlon(given)]
        return self.classifier(torch.cat(both[::-1] if self.first else both, 1))


@pytest.mark.parametrize(
    ("layers", "width", "rule"),
    [
        ([nn.Linear(2, 8), nn.ReLU()], 8, PlaceRule("unit")),
        ([nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 5)], 5, PlaceRule("degrees", activated_end=False)),
        ([nn.Linear(2, 6), nn.GELU(), nn.Linear(6, 6), nn.GELU()], 6, PlaceRule("unit", "gelu")),
        ([nn.Linear(4, 8), nn.Linear(8, 3)], 3, PlaceRule("sincos", "none")),
        ([], 2, PlaceRule("unit")),
        ([], 4, PlaceRule("sincos", place_first=True)),
        ([nn.Linear(2, 8), nn.ReLU()], 8, PlaceRule("unit", place_first=True)),
    ],
)
def test_it_gives_what_its_source_gives(
    layers: list[nn.Module], width: int, rule: PlaceRule, tmp_path: Path
) -> None:
    own = WithPlace(layers, width, rule.scale, first=rule.place_first)
    images = checkpoints.pixels(size=checkpoints.SMALL_SIZE)
    made, merged, _ = checkpoints.filled(own.state_dict(), tmp_path, size=checkpoints.SMALL_SIZE)
    with torch.inference_mode():
        expected = own(images, PLACES)
        logits, embedding = network.Network(made, rule)(images, PLACES)
        compared = reference.of(made, merged.base, merged.pairs, rule)
        assert (compared.predict(images, PLACES) - expected).abs().max() < ROUNDING * expected.abs().max()
        elsewhere = own(images, PLACES.flip(0))
        assert torch.allclose(embedding, own.backbone(images), atol=ROUNDING)
    assert (logits - expected).abs().max() < ROUNDING * expected.abs().max()
    assert (logits - elsewhere).abs().max() > 0.03
    assert len(made.head.chain) == sum(isinstance(layer, nn.Linear) for layer in layers)


def test_adapters_on_the_backbone_do_not_hide_the_place(tmp_path: Path) -> None:
    import peft

    own = WithPlace([nn.Linear(2, 8), nn.ReLU()], 8, "unit")
    config = peft.LoraConfig(
        r=4, target_modules=["qkv"], modules_to_save=["classifier", "latlon"], lora_alpha=32
    )
    own = checkpoints.random_weights(peft.get_peft_model(own, config), seed=4)
    images, rule = checkpoints.pixels(size=checkpoints.SMALL_SIZE), PlaceRule("unit")
    made, merged, _ = checkpoints.filled(own.state_dict(), tmp_path, size=checkpoints.SMALL_SIZE)
    with torch.inference_mode():
        expected = own(images, PLACES)
        assert (network.Network(made, rule)(images, PLACES)[0] - expected).abs().max() < 2e-4
        compared = reference.of(made, merged.base, merged.pairs, rule)
        assert (compared.predict(images, PLACES) - expected).abs().max() < 2e-4


def head(inputs: int, chain: tuple[tuple[int, int], ...] = ()) -> place.Head:
    def layer(name: str, outputs: int, given: int) -> place.Linear:
        return place.Linear(name, torch.zeros(outputs, given), torch.zeros(outputs))

    layers = tuple(layer(f"latlon.{i}", *shape) for i, shape in enumerate(chain))
    return place.Head(layer("classifier", 5, inputs), 2 if chain else inputs - 64, layers)


def test_the_scale_has_no_silent_default() -> None:
    with pytest.raises(
        Refused, match=r"classifier takes a place: 2 coordinates through latlon.0 \(8x2\)"
    ) as told:
        place.check(head(72, ((8, 2),)), None, (43.0, 141.0))
    assert "--place-scale" in str(told.value)
    assert "fitting" not in str(told.value)
    assert str(told.value).endswith("with 2 coordinates: degrees, unit.")


@pytest.mark.parametrize(("given", "scale"), [(66, "sincos"), (68, "unit"), (68, "degrees")])
def test_a_scale_that_gives_another_number_of_coordinates_is_refused(given: int, scale: str) -> None:
    with pytest.raises(Refused, match="Fitting: "):
        place.check(head(given), scale, (43.0, 141.0))


def test_a_default_place_is_asked_for() -> None:
    with pytest.raises(Refused, match="--default-place"):
        place.check(head(66), "unit", None)


def test_options_for_a_place_that_is_not_taken_are_refused() -> None:
    with pytest.raises(Refused, match="takes no latitude"):
        place.check(head(64), "unit", None)


def test_a_wide_head_without_a_way_from_coordinates_names_the_layers(tmp_path: Path) -> None:
    net = checkpoints.small_swin(num_classes=0)
    state = {f"backbone.{key}": value for key, value in net.state_dict().items()} | {
        "latlon.0.weight": torch.zeros(8, 3),
        "latlon.0.bias": torch.zeros(8),
        "classifier.weight": torch.zeros(5, 72),
        "classifier.bias": torch.zeros(5),
    }
    with pytest.raises(Refused, match=r"classifier takes 72 numbers, 8 more .* latlon\.0 \(8x3\)"):
        checkpoints.filled(state, tmp_path, size=checkpoints.SMALL_SIZE)


def test_layers_of_a_place_that_no_head_takes_are_unexpected(tmp_path: Path) -> None:
    state = checkpoints.small_swin().state_dict()
    state |= {"latlon.0.weight": torch.zeros(8, 2), "latlon.0.bias": torch.zeros(8)}
    with pytest.raises(Refused, match=r"Unexpected \(2\):\n  latlon\.0\.weight: 8x2\n  latlon\.0\.bias: 8\n"):
        checkpoints.filled(state, tmp_path, size=checkpoints.SMALL_SIZE)
