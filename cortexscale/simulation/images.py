"""Procedural images of labelled objects. They are the labelled images and the stimuli of the demo study.

An object has one of four shapes and one of four textures. Shape and texture together are the label. All else is random in each
image: place, size, orientation, spatial frequency, colours, lighting, background, clutter that may cover part of the object, and
pixel noise. Colours give a hint of the label.
"""

from pathlib import Path

import numpy as np
from PIL import Image

SHAPES = ("disc", "square", "cross", "triangle")
TEXTURES = ("plain", "striped", "ringed", "checker-board")  # a few names of concepts in THINGS have hyphens, too
CLASSES = tuple(f"{texture}_{shape}" for shape in SHAPES for texture in TEXTURES)

_BACKGROUND = 5  # number of cells along a side of the background's coarse colour noise
_CLUTTER = 3  # number of bars in an image; the last bar is in front of the object
_THINGS_SIZES = (40, 48, 56, 64)
_CHUNK = 500  # number of images painted at a time; it limits memory and does not change the result

Scenes = dict[str, np.ndarray]
"""Property -> its values in all images. The unit of length is the side of an image."""


def _rgb(hue: np.ndarray, chroma: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return RGB colours (n, 3) of ``hue`` (in turns), at the distance ``chroma`` from grey. ``light`` is the channels' mean."""
    return light[:, None] + chroma[:, None] * np.cos(2 * np.pi * (hue[:, None] - np.arange(3) / 3))


def _draw_scenes(label: np.ndarray, rng: np.random.Generator) -> Scenes:
    n = len(label)
    # Each class has a typical hue, and each texture has a typical hue of ink. Half of the labels can be told from colour alone.
    hue = label * 5 % len(CLASSES) / len(CLASSES) + 0.1 * rng.normal(size=n)
    ink_hue = label % len(TEXTURES) / len(TEXTURES) + 0.15 * rng.normal(size=n)
    return {
        "label": label,
        "centre": rng.uniform(-0.1, 0.1, (n, 2)),
        "radius": rng.uniform(0.3, 0.42, n),
        "angle": rng.uniform(-0.5, 0.5, n),
        "wave": 2 * np.pi * rng.uniform(4.5, 6, n),  # radians per image
        "phase": rng.uniform(0, 2 * np.pi, (n, 2)),
        "colour": _rgb(hue, rng.uniform(0.15, 0.4, n), rng.uniform(0.5, 0.75, n)),
        "ink": _rgb(ink_hue, rng.uniform(0.1, 0.3, n), rng.uniform(-0.5, -0.3, n)),  # full ink adds this to the colour
        "background": 0.22 + 0.08 * rng.normal(size=(n, _BACKGROUND, _BACKGROUND, 3)),
        "light": rng.uniform(-0.5, 0.5, (n, 2)),
        "bar_centre": rng.uniform(-0.5, 0.5, (n, _CLUTTER, 2)),
        "bar_angle": rng.uniform(0, np.pi, (n, _CLUTTER)),
        # These are half the length and half the width of a bar.
        "bar_half": np.stack([rng.uniform(0.1, 0.3, (n, _CLUTTER)), rng.uniform(0.02, 0.06, (n, _CLUTTER))], axis=-1),
        "bar_colour": rng.uniform(0, 1, (n, _CLUTTER, 3)),
    }


def _rotated(xy: np.ndarray, centre: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels' coordinates along the two axes of n objects, each (n, size, size).

    Objects are at ``centre`` (n, 2) and turned by ``angle`` (n,).
    """
    x = xy[None, None, :] - centre[:, 0, None, None]
    y = xy[None, :, None] - centre[:, 1, None, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return x * cos + y * sin, y * cos - x * sin


def _outside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the signed distance to the outline of a shape of radius 1. The distance is negative inside the shape."""
    if shape == "disc":
        return np.hypot(u, v) - 0.85
    u, v_abs = np.abs(u), np.abs(v)
    if shape == "square":
        return np.maximum(u, v_abs) - 0.76
    if shape == "cross":
        return np.minimum(np.maximum(u - 0.34, v_abs - 1), np.maximum(u - 1, v_abs - 0.34))
    return np.maximum(-v - 0.52, 0.866 * u + 0.5 * v - 0.52)


def _pattern(texture: str, u: np.ndarray, v: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Return the amount of ink, in [0, 1], at pixels of n images.

    ``u`` and ``v`` (n, size, size) are coordinates of the pixels, in radians of the wave of the texture. ``phase`` is (n, 2).
    """
    first, second = phase[:, 0, None, None], phase[:, 1, None, None]
    if texture == "plain":
        return np.zeros_like(u)
    if texture == "striped":
        return 0.5 + 0.5 * np.sin(u + first)
    if texture == "ringed":
        return 0.5 + 0.5 * np.sin(np.hypot(u, v) + first)
    return np.clip(0.5 + 0.8 * np.sin(u + first) * np.sin(v + second), 0, 1)


def _paint(scenes: Scenes, size: int) -> np.ndarray:
    """Paint scenes without noise. Return float32 images (n, size, size, 3) with values of about [0, 1]."""
    xy = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    drawn = {name: values.astype(np.float32) for name, values in scenes.items()}

    def cover(canvas: np.ndarray, distance: np.ndarray, colour: np.ndarray) -> None:
        """Paint ``colour`` where ``distance`` (in sides of the image) is negative, with a soft edge of one pixel."""
        opacity = np.clip(0.5 - distance * size, 0, 1)[..., None]
        canvas += opacity * (colour - canvas)

    cells = (np.arange(_BACKGROUND) + 0.5) / _BACKGROUND - 0.5
    blend = np.clip(1 - np.abs(xy[:, None] - cells) * _BACKGROUND, 0, None)
    blend = (blend / blend.sum(axis=1, keepdims=True)).astype(np.float32)
    canvas = np.einsum("ya,xb,nabc->nyxc", blend, blend, drawn["background"], optimize=True)

    u, v = _rotated(xy, drawn["centre"], drawn["angle"])
    radius, wave = drawn["radius"][:, None, None], drawn["wave"][:, None, None]
    distance, pattern = np.empty_like(u), np.empty_like(u)
    shape, texture = np.divmod(scenes["label"], len(TEXTURES))
    for index, name in enumerate(SHAPES):
        own = shape == index
        distance[own] = radius[own] * _outside(name, u[own] / radius[own], v[own] / radius[own])
    for index, name in enumerate(TEXTURES):
        own = texture == index
        pattern[own] = _pattern(name, wave[own] * u[own], wave[own] * v[own], drawn["phase"][own])
    colour, ink = drawn["colour"][:, None, None, :], drawn["ink"][:, None, None, :]

    for bar in range(_CLUTTER):
        if bar == _CLUTTER - 1:
            cover(canvas, distance, colour + ink * pattern[..., None])
        along, across = _rotated(xy, drawn["bar_centre"][:, bar], drawn["bar_angle"][:, bar])
        half = drawn["bar_half"][:, bar, :, None, None]
        outside = np.maximum(np.abs(along) - half[:, 0], np.abs(across) - half[:, 1])
        cover(canvas, outside, drawn["bar_colour"][:, bar, None, None, :])
    slope = drawn["light"]
    light = 1 + slope[:, 0, None, None] * xy[None, None, :] + slope[:, 1, None, None] * xy[None, :, None]
    return canvas * light[..., None]


def _render(scenes: Scenes, size: int, rng: np.random.Generator) -> np.ndarray:
    """Paint scenes with pixel noise. Return uint8 images (n, size, size, 3)."""
    n = len(scenes["label"])
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        canvas = _paint({name: values[part] for name, values in scenes.items()}, size)
        canvas += 0.03 * rng.standard_normal(canvas.shape, dtype=np.float32)
        images[part] = np.clip(255 * canvas + 0.5, 0, 255)
    return images


def render(n: int, seed: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Paint labelled images. Return uint8 RGB images (n, size, size, 3), and int64 labels (n,), which index ``CLASSES``.

    Classes are shuffled, and their counts differ by at most one. The same seed gives the same scenes at every size; only the
    pixel noise differs.
    """
    scene_rng, noise_rng = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    labels = scene_rng.permutation(n) % len(CLASSES)
    return _render(_draw_scenes(labels, scene_rng), size, noise_rng), labels


def concept_names(n: int) -> list[str]:
    """Return ``n`` names of concepts in the spelling of THINGS. Concept i has the class i modulo the number of classes."""
    return [f"{CLASSES[i % len(CLASSES)]}{i // len(CLASSES) + 1}" for i in range(n)]


def write_things(root: Path | str, concepts: int, per_concept: int, seed: int) -> list[str]:
    """Write images in the layout of THINGS, and return their ids in byte order.

    Files are ``<concept>/<concept>_01b.jpg``, ``_02s.jpg``, ... They are square JPEGs of different sizes, because the images of
    THINGS also differ in size.
    """
    scene_rng, noise_rng = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    scenes = _draw_scenes(np.repeat(np.arange(concepts), per_concept) % len(CLASSES), scene_rng)
    sizes = scene_rng.choice(_THINGS_SIZES, len(scenes["label"]))
    files = []
    for name in concept_names(concepts):
        (Path(root) / name).mkdir(parents=True, exist_ok=True)
        files += [f"{name}/{name}_01b.jpg", *(f"{name}/{name}_{number:02d}s.jpg" for number in range(2, per_concept + 1))]
    for size in _THINGS_SIZES:
        own = np.flatnonzero(sizes == size)
        for row, image in zip(own, _render({name: values[own] for name, values in scenes.items()}, size, noise_rng), strict=True):
            Image.fromarray(image).save(Path(root) / files[row], quality=95, subsampling=0)
    return sorted(files)
