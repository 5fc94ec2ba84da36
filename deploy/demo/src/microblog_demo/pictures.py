"""Pictures drawn by code: the same seed always gives the same picture."""

import colorsys
import io
import math
import random
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw, ImageFilter

_SIZE: Final = (960, 640)
_Colour = tuple[int, int, int]


def draw(kind: str, seed: int) -> bytes:
    """A picture of 960 by 640 pixels as JPEG; raises `KeyError` for an unknown kind."""
    image = _KINDS[kind](random.Random(f"{kind}:{seed}"))  # noqa: S311 - pictures, not secrets
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=86)
    return out.getvalue()


def avatar(name: str, hue: int) -> bytes:
    """A portrait of 400 by 400 pixels as PNG: overlapping petals around a calm middle."""
    chance = random.Random(f"avatar:{name}")  # noqa: S311 - pictures, not secrets
    image = _gradient((800, 800), _rgb(hue, 0.35, 0.95), _rgb(hue + 30, 0.5, 0.8))
    petals = chance.choice((5, 6, 7, 8, 9))
    for ring, (radius, size) in enumerate(((250, 190), (150, 150))):
        layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
        pen = ImageDraw.Draw(layer)
        for petal in range(petals):
            angle = 2 * math.pi * (petal + ring / 2) / petals
            x, y = 400 + radius * math.cos(angle), 400 + radius * math.sin(angle)
            colour = _rgb(hue + 18 * ring + 7 * (petal % 3), 0.55 + 0.1 * ring, 0.75 - 0.18 * ring)
            pen.ellipse((x - size, y - size, x + size, y + size), fill=(*colour, 120))
        image = Image.alpha_composite(image.convert("RGBA"), layer)
    pen = ImageDraw.Draw(image)
    pen.ellipse((290, 290, 510, 510), fill=_rgb(hue + 180, 0.25, 0.98))
    pen.ellipse((340, 340, 460, 460), fill=_rgb(hue, 0.6, 0.4))
    out = io.BytesIO()
    image.convert("RGB").resize((400, 400), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()


def header(name: str, hue: int) -> bytes:
    """A banner of 1500 by 500 pixels as JPEG."""
    chance = random.Random(f"header:{name}")  # noqa: S311 - pictures, not secrets
    image = _gradient((1500, 500), _rgb(hue, 0.25, 0.97), _rgb(hue + 25, 0.4, 0.85))
    for layer in range(4):
        _ridge(image, chance, 0.45 + 0.14 * layer, 60, _rgb(hue + 8 * layer, 0.35 + 0.1 * layer, 0.75 - 0.14 * layer))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def _rgb(hue: float, saturation: float, value: float) -> _Colour:
    red, green, blue = colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(size: tuple[int, int], above: _Colour, below: _Colour) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, below), Image.new("RGB", size, above), mask)


def _ridge(image: Image.Image, chance: random.Random, height: float, rough: float, colour: _Colour) -> None:
    """A line of hills from edge to edge, filled downwards."""
    waves = [(chance.uniform(0.5, 3.5), chance.uniform(0, 6.3), chance.uniform(0.25, 1.0)) for _ in range(4)]
    width, tall = image.size
    points = []
    for x in range(0, width + 12, 12):
        wave = sum(weight * math.sin(x / width * 2 * math.pi * rate + shift) for rate, shift, weight in waves)
        points.append((x, tall * height + rough * wave / 2))
    ImageDraw.Draw(image).polygon([(0, tall), *points, (width, tall)], fill=colour)


def _glow(image: Image.Image, x: float, y: float, radius: float, colour: _Colour) -> Image.Image:
    mask = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(mask)
    pen.ellipse((x - radius * 2, y - radius * 2, x + radius * 2, y + radius * 2), fill=90)
    mask = mask.filter(ImageFilter.GaussianBlur(radius))
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return Image.composite(Image.new("RGB", image.size, colour), image, mask.filter(ImageFilter.GaussianBlur(2)))


