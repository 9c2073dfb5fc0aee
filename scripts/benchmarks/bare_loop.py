"""The yardstick for one photo: Pillow and ONNX Runtime in a bare loop, in a process of its own.

Reads the path of a photo from each line of standard input and answers with the seconds it took, from the
bytes in memory to the logits. Shares no code with `lib`, only the model folder.
"""

from __future__ import annotations

import json
import os
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

TARGET = 512  # pixels of the short side up to which a JPEG is decoded, as in lib.photos


def main() -> None:
    folder = Path(sys.argv[1])
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    height, width = card["input_size"]
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    resample = filters[card["resize"]["resample"]]
    mean = np.asarray(card["mean"], np.float32) * np.float32(255)
    std = np.asarray(card["std"], np.float32) * np.float32(255)
    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = False
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    for line in sys.stdin:
        data = Path(line.strip()).read_bytes()
        started = time.perf_counter()
        image = Image.open(BytesIO(data))
        reduction = TARGET / min(image.size)
        image.draft("RGB", (round(image.width * reduction), round(image.height * reduction)))
        image = image.convert("RGB")
        scale = min(image.size) / card["resize"]["short_side"]
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        seen = image.resize(
            (width, height), resample, box=(left, top, left + width * scale, top + height * scale)
        )
        pixels = (np.asarray(seen, np.float32) - mean) / std
        session.run(["logits"], {"image": np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
