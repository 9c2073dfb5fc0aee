"""Makes the model folders that `bench.py models` and `container` measure; runs in the training environment.

Swin Transformers of the published sizes with 2,959 outputs. No such weights are at hand offline, and on random
ones the agreement of two graphs says nothing: the first 12 outputs are fitted to the seedling species on the
network's own features (ridge regression), or come with a checkpoint that was trained; the others are small. So
the likeliest class is a decision among 12, with the memory and the time of 2,959.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lib.classifier import folder as model_folder
from lib.classifier import preprocess, taxonomy
from scripts.conversion import backbones, export
from scripts.conversion.quantise import VARIANTS, quantise

CLASSES = 2959
SIDE, SHORT = 224, 248  # pixels: the crop, and the short side before it, as timm publishes them
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CALIBRATING = 32  # photos
# Random features of twelve seedlings hardly differ: a head with less of it lives on differences of the size of
# rounding, which no trained one does.
RIDGE = 1000.0
DECISIVE = 12.0  # what the fitted logits are stretched by, to the range of trained ones
OTHERS = 0.02  # standard deviation of the weights of the outputs that no photo shows


class Extended(torch.nn.Module):
    """A timm backbone and a head of 2,959 outputs, with the two outputs of the model format."""

    place = None  # asks for no latitude and longitude

    def __init__(self, backbone: torch.nn.Module, head: torch.nn.Linear) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.eval()

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.backbone.forward_head(self.backbone.forward_features(image), pre_logits=True)
        return self.head(embedding), embedding


def network(size: str, checkpoint: Path | None, fitting: list[tuple[int, Path]]) -> Extended:
    """The network of a size; `fitting` are (species, photo) pairs for the head where no checkpoint brings one."""
    timm = backbones.timm()
    torch.manual_seed(1)
    name = f"swin_{size}_patch4_window7_224"
    if checkpoint is not None:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        backbone = timm.create_model(name, num_classes=len(state["head.fc.weight"])).eval()
        backbone.load_state_dict(state, strict=True)
        known = backbone.head.fc.weight.detach(), backbone.head.fc.bias.detach()
    else:
        backbone = timm.create_model(name, num_classes=0).eval()
        known = _ridge(backbone, fitting)
    head = torch.nn.Linear(backbone.num_features, CLASSES)
    with torch.no_grad():
        head.weight.normal_(0, OTHERS)
        head.bias.zero_()
        head.weight[: len(known[0])], head.bias[: len(known[1])] = known
    return Extended(backbone, head)


def _ridge(backbone: torch.nn.Module, fitting: list[tuple[int, Path]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (K, D) and bias (K,) that tell the species apart by the backbone's features."""
    card = model_folder.parse(card_of("fit", {}))
    features = []
    with torch.inference_mode():
        for _, path in fitting:
            pixels = torch.from_numpy(preprocess.tensor(opened(path), card))
            features.append(backbone.forward_head(backbone.forward_features(pixels), pre_logits=True)[0])
    x = torch.stack(features).double()
    species = torch.tensor([number for number, _ in fitting])
    y = torch.nn.functional.one_hot(species).double()
    middle, spread = x.mean(0), x.std(0).clamp_min(1e-6)
    z = (x - middle) / spread
    solved = torch.linalg.solve(
        z.T @ z + RIDGE * torch.eye(z.shape[1], dtype=torch.double), z.T @ (y - y.mean(0))
    )
    weight = (solved / spread[:, None]).T
    bias = y.mean(0) - weight @ middle
    return (DECISIVE * weight).float(), (DECISIVE * bias).float()


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def card_of(name: str, digests: dict[str, str], classes: int = CLASSES) -> dict[str, object]:
    """model.json of a measured model."""
    return {
        "name": name,
        "version": "1",
        "input_size": [SIDE, SIDE],
        "mean": MEAN,
        "std": STD,
        "resize": {"short_side": SHORT, "resample": "bicubic"},
        "crop": "center",
        "temperature": 1.0,
        "prior": [1 / classes] * classes,
        "sha256": digests,
    }


def write_labels(path: Path, species: list[str], classes: int = CLASSES) -> None:
    """The species of the photos, then numbers: the other outputs mean nothing, and their names say so."""
    names = [*species, *(f"Output {number}" for number in range(len(species), classes))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(taxonomy.COLUMNS)
        for index, name in enumerate(names):
            writer.writerow([index, name, name.split(" ", maxsplit=1)[0], "", "", "", "", ""])


def make(
    source: Path, target: Path, variant: str, species: list[str], calibration: list[dict[str, np.ndarray]]
) -> None:
    """One whole model folder; `variant` is a method of `quantise`, with `:plain` for one file, optimised at
    load, or `:prepacked` for weights repacked at load.
    """
    method, _, how = variant.partition(":")
    unfinished = target.with_name(f"{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    made = quantise(source, unfinished, method, calibration, plain=how == "plain")
    write_labels(unfinished / "labels.csv", species)
    digests = {
        name: hashlib.sha256((unfinished / name).read_bytes()).hexdigest()
        for name in (*made.files, "labels.csv")
    }
    card = card_of(target.name, digests) | {"quantisation": made.text}
    if made.runtime:
        card["runtime"] = made.runtime | ({"prepacking": True} if how == "prepacked" else {})
    (unfinished / "model.json").write_text(json.dumps(card), encoding="utf-8")
    unfinished.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=("tiny", "small", "base", "large"))
    parser.add_argument("target", type=Path)
    parser.add_argument("--variants", nargs="+", required=True, help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--photos", type=Path, required=True, help="JSON file: species, fitting, calibrating")
    parser.add_argument("--checkpoint", type=Path, help="a timm state dict of this size")
    asked = parser.parse_args()
    # One photo at a time has little to share out, and on a busy machine threads wait for each other.
    torch.set_num_threads(1)
    given = json.loads(asked.photos.read_text(encoding="utf-8"))
    asked.target.mkdir(parents=True, exist_ok=True)
    graph = asked.target / "float32.onnx"
    if not graph.exists():
        print(f"  making Swin-{asked.size} …", file=sys.stderr, flush=True)
        made = network(asked.size, asked.checkpoint, [(int(n), Path(path)) for n, path in given["fitting"]])
        unfinished = graph.with_suffix(".part")
        export.write(made, SIDE, unfinished)
        unfinished.rename(graph)
    card = model_folder.parse(card_of("calibration", {}))
    calibration = [{"image": preprocess.tensor(opened(Path(path)), card)} for path in given["calibrating"]]
    for variant in asked.variants:
        target = asked.target / variant.replace(":", "-")
        if not (target / "model.json").exists():
            print(f"  writing {asked.size} {variant} …", file=sys.stderr, flush=True)
            make(graph, target, variant, given["species"], calibration)


if __name__ == "__main__":
    main()