def _hills(chance: random.Random) -> Image.Image:
    hue = chance.choice((70, 95, 120, 150))
    image = _glow(_gradient(_SIZE, _rgb(205, 0.25, 0.98), _rgb(35, 0.18, 1)), chance.uniform(200, 760), 190, 46, (255, 244, 214))
    for layer in range(5):
        _ridge(image, chance, 0.48 + 0.11 * layer, 70 - 8 * layer, _rgb(hue - 6 * layer, 0.22 + 0.08 * layer, 0.8 - 0.12 * layer))
    pen = ImageDraw.Draw(image)
    for row in range(9):
        x = 60 + row * 105 + chance.uniform(-15, 15)
        for leaf in range(7):
            angle = math.pi + math.pi * leaf / 6
            pen.line((x, 610, x + 38 * math.cos(angle), 610 + 52 * math.sin(angle)), fill=_rgb(130, 0.45, 0.42 + 0.04 * leaf), width=7)
    return image


def _mountains(chance: random.Random) -> Image.Image:
    hue = chance.choice((205, 220, 250, 15))
    image = _glow(_gradient(_SIZE, _rgb(hue, 0.3, 0.95), _rgb(30, 0.35, 1)), chance.uniform(250, 700), 230, 38, (255, 240, 205))
    pen = ImageDraw.Draw(image)
    for layer in range(5):
        base, x = 250 + 80 * layer, -80.0
        points: list[tuple[float, float]] = [(0, 640)]
        while x < 1040:
            points.append((x, base + chance.uniform(-110 + 14 * layer, 20)))
            x += chance.uniform(60, 130)
        pen.polygon([*points, (960, 640)], fill=_rgb(hue + 3 * layer, 0.22 + 0.1 * layer, 0.86 - 0.14 * layer))
        mist = Image.new("L", _SIZE, 0)
        ImageDraw.Draw(mist).rectangle((0, base + 40, 960, base + 90), fill=70)
        image.paste(Image.new("RGB", _SIZE, (255, 250, 245)), mask=mist.filter(ImageFilter.GaussianBlur(26)))
    return image


def _night(chance: random.Random) -> Image.Image:
    image = _gradient(_SIZE, (8, 12, 34), (52, 44, 92))
    band = Image.new("L", (1400, 1400), 0)
    pen = ImageDraw.Draw(band)
    for _ in range(900):
        y = 700 + chance.gauss(0, 80)
        x, size = chance.uniform(0, 1400), chance.uniform(4, 30)
        pen.ellipse((x - size, y - size / 2, x + size, y + size / 2), fill=chance.randrange(20, 60))
    band = band.filter(ImageFilter.GaussianBlur(20)).rotate(chance.uniform(20, 50)).crop((220, 380, 1180, 1020))
    image.paste(Image.new("RGB", _SIZE, (190, 185, 230)), mask=band)
    pen = ImageDraw.Draw(image)
    for _ in range(520):
        x, y, size = chance.uniform(0, 960), chance.uniform(0, 560), abs(chance.gauss(0, 0.9)) + 0.3
        pen.ellipse((x - size, y - size, x + size, y + size), fill=chance.choice(((255, 255, 255), (210, 222, 255), (255, 236, 210))))
    image = _glow(image, chance.uniform(150, 800), chance.uniform(90, 240), 9, (255, 246, 220))
    for layer in range(3):
        _ridge(image, chance, 0.78 + 0.07 * layer, 46, (14 - 4 * layer, 16 - 4 * layer, 36 - 9 * layer))
    return image


