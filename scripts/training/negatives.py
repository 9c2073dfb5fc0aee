"""Photos of nothing we know, made by code from a fixed seed: what the model must learn to refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Generator = np.random.Generator


def _greenness(photo: np.ndarray) -> np.ndarray:
    """Excess green of an RGB photo (H,W,3) uint8: positive on leaves, near zero or below on soil."""
    rgb = photo.astype(np.float32)
    return (2 * rgb[..., 1] - rgb[..., 0] - rgb[..., 2]) / (rgb.sum(-1) + 1)


def _enlarge(crop: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(crop)).resize((size, size), Image.Resampling.BICUBIC)
    )


def _colour(g: Generator) -> tuple[int, int, int]:
    r, gr, b = (int(v) for v in g.integers(0, 256, 3))
    return r, gr, b


def soil(photos: np.ndarray, g: Generator) -> np.ndarray:
    """The least green corner of up to forty tries: soil, stones, the box, the scale; no plant."""
    size = photos.shape[1]
    best, least = photos[0], np.inf
    for _ in range(40):
        photo = photos[g.integers(len(photos))]
        side = int(g.integers(size * 2 // 5, size * 3 // 5))
        top, left = (int(g.choice([0, size - side])) for _ in range(2))
        crop = photo[top : top + side, left : left + side]
        green = float((_greenness(crop) > 0.12).mean())
        if green < least:
            best, least = crop, green
        if green < 0.002:
            break
    return _enlarge(best, size)


def shuffled(photos: np.ndarray, g: Generator) -> np.ndarray:
    """A photo cut into 3 x 3 to 6 x 6 tiles in random order: leaf texture without leaf shape."""
    photo = photos[g.integers(len(photos))]
    tiles = int(g.integers(3, 7))
    side = len(photo) // tiles
    out = photo.copy()
    order = g.permutation(tiles * tiles)
    for to, origin in enumerate(order):
        y, x = divmod(to, tiles)
        v, u = divmod(int(origin), tiles)
        tile = photo[v * side : (v + 1) * side, u * side : (u + 1) * side]
        out[y * side : (y + 1) * side, x * side : (x + 1) * side] = np.rot90(tile, int(g.integers(4)))
    return out


def scrambled(photos: np.ndarray, g: Generator) -> np.ndarray:
    """A photo with its Fourier phases replaced by random ones: the same spectrum and colours, no objects."""
    photo = photos[g.integers(len(photos))].astype(np.float32)
    phase = np.angle(np.fft.fft2(g.standard_normal(photo.shape[:2])))
    spectrum = np.fft.fft2(photo, axes=(0, 1))
    turned = np.fft.ifft2(np.abs(spectrum) * np.exp(1j * phase[..., None]), axes=(0, 1))
    mixed = turned.real - turned.real.mean((0, 1)) + photo.mean((0, 1))
    return np.clip(mixed, 0, 255).astype(np.uint8)


def noise(photos: np.ndarray, g: Generator) -> np.ndarray:
    """Coloured noise with a spectrum from white to very smooth."""
    size = photos.shape[1]
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]
    fall = (np.hypot(fy, fx) + 1 / size) ** -g.uniform(0, 2.2)
    field = np.fft.ifft2(np.fft.fft2(g.standard_normal((3, size, size))) * fall).real
    field /= field.std((1, 2), keepdims=True) + 1e-6
    mixed = np.einsum("ij,jyx->yxi", g.standard_normal((3, 3)), field)
    return np.clip(mixed * g.uniform(10, 60) + np.array(_colour(g)), 0, 255).astype(np.uint8)


def gradient(photos: np.ndarray, g: Generator) -> np.ndarray:
    """A plain colour or a ramp between two: sky, wall, a finger on the lens."""
    size = photos.shape[1]
    y, x = np.mgrid[0:size, 0:size] / (size - 1)
    ramp = np.clip(g.normal() * (x - 0.5) + g.normal() * (y - 0.5) + 0.5, 0, 1)[..., None]
    a, b = np.array(_colour(g)), np.array(_colour(g))
    if g.random() < 0.3:
        b = a
    return np.clip(a * ramp + b * (1 - ramp) + g.normal(0, g.uniform(0, 6), (size, size, 3)), 0, 255).astype(
        np.uint8
    )


def pattern(photos: np.ndarray, g: Generator) -> np.ndarray:
    """Checks, stripes and lines of text: screens, paper, cloth, fences."""
    size = photos.shape[1]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    angle, period = g.uniform(0, np.pi), g.uniform(4, 40)
    u, v = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    kind = int(g.integers(3))
    if kind == 2:
        image = Image.new("RGB", (size, size), _colour(g))
        draw = ImageDraw.Draw(image)
        height, ink = int(g.integers(9, 34)), _colour(g)
        for line in range(0, size, height + 3):
            text = "".join(chr(int(c)) for c in g.integers(33, 127, 30))
            draw.text((int(g.integers(-8, 9)), line), text, fill=ink, font_size=height)
        return np.asarray(image.rotate(float(g.uniform(-30, 30)), Image.Resampling.BILINEAR))
    wave = np.sin(u * 2 * np.pi / period)
    if kind == 1:
        wave = wave * np.sin(v * 2 * np.pi / period)
    if g.random() < 0.5:
        wave = np.sign(wave)
    share = ((wave + 1) / 2)[..., None]
    return (np.array(_colour(g)) * share + np.array(_colour(g)) * (1 - share)).astype(np.uint8)


def shapes(photos: np.ndarray, g: Generator) -> np.ndarray:
    """Blobs and bars of any colour, often green, over soil, noise or a plain colour: objects, and leaves of
    no species.
    """
    ground = (soil, noise, gradient, soil)[int(g.integers(4))](photos, g)
    size = len(ground)
    image = Image.fromarray(ground).resize((2 * size, 2 * size))
    draw = ImageDraw.Draw(image)
    green = g.random() < 0.5
    for _ in range(int(g.integers(1, 9))):
        ink = _colour(g)
        if green:
            level = float(g.uniform(60, 210))
            ink = (int(level * g.uniform(0.5, 0.9)), int(level), int(level * g.uniform(0.2, 0.7)))
        cx, cy = g.uniform(0, 2 * size, 2)
        long, wide = g.uniform(10, size), g.uniform(4, size / 2)
        angle = g.uniform(0, 2 * np.pi)
        turn = np.linspace(0, 2 * np.pi, int(g.choice([3, 4, 5, 24, 24, 24])), endpoint=False)
        rough = 1 + g.uniform(0, 0.3) * g.standard_normal(len(turn))
        px, py = long * np.cos(turn) * rough, wide * np.sin(turn) * rough
        xs = cx + px * np.cos(angle) - py * np.sin(angle)
        ys = cy + px * np.sin(angle) + py * np.cos(angle)
        draw.polygon([(float(a), float(b)) for a, b in zip(xs, ys, strict=True)], fill=ink)
    drawn = np.asarray(image.resize((size, size), Image.Resampling.BOX)).astype(np.float32)
    return np.clip(drawn + g.normal(0, g.uniform(0, 8), drawn.shape), 0, 255).astype(np.uint8)


def warped(photos: np.ndarray, g: Generator) -> np.ndarray:
    """A photo bent by strong smooth waves: real leaves in shapes that no species has."""
    photo = photos[g.integers(len(photos))]
    size = len(photo)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    for _ in range(3):
        fx, fy = g.uniform(-0.05, 0.05, 2)
        dx += g.uniform(6, 14) * np.sin(2 * np.pi * (fx * x + fy * y) + g.uniform(0, 6.28))
        fx, fy = g.uniform(-0.05, 0.05, 2)
        dy += g.uniform(6, 14) * np.sin(2 * np.pi * (fx * x + fy * y) + g.uniform(0, 6.28))
    u = np.abs(np.round(x + dx).astype(int))
    v = np.abs(np.round(y + dy).astype(int))
    last = size - 1
    return photo[last - np.abs(last - v), last - np.abs(last - u)]


KINDS: dict[str, Callable[[np.ndarray, Generator], np.ndarray]] = {
    "soil": soil,
    "shuffled": shuffled,
    "scrambled": scrambled,
    "noise": noise,
    "gradient": gradient,
    "pattern": pattern,
    "shapes": shapes,
    "warped": warped,
}


def blend(photos: np.ndarray, labels: np.ndarray, g: Generator) -> np.ndarray:
    """Two photos of different species, half through each other: a plant between the known ones."""
    a = int(g.integers(len(photos)))
    others = np.nonzero(labels != labels[a])[0]
    b = int(others[g.integers(len(others))])
    share = g.uniform(0.4, 0.6)
    return (photos[a] * share + photos[b] * (1 - share)).astype(np.uint8)


def make(pixels: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """`count` negatives (uint8, count x 3 x S x S) and the kind of each, kinds in turn, from photos
    (N,3,S,S).
    """
    g = np.random.default_rng(seed)
    photos = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    names = [*KINDS, "blend"]
    made, kinds = [], []
    for i in range(count):
        kind = names[i % len(names)]
        image = blend(photos, labels, g) if kind == "blend" else KINDS[kind](photos, g)
        made.append(image.transpose(2, 0, 1))
        kinds.append(kind)
    return np.stack(made), kinds
