"""Adapters merged give what their own implementation gives unmerged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from scripts.conversion import Refused, lora, reference  # noqa: E402
from tests.scripts.conversion import checkpoints  # noqa: E402

pytestmark = pytest.mark.torch
# Merging rounds each weight once more than adding the adapter's output does.
ROUNDING = 2e-4


def peft_of(net: nn.Module, targets: list[str], **options: object) -> nn.Module:
    """The network with adapters of random weights by PEFT itself: rank 16, alpha 32, as for iNatAg."""
    import peft

    config = peft.LoraConfig(**{"r": 16, "lora_alpha": 32, "target_modules": targets, **options})
    return checkpoints.random_weights(peft.get_peft_model(net, config), seed=1)


def check(
    own: nn.Module, folder: Path, size: int = 224, layers: int | None = None, alpha: float | None = None
) -> tuple[reference.Reference, list[str]]:
    """Converted, and as the parity report's reference runs it: what PEFT says, and not what is without."""
    images = checkpoints.pixels(size=size)
    expected = checkpoints.logits(own, images)
    made, merged, said = checkpoints.filled(
        own.state_dict(), folder, alpha, **({} if size == 224 else {"size": size})
    )
    assert (checkpoints.converted(made, images) - expected).abs().max() < ROUNDING
    compared = reference.of(made, merged.base, merged.pairs, None)
    with torch.inference_mode():
        assert (compared.predict(images, None) - expected).abs().max() < ROUNDING
    if layers is not None:
        assert len(merged.pairs) == layers
    without, _, _ = checkpoints.filled(merged.base, folder, **({} if size == 224 else {"size": size}))
    assert (checkpoints.converted(without, images) - expected).abs().max() > 100 * ROUNDING
    return compared, said


def test_peft_on_timm_with_the_patch_embedding_and_a_head_trained_whole(tmp_path: Path) -> None:
    own = peft_of(checkpoints.swin(), ["qkv", "proj"], modules_to_save=["head"])
    state = own.state_dict()
    # The name `proj` is the patch embedding's too, and the untouched head is kept beside the trained one.
    assert "base_model.model.patch_embed.proj.lora_A.default.weight" in state
    assert "base_model.model.head.original_module.fc.weight" in state
    compared, said = check(own, tmp_path, layers=25)
    assert compared.title == "timm's implementation"
    assert (
        "LoRA merged in 25 layers: rank 16, factor 2 (alpha 32 assumed; the file does not tell, --lora-alpha does)"
        in said
    )
    assert (
        "left out: base_model.model.head.original_module.fc.weight (11x768), replaced by "
        "base_model.model.head.modules_to_save" in said
    )
    assert "prefix 'base_model.model.' taken off the backbone's keys" in said


def test_a_large_untrained_head_that_peft_kept_is_dropped_and_named(tmp_path: Path) -> None:
    own = peft_of(checkpoints.small_swin(), ["qkv"], modules_to_save=["head"])
    state = own.state_dict()
    state["base_model.model.head.original_module.fc.weight"] = torch.zeros(21841, 64)
    state["base_model.model.head.original_module.fc.bias"] = torch.zeros(21841)
    made, _, said = checkpoints.filled(state, tmp_path, size=checkpoints.SMALL_SIZE)
    assert made.classes == checkpoints.CLASSES
    assert any("original_module.fc.weight (21841x64)" in line for line in said)


def test_peft_on_hugging_face_changes_query_and_value_alone(tmp_path: Path) -> None:
    own = peft_of(checkpoints.hugging_face(), ["q_proj", "v_proj"], modules_to_save=["classifier"])
    compared, _ = check(own, tmp_path, layers=24)
    assert compared.title == "transformers' implementation"


