"""Every layout of a Swin Transformer gives, converted, what its own implementation gives of the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from scripts.conversion import Refused, layouts, network, reference  # noqa: E402
from tests.scripts.conversion import checkpoints  # noqa: E402

pytestmark = pytest.mark.torch
# Rounding of float32 through twelve blocks; the logits are between -4 and 4.
ROUNDING = 5e-5


def check(state: object, own: torch.nn.Module, folder: Path, kind: str, title: str) -> network.Filled:
    """Converted, and as the reference of the parity report: both are what the implementation itself says."""
    images = checkpoints.pixels()
    expected = checkpoints.logits(own, images)
    assert expected.std() > 0.3
    made, merged, _ = checkpoints.filled(state, folder)
    assert made.layout.kind == kind
    assert (checkpoints.converted(made, images) - expected).abs().max() < ROUNDING
    compared = reference.of(made, merged.base, merged.pairs, None)
    assert compared.title == title
    with torch.inference_mode():
        assert (compared.predict(images, None) - expected).abs().max() < ROUNDING
    return made


def test_timm_of_today(tmp_path: Path) -> None:
    own = checkpoints.swin()
    made = check(own.state_dict(), own, tmp_path, "timm", "timm's implementation")
    assert made.architecture.name == "swin_tiny_patch4_window7_224"


def test_the_first_published_layout_with_stored_masks_and_indices(tmp_path: Path) -> None:
    own = checkpoints.swin()
    state = {"model": checkpoints.as_first_published(own), "epoch": 300}
    assert any(key.endswith("attn_mask") for key in state["model"])
    made = check(state, own, tmp_path, "original", "timm's implementation")
    assert "17 stored masks and indices are those that the architecture computes" in " ".join(made.said)


def test_hugging_face_as_it_saves(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    own = checkpoints.hugging_face()
    own.save_pretrained(tmp_path / "saved")
    state = load_file(tmp_path / "saved" / "model.safetensors")
    assert any("attention.self.query" in key for key in state)
    check(state, own, tmp_path, "hugging-face", "transformers' implementation")


def test_hugging_face_as_it_names_its_modules(tmp_path: Path) -> None:
    own = checkpoints.hugging_face()
    check(own.state_dict(), own, tmp_path, "hugging-face-5", "transformers' implementation")


def test_torchvision(tmp_path: Path) -> None:
    own = checkpoints.torchvision_swin()
    assert any(key.endswith("relative_position_index") for key in own.state_dict())
    check(own.state_dict(), own, tmp_path, "torchvision", "torchvision's implementation")


@pytest.mark.parametrize("prefix", ["module.", "backbone.", "model.backbone.", "encoder."])
def test_a_wrapper_is_taken_off_and_told(prefix: str, tmp_path: Path) -> None:
    own = checkpoints.small_swin()
    state = {prefix + key: value for key, value in own.state_dict().items()}
    made, _, said = checkpoints.filled({"state_dict": state}, tmp_path, size=checkpoints.SMALL_SIZE)
    images = checkpoints.pixels(size=checkpoints.SMALL_SIZE)
    assert torch.allclose(checkpoints.converted(made, images), checkpoints.logits(own, images), atol=ROUNDING)
    assert "entry 'state_dict' unwrapped" in said
    assert f"prefix {prefix!r} taken off the backbone's keys" in said


def test_a_head_beside_the_backbone_has_any_name(tmp_path: Path) -> None:
    own = checkpoints.small_swin()
    state = {
        key.replace("head.fc", "classifier.1") if key.startswith("head") else f"backbone.{key}": value
        for key, value in own.state_dict().items()
    }
    made, _, _ = checkpoints.filled(state, tmp_path, size=checkpoints.SMALL_SIZE)
    assert made.head.linear.name == "classifier.1"
    images = checkpoints.pixels(size=checkpoints.SMALL_SIZE)
    assert torch.allclose(checkpoints.converted(made, images), checkpoints.logits(own, images), atol=ROUNDING)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("swin_tiny_patch4_window7_224", 2959),
        ("swin_small_patch4_window7_224", 2959),
        ("swin_base_patch4_window7_224", 2959),
        ("swin_base_patch4_window12_384", 2959),
        ("swin_large_patch4_window7_224", 2959),
        ("swin_large_patch4_window12_384", 5),
    ],
)
def test_the_published_sizes_are_told_from_shapes_alone(
    name: str, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # timm reads these few numbers, which tensors without data cannot give.
    linspace = torch.linspace
    monkeypatch.setattr(torch, "linspace", lambda *given: linspace(*given, device="cpu"))
    with torch.device("meta"):
        state = checkpoints.timm().create_model(name, num_classes=classes).state_dict()
    found = network.infer(layouts.Layout("timm", ""), state)
    assert found.name == name
    with torch.device("meta"):
        built = found.build(classes)
    assert {k: v.shape for k, v in built.state_dict().items()} == {k: v.shape for k, v in state.items()}


def test_stored_masks_tell_the_input_size(tmp_path: Path) -> None:
    state = checkpoints.as_first_published(checkpoints.small_swin(img_size=96))
    made, _, _ = checkpoints.filled(state, tmp_path)
    assert made.architecture.size == 96


def test_an_unusual_window_needs_the_input_size(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--input-size"):
        checkpoints.filled(checkpoints.small_swin().state_dict(), tmp_path)


def test_half_precision_is_read_as_float32_and_told(tmp_path: Path) -> None:
    own = checkpoints.small_swin().half()
    made, _, said = checkpoints.filled(own.state_dict(), tmp_path, size=checkpoints.SMALL_SIZE)
    assert "float16 read as float32" in said
    assert {value.dtype for value in made.canonical.values()} == {torch.float32}


# What must not be converted, each with the keys that a person needs.


def small_state() -> dict[str, torch.Tensor]:
    return checkpoints.small_swin().state_dict()


def refused(state: object, folder: Path, **options: object) -> str:
    with pytest.raises(Refused) as told:
        checkpoints.filled(state, folder, **{"size": checkpoints.SMALL_SIZE, **options})
    return str(told.value)


def test_every_missing_unexpected_and_misshapen_key_is_listed(tmp_path: Path) -> None:
    state = small_state()
    del state["layers.0.blocks.1.mlp.fc2.bias"], state["norm.weight"]
    state["layers.1.blocks.0.attn.qkv.weight"] = state["layers.1.blocks.0.attn.qkv.weight"][:-1]
    state["layers.1.blocks.0.gamma"] = torch.ones(3)
    told = refused(state, tmp_path)
    assert "Missing (2):\n  layers.0.blocks.1.mlp.fc2.bias\n  norm.weight\n" in told
    assert "Unexpected (1):\n  layers.1.blocks.0.gamma: 3\n" in told
    assert "Misshapen (1):\n  layers.1.blocks.0.attn.qkv.weight: 191x64 instead of 192x64\n" in told
    assert "first keys:\n  patch_embed.proj.weight: 32x3x4x4\n" in told


def test_weights_that_were_quantised_by_whatever_rule_are_refused(tmp_path: Path) -> None:
    state = small_state()
    key = "layers.0.blocks.0.attn.qkv.weight"
    assert f"{key}: int8 instead of float32" in refused(state | {key: state[key].to(torch.int8)}, tmp_path)
    head = {"head.fc.weight": state["head.fc.weight"].to(torch.int8)}
    assert "No head was found" in refused(state | head, tmp_path)


def test_a_missing_key_is_told_in_the_files_own_names(tmp_path: Path) -> None:
    state = checkpoints.hugging_face(depths=[2, 2], num_heads=[3, 6]).state_dict()
    key = "swin.encoder.layers.0.blocks.1.attention.k_proj.weight"
    del state[key]
    assert f"Missing (1):\n  {key}\n" in refused(state, tmp_path, size=224)


def test_a_whole_missing_block_is_no_shallower_network(tmp_path: Path) -> None:
    state = {k: v for k, v in small_state().items() if not k.startswith("layers.1.blocks.0.")}
    told = refused(state, tmp_path)
    assert "layers.1.blocks.0.norm1.weight" in told
    assert "Missing (13)" in told


def test_most_tables_decide_what_the_shape_of_all_is(tmp_path: Path) -> None:
    state = checkpoints.small_swin(depths=(3, 2)).state_dict()
    key = "layers.0.blocks.0.attn.relative_position_bias_table"
    state[key] = torch.zeros(169, 1)
    assert f"Misshapen (1):\n  {key}: 169x1 instead of 49x1" in refused(state, tmp_path)


@pytest.mark.parametrize(
    "buffer", ["layers.0.blocks.1.attn_mask", "layers.1.blocks.0.attn.relative_position_index"]
)
def test_a_stored_buffer_that_differs_is_refused(buffer: str, tmp_path: Path) -> None:
    state = checkpoints.as_first_published(checkpoints.small_swin())
    state[buffer].view(-1)[7] += 1
    assert f"Stored, but not what the architecture computes (1):\n  {buffer}\n" in refused(state, tmp_path)


def test_masks_of_another_input_size_are_refused(tmp_path: Path) -> None:
    state = checkpoints.as_first_published(checkpoints.small_swin(img_size=96))
    assert "layers.0.blocks.1.attn_mask" in refused(state, tmp_path, size=64)


def test_a_second_head_is_named_and_chosen_by_a_person_only(tmp_path: Path) -> None:
    state = small_state()
    state["head_22k.weight"], state["head_22k.bias"] = torch.zeros(21841, 64), torch.zeros(21841)
    told = refused(state, tmp_path)
    assert "head.fc (11x64), head_22k (21841x64)" in told
    assert "--head" in told
    made, _, said = checkpoints.filled(state, tmp_path, size=checkpoints.SMALL_SIZE, head="head.fc")
    assert made.classes == checkpoints.CLASSES
    assert "left out, because --head names another: head_22k.weight" in said
    assert "head.fc (11x64), head_22k (21841x64)" in refused(state, tmp_path, head="head")


def test_a_head_without_bias_is_no_head(tmp_path: Path) -> None:
    state = small_state()
    del state["head.fc.bias"]
    told = refused(state, tmp_path)
    assert "No head was found" in told
    assert "head.fc.weight (11x64)" in told


def test_two_networks_in_one_file_are_refused(tmp_path: Path) -> None:
    state = small_state()
    both = {f"student.{k}": v for k, v in state.items()} | {f"teacher.{k}": v for k, v in state.items()}
    told = refused(both, tmp_path)
    assert "'student.'" in told
    assert "'teacher.'" in told


def test_another_architecture_must_be_named_and_shows_the_first_keys(tmp_path: Path) -> None:
    net = checkpoints.random_weights(checkpoints.timm().create_model("resnet10t", num_classes=4))
    told = refused(net.state_dict(), tmp_path)
    assert "--architecture" in told
    assert "  conv1.0.weight: 24x3x3x3\n" in told
    assert "more" in told


@pytest.mark.parametrize(
    "name", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto", "mobilenetv3_small_050", "efficientnet_b0"]
)
def test_any_other_timm_classifier_converts_by_its_name(name: str, tmp_path: Path) -> None:
    own = checkpoints.random_weights(checkpoints.timm().create_model(name, num_classes=4))
    state = {f"module.{key}": value for key, value in own.state_dict().items()}
    made, merged, _ = checkpoints.filled(state, tmp_path, architecture=name)
    images = checkpoints.pixels(size=made.architecture.size)
    expected = checkpoints.logits(own, images)
    assert (checkpoints.converted(made, images) - expected).abs().max() < 1e-4 * expected.abs().max()
    compared = reference.of(made, merged.base, merged.pairs, None)
    with torch.inference_mode():
        assert torch.equal(compared.predict(images, None), expected)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
def test_another_input_size_is_the_networks_too(name: str, tmp_path: Path) -> None:
    size = {"img_size": 96} if name.startswith("vit") else {}
    own = checkpoints.random_weights(checkpoints.timm().create_model(name, num_classes=4, **size))
    made, _, _ = checkpoints.filled(own.state_dict(), tmp_path, architecture=name, size=96)
    images = checkpoints.pixels(size=96)
    expected = checkpoints.logits(own, images)
    assert (checkpoints.converted(made, images) - expected).abs().max() < 1e-4 * expected.abs().max()


def test_a_network_that_averages_two_heads_is_refused(tmp_path: Path) -> None:
    name = "deit_tiny_distilled_patch16_224"
    state = checkpoints.timm().create_model(name, num_classes=4).state_dict()
    told = refused(state, tmp_path, architecture=name, size=224)
    assert "head (4x192), head_dist (4x192)" in told
    made, merged, _ = checkpoints.filled(state, tmp_path, architecture=name, head="head")
    with pytest.raises(Refused, match="more than one head"):
        reference.of(made, merged.base, merged.pairs, None)


def test_a_key_of_another_architecture_too_many_is_listed(tmp_path: Path) -> None:
    net = checkpoints.timm().create_model("resnet10t", num_classes=4)
    state = net.state_dict() | {"layer9.weight": torch.zeros(2, 2, 1, 1)}
    del state["layer1.0.bn1.running_var"]
    told = refused(state, tmp_path, architecture="resnet10t")
    assert "Missing (1):\n  layer1.0.bn1.running_var\n" in told
    assert "Unexpected (1):\n  layer9.weight: 2x2x1x1\n" in told


def test_shapes_of_another_swin_than_the_demanded_are_refused(tmp_path: Path) -> None:
    told = refused(small_state(), tmp_path, architecture="swin_tiny_patch4_window7_224")
    assert "not of swin_tiny_patch4_window7_224" in told
