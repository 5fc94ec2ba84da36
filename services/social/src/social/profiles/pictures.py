"""Pictures for people who haven't chosen one: calm gradients with a shape, drawn once by number and kept in memory."""

import colorsys
import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

COUNT: Final = 24
_SCALE: Final = 2


@lru_cache(maxsize=2 * COUNT)
def draw(kind: str, number: int) -> bytes:
    """Return a PNG: `avatar` 400 by 400, `header` 1500 by 500 pixels; the same number always gives the same picture."""
    width, height = (400, 400) if kind == "avatar" else (1500, 500)
    hue = (number * 0.381966) % 1
    image = _gradient(width, height, _colour(hue, 0.62, 0.45), _colour(hue + 0.09, 0.75, 0.55))
    if kind == "avatar":
        _figure(image, _colour(hue + 0.02, 0.95, 0.22), number)
    else:
        _hills(image, hue, number)
    out = io.BytesIO()
    image.quantize(96, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _colour(hue: float, value: float, saturation: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(width: int, height: int, above: tuple[int, int, int], below: tuple[int, int, int]) -> Image.Image:
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), below), Image.new("RGB", (width, height), above), mask)


def _figure(image: Image.Image, colour: tuple[int, int, int], number: int) -> None:
    """A head and shoulders, drawn at twice the size and softened."""
    size = image.width * _SCALE
    layer = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(layer)
    radius = size * (0.17 + 0.01 * (number % 3))
    pen.ellipse((size / 2 - radius, size * 0.38 - radius, size / 2 + radius, size * 0.38 + radius), fill=255)
    pen.ellipse((size * 0.16, size * 0.62, size * 0.84, size * 1.3), fill=255)
    mask = layer.resize(image.size, Image.Resampling.LANCZOS)
    image.paste(Image.new("RGB", image.size, colour), mask=mask)


def _hills(image: Image.Image, hue: float, number: int) -> None:
    for layer in range(4):
        mask = Image.new("L", image.size, 0)
        pen = ImageDraw.Draw(mask)
        base = image.height * (0.55 + 0.13 * layer)
        for bump in range(-1, 5):
            middle = image.width * (bump / 3 + 0.13 * ((number + layer * 5) % 7) / 3)
            radius = image.width * (0.2 + 0.02 * ((bump + layer) % 3))
            pen.ellipse((middle - radius, base, middle + radius, base + 2 * radius), fill=255)
        pen.rectangle((0, min(base + image.height * 0.2, image.height), image.width, image.height), fill=255)
        colour = Image.new("RGB", image.size, _colour(hue + 0.03 * layer, 0.6 - 0.09 * layer, 0.5))
        image.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(1)))