@pytest.mark.parametrize(("targets", "added"), [(["q_proj"], ", adapters merged"), ([], "")])
def test_without_transformers_timm_is_the_reference(
    targets: list[str], added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = checkpoints.hugging_face(depths=[2, 2], num_heads=[3, 6])
    if targets:
        own = peft_of(own, targets)
    made, merged, _ = checkpoints.filled(own.state_dict(), tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    compared = reference.of(made, merged.base, merged.pairs, None)
    assert compared.title == f"timm's implementation{added}"
    images = checkpoints.pixels()
    with torch.inference_mode():
        assert (compared.predict(images, None) - checkpoints.logits(own, images)).abs().max() < ROUNDING


def test_peft_on_torchvision(tmp_path: Path) -> None:
    # The adapter of a torchvision layer does nothing there: its attention reads the weights and runs no layer. So
    # only the linear layers that run can be compared.
    own = peft_of(checkpoints.torchvision_swin(), ["mlp.0", "mlp.3", "reduction"])
    compared, _ = check(own, tmp_path, layers=27)
    assert compared.title == "torchvision's implementation"


def test_alpha_stands_in_the_config_beside_the_file(tmp_path: Path) -> None:
    own = peft_of(checkpoints.small_swin(), ["qkv", "fc1"], lora_alpha=4, r=8)
    own.peft_config["default"].save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["lora_alpha"] == 4
    _, said = check(own, tmp_path, size=checkpoints.SMALL_SIZE, layers=8)
    assert "LoRA merged in 8 layers: rank 8, factor 0.5 (alpha 4 from adapter_config.json)" in said


def test_the_demanded_alpha_wins(tmp_path: Path) -> None:
    own = peft_of(checkpoints.small_swin(), ["qkv"], lora_alpha=4, r=8)
    _, said = check(own, tmp_path, size=checkpoints.SMALL_SIZE, alpha=4)
    assert "alpha 4 as demanded" in " ".join(said)


def test_patterns_and_rank_stabilised_factors_of_the_config(tmp_path: Path) -> None:
    own = peft_of(
        checkpoints.small_swin(),
        ["qkv", "fc1"],
        r=4,
        use_rslora=True,
        rank_pattern={"fc1": 9},
        alpha_pattern={"fc1": 3},
    )
    own.peft_config["default"].save_pretrained(tmp_path)
    _, said = check(own, tmp_path, size=checkpoints.SMALL_SIZE, layers=8)
    assert "rank 4, 9, factor 1, 16 " in " ".join(said)


def test_the_first_pattern_that_fits_counts(tmp_path: Path) -> None:
    own = peft_of(
        checkpoints.small_swin(),
        ["qkv"],
        r=2,
        alpha_pattern={"^layers.0.blocks.0.attn.qkv": 6, "layers.0.*qkv": 10, "qkv": 14},
    )
    own.peft_config["default"].save_pretrained(tmp_path)
    _, said = check(own, tmp_path, size=checkpoints.SMALL_SIZE)
    assert "factor 3, 5, 7 " in " ".join(said)


@pytest.mark.parametrize(
    "config",
    [
        {"lora_alpha": None},
        {"lora_alpha": "much"},
        {"lora_alpha": float("inf")},
        {"lora_alpha": 8, "alpha_pattern": ["qkv"]},
        {"lora_alpha": 8, "alpha_pattern": {"(": 3}},
    ],
)
def test_a_config_that_cannot_be_read_is_refused(config: dict[str, object]) -> None:
    weights = {"qkv.weight": torch.ones(3, 2), "qkv.lora_A": torch.ones(1, 2), "qkv.lora_B": torch.ones(3, 1)}
    with pytest.raises(Refused, match=r"adapter_config\.json: lora_alpha"):
        lora.merge(weights, config, None)


class Parameters(nn.Linear):
    """As loralib: the weight of the layer itself, the matrices as parameters of it."""

    def __init__(self, layer: nn.Linear, rank: int = 5, alpha: float = 32) -> None:
        super().__init__(layer.in_features, layer.out_features)
        self.lora_A = nn.Parameter(torch.zeros(rank, layer.in_features))
        self.lora_B = nn.Parameter(torch.zeros(layer.out_features, rank))
        self.factor = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.factor * (x @ self.lora_A.T @ self.lora_B.T)


class DownUp(nn.Module):
    """A wrapper with the layer under a name of its own and two linear layers beside it."""

    def __init__(self, layer: nn.Linear, rank: int = 5, alpha: float = 32) -> None:
        super().__init__()
        self.original = layer
        self.lora_down = nn.Linear(layer.in_features, rank, bias=False)
        self.lora_up = nn.Linear(rank, layer.out_features, bias=False)
        self.factor = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.original(x) + self.factor * self.lora_up(self.lora_down(x))


class Matrices(nn.Module):
    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.zeros(layer.in_features, rank))
        self.B = nn.Parameter(torch.zeros(rank, layer.out_features))


class Transposed(nn.Module):
    """A wrapper whose matrices are multiplied from the right, in a module of their own, with the factor stored."""

    def __init__(self, layer: nn.Linear, rank: int = 5) -> None:
        super().__init__()
        self.linear = layer
        self.lora = Matrices(layer, rank)
        self.register_buffer("scaling", torch.tensor(0.75))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) + self.scaling * (x @ self.lora.A @ self.lora.B)


