"""Pictures from strangers come out as pictures of ours, or not at all."""

import io
import struct
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from common.images import MAX_BYTES, BadImage, ImageTooLarge, prepare, prepare_cover
from PIL import Image, PngImagePlugin

pytestmark = pytest.mark.anyio

CANARY = b"canary"


def encoded(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 1 if mode in ("1", "P", "L") else None or 0).save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def png_header(width: int, height: int) -> bytes:
    """The beginning of a picture of any size, in a few bytes."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + end


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_the_four_formats_are_taken_and_written_anew(kind: str) -> None:
    made = await prepare(encoded(kind))
    assert (made.original.mime, made.original.suffix, made.original.width, made.original.height) == ("image/jpeg", "jpg", 64, 48)
    assert opened(made.original.data).format == "JPEG"
    assert len(made.blurhash) == 4 + 2 * 4 * 3


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "ICO", "TGA"])
async def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(BadImage):
        await prepare(encoded(kind))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7",
        encoded("JPEG", (640, 480))[:300],
        encoded("PNG", (640, 480))[:-40],
        encoded("WEBP")[:30],
        png_header(0, 0),
        png_header(10, 10),
    ],
)
async def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        await prepare(data)


async def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    for bomb in (png_header(50_000, 50_000), png_header(1_000_000, 41), encoded("PNG", (6400, 6251), "1")):
        with pytest.raises(ImageTooLarge):
            await prepare(bomb)
    with pytest.raises(ImageTooLarge):
        await prepare(encoded() + b"\0" * MAX_BYTES)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_nothing_about_place_maker_or_editor_stays(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = exif[0x013B] = CANARY.decode()
    exif.get_ifd(0x8825)[29] = CANARY.decode()
    options: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": CANARY * 30, "comment": CANARY, "xmp": b"<x>canary</x>"}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", CANARY.decode())
    data = encoded(kind, **options) + CANARY
    assert CANARY in data
    made, cover = await prepare(data), await prepare_cover(data, 32, 32)
    for picture in (made.original, made.preview, cover):
        assert CANARY not in picture.data
        assert not opened(picture.data).getexif()
        assert "icc_profile" not in opened(picture.data).info


async def test_a_picture_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = await prepare(encoded("JPEG", (64, 48), exif=exif.tobytes()))
    assert (made.original.width, made.original.height) == (48, 64)


@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP")])
async def test_transparency_is_kept(mode: str, kind: str) -> None:
    made = await prepare(encoded(kind, mode=mode))
    assert (made.original.mime, made.original.suffix) == ("image/png", "png")
    assert opened(made.original.data).getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "JPEG"), ("L", "JPEG"), ("I;16", "PNG"), ("1", "PNG"), ("P", "PNG"), ("P", "GIF")])
async def test_every_kind_of_colour_can_be_shown(mode: str, kind: str) -> None:
    assert opened((await prepare(encoded(kind, mode=mode))).original.data).mode == "RGB"


async def test_of_a_film_the_first_picture_stays() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    picture = opened((await prepare(out.getvalue())).original.data)
    red, _, blue = picture.convert("RGB").getpixel((4, 4))  # type: ignore[misc]
    assert red > 200 > 50 > blue


async def test_sizes_fit_without_distortion_and_small_ones_stay() -> None:
    made = await prepare(encoded("JPEG", (2000, 1000)), longest=1000, preview=100)
    assert [(p.width, p.height) for p in (made.original, made.preview)] == [(1000, 500), (100, 50)]
    assert [opened(p.data).size for p in (made.original, made.preview)] == [(1000, 500), (100, 50)]
    small = await prepare(encoded("JPEG", (1, 1)))
    assert (small.preview.width, small.preview.height) == (1, 1)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 10_000)])
@pytest.mark.parametrize(
    "work",
    [
        prepare,
        lambda data: prepare_cover(data, 400, 400),
    ],
    ids=["prepare", "cover"],
)
async def test_a_picture_like_a_thread_is_no_fault(size: tuple[int, int], work: Callable[..., Awaitable[object]]) -> None:
    with suppress(BadImage):  # refusing it would do as well
        await work(encoded("PNG", size))


async def test_a_cover_has_exactly_the_size_that_was_asked_for() -> None:
    for size in ((2000, 100), (10, 10)):
        made = await prepare_cover(encoded("PNG", size), 400, 200)
        assert opened(made.data).size == (made.width, made.height) == (400, 200)