def _bread(chance: random.Random) -> Image.Image:
    image = _gradient(_SIZE, (92, 64, 48), (138, 98, 70))
    pen = ImageDraw.Draw(image)
    for plank in range(6):
        pen.line((0, 110 * plank, 960, 110 * plank + chance.uniform(-6, 6)), fill=(74, 50, 38), width=4)
    count = chance.choice((1, 2, 3))
    for loaf in range(count):
        x, y = 960 * (loaf + 1) / (count + 1), 330 + chance.uniform(-25, 25)
        rx, ry = (250, 200) if count == 1 else (150, 130)
        for step in range(26):
            f = 1 - step / 40
            colour = (int(126 + 86 * (step / 26)), int(74 + 82 * (step / 26)), int(34 + 66 * (step / 26)))
            pen.ellipse((x - rx * f, y - ry * f, x + rx * f, y + ry * f), fill=colour)
        for cut in range(5):
            angle = math.pi * cut / 5 + chance.uniform(-0.1, 0.1)
            dx, dy = rx * 0.62 * math.cos(angle), ry * 0.62 * math.sin(angle)
            pen.line((x - dx, y - dy, x + dx, y + dy), fill=(248, 226, 180), width=9)
    flour = Image.new("L", _SIZE, 0)
    dust = ImageDraw.Draw(flour)
    for _ in range(1600):
        x, y = chance.gauss(480, 260), chance.gauss(330, 170)
        dust.ellipse((x, y, x + 3, y + 3), fill=chance.randrange(40, 150))
    image.paste(Image.new("RGB", _SIZE, (255, 250, 240)), mask=flour.filter(ImageFilter.GaussianBlur(0.8)))
    return image


def _boat(chance: random.Random) -> Image.Image:
    image = _glow(_gradient(_SIZE, _rgb(200, 0.25, 0.98), _rgb(25, 0.22, 1)), chance.uniform(200, 760), 170, 44, (255, 238, 205))
    _ridge(image, chance, 0.6, 40, _rgb(150, 0.25, 0.62))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 420, 960, 640), fill=_rgb(200, 0.5, 0.62))
    for wave in range(70):
        x, y = chance.uniform(0, 960), 425 + 215 * (wave / 70)
        pen.line((x, y, x + chance.uniform(30, 120), y), fill=_rgb(200, 0.35, 0.72 + chance.uniform(-0.06, 0.12)), width=3)
    x, hull = chance.uniform(380, 580), chance.choice(((166, 52, 44), (32, 84, 96), (38, 58, 110), (126, 82, 46)))
    pen.line((x, 140, x, 440), fill=(84, 62, 44), width=7)
    pen.polygon([(x + 10, 150), (x + 10, 418), (x + 150, 418)], fill=(250, 246, 236))
    pen.polygon([(x - 10, 180), (x - 10, 418), (x - 110, 418)], fill=(236, 226, 208))
    pen.polygon([(x - 150, 432), (x + 170, 432), (x + 120, 492), (x - 110, 492)], fill=hull)
    return image


def _birds(chance: random.Random) -> Image.Image:
    hue = chance.choice((20, 340, 200, 45))
    image = _glow(_gradient(_SIZE, _rgb(hue, 0.28, 0.98), _rgb(hue + 25, 0.16, 1)), chance.uniform(250, 720), 260, 70, (255, 236, 208))
    pen = ImageDraw.Draw(image)
    for _ in range(chance.randrange(14, 26)):
        x, y, wing = chance.uniform(60, 900), chance.uniform(70, 400), chance.uniform(10, 24)
        pen.arc((x - 2 * wing, y - wing, x, y + wing), 200, 340, fill=(50, 44, 58), width=4)
        pen.arc((x, y - wing, x + 2 * wing, y + wing), 200, 340, fill=(50, 44, 58), width=4)
    pen.line((0, 520, 420, 470, 960, 500), fill=(58, 46, 48), width=12, joint="curve")
    for bird in range(4):
        x, y = 150 + bird * 190 + chance.uniform(-30, 30), 456 + chance.uniform(0, 22)
        pen.ellipse((x - 30, y - 22, x + 30, y + 26), fill=(70, 60, 70))
        pen.ellipse((x + 10, y - 44, x + 44, y - 10), fill=(52, 44, 56))
        pen.polygon([(x + 42, y - 30), (x + 60, y - 26), (x + 42, y - 20)], fill=(220, 150, 60))
        pen.polygon([(x - 26, y), (x - 70, y + 16), (x - 24, y + 16)], fill=(52, 44, 56))
    return image