@pytest.mark.parametrize("kind", [Parameters, DownUp, Transposed])
def test_wrappers_of_other_make_are_found_by_structure(kind: type[nn.Module], tmp_path: Path) -> None:
    net = checkpoints.small_swin()
    for stage in net.layers:
        for block in stage.blocks:
            block.attn.qkv, block.attn.proj = kind(block.attn.qkv), kind(block.attn.proj)
    _, said = check(checkpoints.random_weights(net), tmp_path, size=checkpoints.SMALL_SIZE, layers=8)
    assert f"rank 5, factor {0.75 if kind is Transposed else 6.4} " in " ".join(said)


def linear(**more: torch.Tensor) -> dict[str, torch.Tensor]:
    """A layer of 6 outputs and 4 inputs with an adapter of rank 2, as PEFT names it."""
    return {
        "x.base_layer.weight": torch.ones(6, 4),
        "x.lora_A.default.weight": torch.ones(2, 4),
        "x.lora_B.default.weight": torch.ones(6, 2),
        **more,
    }


def test_the_merged_weight_by_hand() -> None:
    # 1 + 8 / 2 x (1 x 1 + 1 x 1)
    merged = lora.merge(linear(), {}, 8.0)
    assert torch.equal(merged.weights["x.weight"], torch.full((6, 4), 9.0))
    assert torch.equal(merged.base["x.weight"], torch.ones(6, 4))


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (linear(**{"x.lora_B.default.weight": torch.ones(5, 2)}), "x.lora_A.default.weight and x.lora_B"),
        ({k: v for k, v in linear().items() if "lora_B" not in k}, "without its counterpart: x.lora_A"),
        ({k: v for k, v in linear().items() if "base" not in k}, "an adapter alone is not enough"),
        (linear(**{"x.other.weight": torch.ones(6, 4)}), "not clear: x.base_layer.weight, x.other.weight"),
        (
            linear(
                **{"y.lora_A.second.weight": torch.ones(2, 4), "y.lora_B.second.weight": torch.ones(6, 2)}
            ),
            "several names in one file: default, second",
        ),
        (linear(**{"x.lora_A": torch.ones(2, 4)}), "Two LoRA matrices for one place"),
        (
            {"h.original_module.weight": torch.ones(2), "h.modules_to_save.default.bias": torch.ones(2)},
            "no trained",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tensors: dict[str, torch.Tensor], told: str) -> None:
    with pytest.raises(Refused, match=told.replace(".", r"\.")):
        lora.merge(tensors, {}, None)


@pytest.mark.parametrize("config", [{"peft_type": "LOHA"}, {"use_dora": True}, {"fan_in_fan_out": True}])
def test_other_kinds_of_adapters_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(Refused, match=r"adapter_config\.json"):
        lora.merge(linear(), config, None)


def test_a_magnitude_or_a_bias_of_an_adapter_stays_an_unexpected_key(tmp_path: Path) -> None:
    own = peft_of(checkpoints.small_swin(), ["qkv"], use_dora=True)
    with pytest.raises(Refused, match=r"layers\.0\.blocks\.0\.attn\.qkv\.lora_magnitude_vector"):
        checkpoints.filled(own.state_dict(), tmp_path, size=checkpoints.SMALL_SIZE)
