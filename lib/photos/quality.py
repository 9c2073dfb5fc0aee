"""How good a photo is for naming plants: sharp, well lit, with contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lib.photos.identify import LOW_RESOLUTION_SIDE

# Every photo is judged at the same short side (pixels), so that scores compare across cameras. Smaller
# photos are enlarged and so rightly score as less sharp.
WORKING_SIDE = 256
# Luminance (0 to 255) at or beyond these holds no detail.
DARKEST, BRIGHTEST = 5, 250
TYPICAL_BLUR = 200.0
FULL_CONTRAST = 50.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The measures of one photo; all finite.

    `blur_score`: variance of the Laplacian, 0 up, higher is sharper. `exposure_score`: 0 to 1.
    `brightness_mean` and `contrast_std`: luminance, 0 to 255. `score`: 0 to 1, only to choose among photos
    of the same thing.
    """

    blur_score: float
    exposure_score: float
    brightness_mean: float
    contrast_std: float
    low_resolution: bool
    score: float


def assess(image: Image.Image) -> Quality:
    """Judge an RGB picture the right way up (`Decoded.image`).

    With Y the luminance (ITU-R 601) after resizing the short side to 256 pixels:

    - blur_score = Var(∇²Y), ∇²Y(i,j) = Y(i−1,j) + Y(i+1,j) + Y(i,j−1) + Y(i,j+1) − 4 Y(i,j), borders left out
      (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548)
    - exposure_score = share of pixels with 5 < Y < 250
    - brightness_mean = mean(Y), contrast_std = standard deviation of Y
    - score = 0.6 · b/(b + 200) + 0.25 · exposure_score + 0.15 · min(1, contrast_std/50), b = blur_score
    - low_resolution: short side of `image` under 224 pixels
    """
    short = min(image.size)
    # A long panorama is judged by its middle; else enlarging its short side would cost any amount of memory.
    width, height = (min(side, 4 * short) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    box = (left, top, left + width, top + height)
    size = round(width * WORKING_SIDE / short), round(height * WORKING_SIDE / short)
    small = image.convert("L").resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    y = np.asarray(small, dtype=np.float32)
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    blur = float(laplacian.var(dtype=np.float64))
    exposure = float(((y > DARKEST) & (y < BRIGHTEST)).mean())
    contrast = float(y.std(dtype=np.float64))
    sharp = blur / (blur + TYPICAL_BLUR)
    score = 0.6 * sharp + 0.25 * exposure + 0.15 * min(1.0, contrast / FULL_CONTRAST)
    return Quality(
        blur_score=blur,
        exposure_score=exposure,
        brightness_mean=float(y.mean(dtype=np.float64)),
        contrast_std=contrast,
        low_resolution=short < LOW_RESOLUTION_SIDE,
        score=score,
    )
