#!/usr/bin/env python3
"""Convert a PyTorch checkpoint into a model folder that the server loads.

The checkpoint is a file, or hf:OWNER/REPO/FILE[@REVISION] of the Hugging Face hub. Swin Transformers are recognised
by their keys and shapes (timm of today and before, Microsoft's, Hugging Face, torchvision; LoRA is merged);
any other timm classifier is named with --architecture. Nothing is written unless every weight has its place and the
converted graph gives what the checkpoint gives.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def cpus() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def three(text: str) -> tuple[float, float, float]:
    """`R,G,B`, one number for each colour."""
    red, green, blue = (float(part) for part in text.split(","))
    return red, green, blue


def degrees(text: str) -> tuple[float, float]:
    """`LAT,LON` in degrees."""
    latitude, longitude = (float(part) for part in text.split(","))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(text)
    return latitude, longitude


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "checkpoint", help="a file (.safetensors, .pt, .pth, .bin) or hf:OWNER/REPO/FILE[@REVISION]"
    )
    made.add_argument("--sha256", help="refuse a checkpoint with another digest")
    made.add_argument(
        "--labels", type=Path, required=True, help="CSV with a column scientific_name, or a name a line"
    )
    made.add_argument("--output", type=Path, required=True, help="the model folder to write")
    made.add_argument("--replace", action="store_true", help="replace the model in that folder")
    made.add_argument("--name", help="the model's name (the folder's)")
    made.add_argument("--version", default="1.0.0")
    made.add_argument("--licence", help="of the checkpoint, for model.json and the card")
    made.add_argument("--source", help="where the checkpoint is described, for model.json and the card")
    made.add_argument(
        "--inatag", action="store_true", help="the checkpoint is one of iNatAg's: store its data's licence"
    )
    made.add_argument("--prior", type=Path, help="share of each class among the training photos (all equal)")
    made.add_argument(
        "--quantise", default="auto", metavar="METHOD", help="auto, none, dynamic-int8, static-int8 …"
    )
    made.add_argument("--threads", type=int, default=cpus())

    known = made.add_argument_group("what the file may not tell")
    known.add_argument("--architecture", help="timm's name of it, for all but Swin Transformers")
    known.add_argument(
        "--input-size", type=int, help="pixels (Swin: 224 for windows of 7, 384 for windows of 12)"
    )
    known.add_argument("--entry", help="the file's entry with the weights, where several hold some")
    known.add_argument(
        "--head", metavar="NAME", help="the layer that gives the species, where several could be"
    )
    known.add_argument("--lora-alpha", type=float, help="adapter_config.json's beside the file, else 32")
    known.add_argument("--mean", type=three, metavar="R,G,B", help="of the pixels, 0 to 1")
    known.add_argument("--std", type=three, metavar="R,G,B")
    known.add_argument("--resize", type=int, metavar="PIXELS", help="the short side before the crop")
    known.add_argument("--resample", choices=["bilinear", "bicubic"])

    place = made.add_argument_group("checkpoints that take latitude and longitude")
    place.add_argument(
        "--place-scale", choices=["degrees", "unit", "sincos"], help="no default: see the error"
    )
    place.add_argument("--place-activation", choices=["relu", "gelu", "none"], default="relu")
    place.add_argument(
        "--place-end",
        choices=["activated", "plain"],
        default="activated",
        help="after the place's last layer",
    )
    place.add_argument("--place-order", choices=["image-first", "place-first"], default="image-first")
    place.add_argument(
        "--default-place", type=degrees, metavar="LAT,LON", help="for photos without one (=-33.9,18.4)"
    )

    judged = made.add_argument_group("how good the result is")
    judged.add_argument(
        "--photos", type=Path, help="photos to compare on and to quantise with; else generated pictures"
    )
    judged.add_argument("--compare", type=int, default=64, help="on how many of them at most")
    judged.add_argument(
        "--calibration", type=Path, help="folders Genus_species/*.jpg to fit the temperature on"
    )
    made.add_argument(
        "--strangers",
        type=Path,
        help="photos of anything that the model does not know, to fit how to tell them (with --calibration)",
    )
    judged.add_argument("--temperature", type=float, default=1.0, help="where it is not fitted")
    return made


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        from scripts.conversion import Refused, run
    except ImportError as missing:
        print(f"{missing}. Install the training packages first: make convert does", file=sys.stderr)
        return 2
    try:
        run.convert(arguments)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except OSError as failed:  # the disk is full, the folder may not be written …
        print(f"{failed}. Nothing was written.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Ended from outside, it clears its unfinished folder away as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
