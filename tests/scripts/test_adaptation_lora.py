"""Fine-tuning by low-rank adapters: what changes, what does not, and the way from a checkpoint to a folder."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lib.classifier.model import Classifier  # noqa: E402
from scripts import convert_model, train_classifier  # noqa: E402
from scripts.adaptation import finetune, head, lora  # noqa: E402
from scripts.adaptation.asking import Model  # noqa: E402
from scripts.adaptation.run import Wish  # noqa: E402
from tests.scripts.conversion import checkpoints  # noqa: E402
from tests.scripts.own_photos import folder_of, make_set  # noqa: E402

pytestmark = pytest.mark.torch
KNOWN = ("Beta vulgaris", "Geranium pusillum", "Tripleurospermum inodorum", "Zea mays")
SYNONYM = "Matricaria perforata"  # of the third
NEW = "Sinapis arvensis"

Run = Callable[..., tuple[int, str, str]]


def trained(adapters: list[lora.Adapted]) -> None:
    """Give the adapters what training would: an `up` that is not zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for adapter in adapters:
            adapter.up.copy_(torch.randn(adapter.up.shape, generator=generator) * 0.1)


def test_merged_weights_answer_as_the_adapters_did() -> None:
    net = checkpoints.small_swin()
    images = checkpoints.pixels(3, checkpoints.SMALL_SIZE)
    before = checkpoints.logits(net, images)
    names = list(net.state_dict())
    adapters = lora.put_in(net)
    assert len(adapters) == 8  # qkv and proj of four blocks
    assert torch.equal(checkpoints.logits(net, images), before)  # zero at first
    trained(adapters)
    unmerged = checkpoints.logits(net, images)
    assert (unmerged - before).abs().max() > 0.05
    lora.merge(net)
    assert list(net.state_dict()) == names
    assert torch.allclose(checkpoints.logits(net, images), unmerged, atol=1e-4)


def test_rank_factor_and_places_are_those_of_inatag() -> None:
    net = checkpoints.small_swin()
    adapters = lora.put_in(net)
    assert {(len(each.down), each.scale, each.drop.p) for each in adapters} == {(16, 2.0, 0.1)}
    free = {name.rpartition(".")[2] for name, value in net.named_parameters() if value.requires_grad}
    assert free == {"down", "up"}
    assert isinstance(net.patch_embed.proj, torch.nn.Conv2d)


def test_dropout_is_on_in_training_and_off_afterwards() -> None:
    net = checkpoints.small_swin()
    trained(lora.put_in(net))
    images = checkpoints.pixels(1, checkpoints.SMALL_SIZE)
    net.train()
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))


def test_a_vision_transformer_has_them_too_and_a_convolution_net_is_refused() -> None:
    timm = checkpoints.timm()
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    assert len(lora.layers(vit)) == 24
    with pytest.raises(lora.NoAttention, match="--method head"):
        lora.put_in(timm.create_model("resnet10t", num_classes=3))


def test_the_new_head_starts_from_what_was_learned_and_merges_to_one_layer() -> None:
    old = torch.nn.Linear(6, 3)
    weights, intercepts = torch.randn(2, 4).double(), torch.randn(2).double()
    start = head.Head(torch.tensor([1, 3]).numpy(), 1, weights.numpy(), intercepts.numpy(), 1.0, 1.0)
    made = finetune.Head(old, start, slice(2, 6))
    x = torch.randn(5, 6)
    with torch.no_grad():
        wide = torch.cat([old(x), old(x).mean(1, keepdim=True)], 1)
        wide[:, [1, 3]] += (x[:, 2:].double() @ weights.T + intercepts).float()
        assert torch.allclose(made(x), wide, atol=1e-5)
        assert torch.allclose(made.merged()(x), made(x), atol=1e-5)
    assert {name for name, value in made.named_parameters() if value.requires_grad} == {
        "change.weight", "change.bias",
    }  # fmt: skip


@pytest.fixture
def names() -> tuple[str, ...]:
    """Of the checkpoint's outputs."""
    return KNOWN