def _bike(chance: random.Random) -> Image.Image:
    wall, frame = chance.choice((((242, 196, 90), (32, 104, 84)), ((120, 176, 206), (188, 50, 44)), ((230, 150, 130), (40, 62, 110))))
    image = _gradient(_SIZE, wall, tuple(int(c * 0.86) for c in wall))  # type: ignore[arg-type]
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 540, 960, 640), fill=(118, 112, 106))
    wheels = ((300, 430), (660, 430))
    for x, y in wheels:
        for spoke in range(18):
            angle = math.pi * spoke / 9
            pen.line((x, y, x + 118 * math.cos(angle), y + 118 * math.sin(angle)), fill=(200, 198, 190), width=2)
        pen.ellipse((x - 122, y - 122, x + 122, y + 122), outline=(40, 38, 40), width=12)
    bottom, seat, head = (450, 430), (410, 270), (600, 265)
    for a, b in ((wheels[0], bottom), (bottom, seat), (seat, wheels[0]), (seat, head), (head, bottom), (head, wheels[1])):
        pen.line((*a, *b), fill=frame, width=13)
    pen.line((404, 250, 396, 226), fill=(60, 56, 56), width=10)
    pen.rounded_rectangle((352, 208, 440, 228), 10, fill=(70, 46, 36))
    pen.line((600, 265, 590, 214, 650, 200), fill=(60, 56, 56), width=11, joint="curve")
    pen.ellipse((428, 408, 472, 452), outline=(50, 48, 50), width=8)
    return image


def _glaze(chance: random.Random) -> Image.Image:
    hue = chance.choice((165, 190, 15, 30))
    image = _gradient(_SIZE, (232, 222, 206), (206, 190, 168))
    x, y = 480 + chance.uniform(-60, 60), 320
    pen = ImageDraw.Draw(image)
    pen.ellipse((x - 292, y - 272, x + 308, y + 300), fill=(150, 134, 116))
    for ring in range(56):
        radius = 290 - ring * 5
        wobble = chance.uniform(-3, 3)
        colour = _rgb(hue + 22 * math.sin(ring / 6) + chance.uniform(-5, 5), 0.4 + 0.28 * math.sin(ring / 9) ** 2, 0.42 + 0.5 * (ring / 56))
        pen.ellipse((x - radius + wobble, y - radius * 0.95, x + radius + wobble, y + radius * 0.95), fill=colour)
    for _ in range(130):
        angle, far = chance.uniform(0, 6.3), 280 * math.sqrt(chance.random())
        size = chance.uniform(1, 6)
        px, py = x + far * math.cos(angle), y + far * 0.95 * math.sin(angle)
        pen.ellipse((px - size, py - size, px + size, py + size), fill=_rgb(hue + 30, 0.25, chance.choice((0.35, 0.96))))
    return image.filter(ImageFilter.GaussianBlur(1.2))


