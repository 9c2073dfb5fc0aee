"""Loads one model folder in a process of its own and asks it; prints what it found as JSON.

The parent has no NumPy: mapped there too, its pages would be shared and the model look smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

MEBIBYTE = 1024 * 1024


def held() -> dict[str, float]:
    """Megabytes of this process: resident, of it anonymous and mapped from files, and the highest so far."""
    names = {"VmRSS": "rss_mb", "RssAnon": "anonymous_mb", "RssFile": "file_mb", "VmHWM": "peak_mb"}
    found = {}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            found[names[name]] = round(int(rest.split()[0]) / 1024, 1)
    return found


def weigh(folder: Path, paths: list[Path]) -> dict[str, object]:
    """Load time, time and memory of one photo after the other on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from PIL import Image

    from lib.classifier.model import Classifier

    before = held()
    started = time.perf_counter()
    model = Classifier(folder)
    load = time.perf_counter() - started
    loaded = held()
    wall, cpu = [], []
    for path in paths:
        with Image.open(path) as image:
            photo = image.convert("RGB")
        started, worked = time.perf_counter(), time.process_time()
        model.classify(photo)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - worked)
    middle = len(paths) // 2
    return {
        "load_ms": round(load * 1000),
        "median_ms": round(sorted(wall)[middle] * 1000, 1),
        "median_cpu_ms": round(sorted(cpu)[middle] * 1000, 1),
        "before": before,
        "loaded": loaded,
        "after": held(),
        "files_mb": round(sum(path.stat().st_size for path in folder.glob("model.onnx*")) / MEBIBYTE, 1),
    }


def answer(folder: Path, paths: list[Path], target: Path) -> None:
    """The logits of every photo, float32 (N, K), into `target`."""
    import numpy as np
    from PIL import Image

    from lib.classifier import folder as model_folder
    from lib.classifier import preprocess, session

    card = model_folder.read(folder)
    opened = session.load(folder / "model.onnx", card.runtime)
    logits = []
    for path in paths:
        with Image.open(path) as image:
            pixels = preprocess.tensor(image.convert("RGB"), card)
        logits.append(opened.run(["logits"], {"image": pixels})[0][0])
    unfinished = target.with_suffix(".part.npy")
    np.save(unfinished, np.stack(logits))
    unfinished.rename(target)


def compare(expected: Path, found: Path, species: list[int]) -> dict[str, float]:
    """How far two files of logits agree, and how often the second is right.

    The likeliest of all outputs is compared; probabilities are those of the photos' species alone, as with a list
    of species: spread over outputs that mean nothing, they would be too small to differ.
    """
    import numpy as np

    def shares(logits: np.ndarray) -> np.ndarray:
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    one, other = (np.load(path).astype(np.float64) for path in (expected, found))
    known = max(species) + 1
    apart = np.abs(shares(one[:, :known]) - shares(other[:, :known])).max(axis=1)
    return {
        "photos": len(one),
        "agreement": round(float((one.argmax(1) == other.argmax(1)).mean()), 4),
        "largest_probability": round(float(apart.max()), 4),
        "mean_probability": round(float(apart.mean()), 4),
        "largest_logit": round(float(np.abs(one - other)[:, :known].max()), 4),
        "right": round(float((other.argmax(1) == np.array(species)).mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("weigh", "answer", "compare"))
    parser.add_argument("folder", type=Path, help="compare: the logits of float32")
    parser.add_argument("photos", type=Path, help="JSON file: weighing, comparing")
    parser.add_argument("--logits", type=Path, help="answer: where to write them; compare: which to compare")
    asked = parser.parse_args()
    given = json.loads(asked.photos.read_text(encoding="utf-8"))
    if asked.what == "weigh":
        print(json.dumps(weigh(asked.folder, [Path(path) for path in given["weighing"]])))
    elif asked.what == "answer":
        answer(asked.folder, [Path(path) for _, path in given["comparing"]], asked.logits)
    else:
        print(json.dumps(compare(asked.folder, asked.logits, [number for number, _ in given["comparing"]])))


if __name__ == "__main__":
    main()