@pytest.fixture
def converted(run_main: Callable[..., Run], tmp_path: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """A checkpoint of a small Swin with random weights, and the model folder that it was converted to."""
    file = checkpoints.save(
        checkpoints.small_swin(num_classes=len(names)).state_dict(), tmp_path / "small.pth"
    )
    (tmp_path / "labels.csv").write_text("scientific_name\n" + "\n".join(names) + "\n")
    arguments = (str(file), "--labels", str(tmp_path / "labels.csv"), "--output", str(tmp_path / "base"))
    code, out, err = run_main(convert_model.main)(*arguments, "--input-size", "64", "--threads", "1")
    assert code == 0, out + err
    return file, tmp_path / "base"


def test_changes_of_a_species_come_after_its_outputs_are_made_one() -> None:
    old = torch.nn.Linear(6, 4)
    weights, intercepts = torch.randn(2, 6).double(), torch.randn(2).double()
    start = head.Head(torch.tensor([1, 3]).numpy(), 1, weights.numpy(), intercepts.numpy(), 1.0, 1.0)
    made = finetune.Head(old, start, slice(0, 6), [0, 1, 2, 1])
    x = torch.randn(5, 6)
    with torch.no_grad():
        outputs = old(x)
        expected = torch.cat([outputs[:, :3], outputs.mean(1, keepdim=True)], 1)
        expected[:, 1] = torch.logsumexp(outputs[:, [1, 3]], 1)
        expected[:, [1, 3]] += (x.double() @ weights.T + intercepts).float()
        assert torch.allclose(made(x), expected, atol=1e-5)
        assert torch.allclose(made.merged()(x), expected, atol=1e-5)


def test_a_checkpoint_is_read_again_as_it_was_converted(
    run_main: Callable[..., Run], tmp_path: Path, names: tuple[str, ...]
) -> None:
    """With another factor of its adapters, say, it would be another network under the same digest."""
    weights = checkpoints.small_swin(num_classes=len(names)).state_dict()
    generator = torch.Generator().manual_seed(4)
    layer = "layers.0.blocks.0.attn.qkv"
    out, inner = weights[f"{layer}.weight"].shape
    weights[f"{layer}.lora_A"] = torch.randn(4, inner, generator=generator)
    weights[f"{layer}.lora_B"] = torch.randn(out, 4, generator=generator)
    weights |= {f"auxiliary.{last}": weights[f"head.fc.{last}"] + 1 for last in ("weight", "bias")}
    torch.save({"first": {"x": torch.ones(1)}, "second": weights}, tmp_path / "small.pth")
    (tmp_path / "labels.txt").write_text("\n".join(names))
    asked = ("--entry", "second", "--head", "head.fc", "--lora-alpha", "2")
    arguments = (str(tmp_path / "small.pth"), "--labels", str(tmp_path / "labels.txt"), "--input-size", "64")
    options = (*arguments, "--output", str(tmp_path / "base"), "--threads", "1", "--quantise", "none")
    code, out, err = run_main(convert_model.main)(*options, *asked)
    assert code == 0, str(out) + err
    old = Model(tmp_path / "base")
    wish = Wish(tmp_path, tmp_path / "base", tmp_path / "new", checkpoint=tmp_path / "small.pth")
    image = torch.randn(1, 3, 64, 64, generator=generator)
    with torch.no_grad():
        logits, _ = finetune.loaded(wish, old)(image)
    assert torch.allclose(logits[0], torch.from_numpy(old.ask(image.numpy())[0]), atol=1e-3)


@pytest.mark.photos
@pytest.mark.parametrize("names", [KNOWN, (*KNOWN, SYNONYM)], ids=["a name each", "a synonym"])
def test_a_checkpoint_is_fine_tuned_merged_and_served(
    converted: tuple[Path, Path],
    run_main: Callable[..., Run],
    photos_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, base = converted
    photos = {name: sorted((photos_dir / folder_of(name)).glob("*.jpg"))[:27] for name in (*KNOWN[:2], NEW)}
    make_set(tmp_path / "set", photos, 9)
    kept: dict[str, object] = {}
    real = finetune.train

    def watched(net: torch.nn.Module, *given: object, **named: object) -> object:
        kept["before"] = copy.deepcopy(net.state_dict())
        found = real(net, *given, **named)
        kept["after"] = copy.deepcopy(net.state_dict())
        return found

    monkeypatch.setattr(finetune, "train", watched)
    code, out, err = run_main(train_classifier.main)(
        "adapt", str(tmp_path / "set"), "--model", str(base), "--output", str(tmp_path / "mine"),
        "--method", "lora", "--checkpoint", str(file), "--epochs", "1",
    )  # fmt: skip
    assert code == 0, out + err
    before, after = kept["before"], kept["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    moved = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"down", "up", "weight", "bias"}
    assert {name for name in before if not torch.equal(before[name], after[name])} - {
        name for name in before if name.endswith((".down", ".up"))
    } == {"head.change.weight", "head.change.bias"}
    report = json.loads(out.splitlines()[-1])["report"]
    assert report["learned"]["adapters"] == 8
    assert len(report["learned"]["validation_loss_by_epoch"]) == 2
    served = Classifier(tmp_path / "mine")
    assert [taxon.species for taxon in served.labels] == [*KNOWN, NEW]
    document = json.loads((tmp_path / "mine" / "model.json").read_text())
    old = json.loads((base / "model.json").read_text())
    assert document["classes"] == 5
    assert document["quantisation"] == old["quantisation"]
    assert document["runtime"] == old["runtime"]
    assert "parity" not in document


def test_only_the_checkpoint_that_the_model_was_made_of_is_taken(
    converted: tuple[Path, Path], run_main: Callable[..., Run], photos_dir: Path, tmp_path: Path
) -> None:
    photos = {name: sorted((photos_dir / folder_of(name)).glob("*.jpg"))[:9] for name in KNOWN[:2]}
    make_set(tmp_path / "set", photos, 3)
    other = checkpoints.save(
        checkpoints.small_swin(num_classes=len(KNOWN), embed_dim=64).state_dict(), tmp_path / "other.pth"
    )
    code, _, err = run_main(train_classifier.main)(
        "adapt", str(tmp_path / "set"), "--model", str(converted[1]), "--output", str(tmp_path / "mine"),
        "--method", "lora", "--checkpoint", str(other),
    )  # fmt: skip
    assert code == 1
    assert "is not the checkpoint" in err
    assert not (tmp_path / "mine").exists()