def _chess(chance: random.Random) -> Image.Image:
    image = Image.new("RGB", _SIZE, (58, 48, 44))
    pen = ImageDraw.Draw(image)
    size, left, top = 72, 192, 32
    for row in range(8):
        for column in range(8):
            colour = (236, 214, 176) if (row + column) % 2 == 0 else (150, 104, 74)
            pen.rectangle((left + column * size, top + row * size, left + (column + 1) * size, top + (row + 1) * size), fill=colour)
    squares = chance.sample([(r, c) for r in range(8) for c in range(8)], 9)
    for number, (row, column) in enumerate(squares):
        x, y = left + column * size + size // 2, top + row * size + size // 2
        fill, edge = ((250, 246, 236), (70, 60, 56)) if number % 2 else ((46, 40, 42), (230, 220, 206))
        kind = "king" if number < 2 else chance.choice(("rook", "pawn", "pawn", "queen"))
        pen.rounded_rectangle((x - 20, y + 14, x + 20, y + 28), 4, fill=fill, outline=edge, width=2)
        if kind == "rook":
            pen.rectangle((x - 14, y - 22, x + 14, y + 16), fill=fill, outline=edge, width=2)
        else:
            pen.polygon([(x - 13, y + 16), (x, y - 18), (x + 13, y + 16)], fill=fill, outline=edge)
            head = {"pawn": 9, "queen": 12, "king": 11}[kind]
            pen.ellipse((x - head, y - 24 - head // 2, x + head, y - 24 + head * 1.5), fill=fill, outline=edge, width=2)
        if kind == "king":
            pen.line((x, y - 44, x, y - 26), fill=edge, width=4)
            pen.line((x - 7, y - 38, x + 7, y - 38), fill=edge, width=4)
    return image


def _chart(chance: random.Random) -> Image.Image:
    image = _gradient(_SIZE, (14, 26, 24), (22, 42, 38))
    pen = ImageDraw.Draw(image)
    for line in range(1, 9):
        pen.line((70, 70 * line, 900, 70 * line), fill=(38, 66, 60), width=1)
    for bar in range(12):
        height = 90 + 330 * abs(math.sin(bar / 3.1 + chance.uniform(-0.3, 0.3)))
        pen.rounded_rectangle((86 + bar * 68, 570 - height, 126 + bar * 68, 570), 8, fill=_rgb(150 + bar * 4, 0.55, 0.75))
    points = [(70 + step * 8, 240 + 110 * math.sin(step / 7 + chance.uniform(-0.05, 0.05)) * math.cos(step / 23)) for step in range(105)]
    glow = Image.new("RGB", _SIZE, (0, 0, 0))
    ImageDraw.Draw(glow).line(points, fill=(120, 255, 190), width=8)
    image = Image.blend(image, Image.composite(glow, image, glow.convert("L").filter(ImageFilter.GaussianBlur(5))), 0.8)
    ImageDraw.Draw(image).line(points, fill=(190, 255, 220), width=3)
    return image


def _flowers(chance: random.Random) -> Image.Image:
    image = _gradient(_SIZE, _rgb(95, 0.3, 0.82), _rgb(125, 0.5, 0.42))
    pen = ImageDraw.Draw(image)
    for _ in range(150):
        x, y, angle = chance.uniform(0, 960), chance.uniform(120, 640), chance.uniform(-0.6, 0.6)
        colour = _rgb(chance.uniform(90, 140), 0.5, chance.uniform(0.3, 0.62))
        pen.line((x, 640, x + 60 * angle, y), fill=colour, width=4)
    base = chance.choice((0, 20, 45, 320))
    for _ in range(26):
        x, y, size = chance.uniform(40, 920), chance.uniform(90, 540), chance.uniform(26, 58)
        hue = base + chance.uniform(-18, 30)
        for ring in (1.0, 0.72, 0.46):
            petals = 9
            for petal in range(petals):
                angle = 2 * math.pi * petal / petals + ring * 2
                px, py = x + size * ring * 0.62 * math.cos(angle), y + size * ring * 0.62 * math.sin(angle)
                r = size * ring * 0.42
                pen.ellipse((px - r, py - r, px + r, py + r), fill=_rgb(hue, 0.45 + 0.4 * (1 - ring), 0.96 - 0.16 * ring))
        pen.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(250, 214, 110))
    return image


_KINDS: Final[dict[str, Callable[[random.Random], Image.Image]]] = {
    "hills": _hills,
    "mountains": _mountains,
    "night": _night,
    "bread": _bread,
    "boat": _boat,
    "birds": _birds,
    "bike": _bike,
    "glaze": _glaze,
    "chess": _chess,
    "chart": _chart,
    "flowers": _flowers,
}
KINDS: Final = tuple(_KINDS)
