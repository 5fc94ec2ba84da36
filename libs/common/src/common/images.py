"""Pictures from strangers: checked, turned upright, stripped of metadata, made smaller, written anew."""

import asyncio
import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from blurhash_rs import blurhash_encode
from PIL import Image, ImageOps

from common.errors import DomainError

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
MIME_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="images")


class BadImage(DomainError):
    """Validation failed: File is not a picture that can be read (PNG, JPEG, WebP or GIF)"""

    code = "bad_image"


class ImageTooLarge(DomainError):
    """Validation failed: File is larger than 16 MB or 40 million pixels"""

    code = "image_too_large"


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: bytes, their MIME type and file suffix, size in pixels."""

    data: bytes
    mime: str
    suffix: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture, a smaller one for lists, and a blurhash to show before either is loaded."""

    original: Picture
    preview: Picture
    blurhash: str


async def prepare(data: bytes, *, longest: int = 3840, preview: int = 640) -> Prepared:
    """Re-encode an upload so that it fits `longest` pixels a side, with a preview of `preview`. Raises `BadImage`, `ImageTooLarge`.

    Runs in a pool of two threads: pictures must not keep requests waiting.
    """
    return await asyncio.get_running_loop().run_in_executor(_workers, _prepare, data, longest, preview)


async def prepare_cover(data: bytes, width: int, height: int) -> Picture:
    """Re-encode an upload, cut to exactly this size around its middle: avatars and headers."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _prepare_cover, data, width, height)


def _prepare(data: bytes, longest: int, preview: int) -> Prepared:
    image = _open(data)
    original = _encode(_fit(image, longest))
    small = _fit(image, preview)
    tiny = _fit(image, 64).convert("RGB")
    return Prepared(original, _encode(small), blurhash_encode(tiny, x_components=4, y_components=3))


def _prepare_cover(data: bytes, width: int, height: int) -> Picture:
    return _encode(ImageOps.fit(_open(data), (width, height), Image.Resampling.LANCZOS))


def _open(data: bytes) -> Image.Image:
    if len(data) > MAX_BYTES:
        raise ImageTooLarge
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise ImageTooLarge
            image.seek(0)
            image.load()
            upright = ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge from error
    except ImageTooLarge:
        raise
    except Exception as error:  # Pillow raises nearly anything on broken files
        raise BadImage from error
    transparent = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    clean = upright.convert("RGBA" if transparent else "RGB")
    clean.info.clear()
    return clean


def _fit(image: Image.Image, longest: int) -> Image.Image:
    if max(image.size) <= longest:
        return image
    scale = longest / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _encode(image: Image.Image) -> Picture:
    out = io.BytesIO()
    if image.mode == "RGBA":
        image.save(out, "PNG", optimize=False)
        return Picture(out.getvalue(), "image/png", "png", *image.size)
    image.save(out, "JPEG", quality=85, progressive=True)
    return Picture(out.getvalue(), "image/jpeg", "jpg", *image.size)
