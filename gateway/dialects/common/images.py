"""Make an image fit the limits up to which the Claude Code CLI passes images on unchanged.

The CLI scales larger images in user messages, refuses them in tool results, and cannot read some formats. So an
image is scaled here, in the same way wherever it stands in the conversation. The result depends only on the input:
one different byte in an earlier message would cost the prompt cache.

>>> bounded_size(2400, 1350)
(2000, 1125)
"""

import io
from bisect import bisect_right
from dataclasses import dataclass
from typing import cast

# The modules of formats register their decoders when they are imported.
from PIL import (  # noqa: F401
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcnsImagePlugin,
    IcoImagePlugin,
    Image,
    ImageOps,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PcxImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    QoiImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from gateway.dialects.common.file_kinds import UnreadableError, describe_kind

# Seen on the CLI 2.1.332: an image within these limits goes up byte for byte, in messages and in tool results.
MAX_SIDE = 2000  # pixels; also the API's limit if a request has more than 20 images
MAX_TILES = 4784  # tiles of 28 x 28 pixels, as models from Opus 4.7 on count them
TILE_SIDE = 28
MAX_BYTES = 512_000
_SENT_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "WEBP")  # MPO is a JPEG with another image behind it

#: The largest image, in pixels. The API itself accepts at most 8,000 x 8,000.
MAX_PIXELS = 8000 * 8000
#: The largest image that is decoded in full, which takes up to 20 bytes per pixel. JPEG is decoded at a smaller scale.
MAX_DECODED_PIXELS = 36_000_000
# Pillow checks images inside of containers (ICO, ICNS) against its own limit.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

# Pillow reads more formats, but some of those start other programs or have no magic number.
_READ_FORMATS = (
    *("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "ICNS", "JPEG2000", "PPM", "PCX", "QOI"),
)

_JPEG_QUALITIES = (90, 80, 65, 50)
# The values of white in images with wide values: floats from 0 to 1, or integers of 8, 16 or more bits.
_WHITES = (1.0, 255.0, 65_535.0, float(2**32))
_SHRINK = 0.75  # of each side, for images that are too large even with the lowest quality
_SAMPLE_SIDE = 256
_FEW_COLORS = (
    4096  # in a sample of 65,536 pixels; screenshots have some hundred, photographs tens of thousands
)


@dataclass(frozen=True, slots=True)
class FittedImage:
    """An image that fits. `content` is None if the given bytes fit already."""

    media_type: str
    content: bytes | None = None


def fit_image(content: bytes) -> FittedImage:
    """Return the image, scaled or converted only if the CLI would not pass it on unchanged. Raises UnreadableError.

    If an animation has to be changed, its first frame is kept. The pixels are decoded in any case, because the API
    refuses the whole conversation for one image that it cannot decode.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_READ_FORMATS) as image:
            return _fit(image, len(content))
    except UnidentifiedImageError:
        problem = (
            f"The image is {describe_kind(content)}, which the model cannot see. Convert it to PNG or JPEG."
        )
        raise UnreadableError(problem) from None
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(MAX_PIXELS) from None
    except Exception as error:  # decoders report damaged data with errors of a dozen types
        raise UnreadableError("The image is damaged. Save it again as PNG or JPEG.") from error


def bounded_size(width: int, height: int) -> tuple[int, int]:
    """Return the largest size of this shape that the CLI passes on.

    >>> bounded_size(2000, 2000)
    (1932, 1932)
    """
    longest = max(width, height)

    def at(side: int) -> tuple[int, int]:
        return max(1, round(width * side / longest)), max(1, round(height * side / longest))

    sides = range(1, min(longest, MAX_SIDE) + 1)
    return at(bisect_right(sides, MAX_TILES, key=lambda side: _tiles(*at(side))))


def _tiles(width: int, height: int) -> int:
    return -(-width // TILE_SIDE) * -(-height // TILE_SIDE)


def _fit(image: Image.Image, byte_count: int) -> FittedImage:
    size = bounded_size(*image.size)
    if image.format in _SENT_FORMATS and byte_count <= MAX_BYTES and size == image.size:
        image.load()
        return FittedImage("image/jpeg" if image.format == "MPO" else Image.MIME[image.format])
    image.draft(None, size)  # lets the JPEG decoder skip detail that scaling would remove
    if image.width * image.height > MAX_DECODED_PIXELS:
        raise _too_many_pixels(MAX_DECODED_PIXELS)
    ImageOps.exif_transpose(image, in_place=True)
    if (image.width > image.height) != (size[0] > size[1]):
        size = size[::-1]
    frame = _to_8_bits(image)
    is_drawn = _has_few_colors(frame)
    return _encode(frame.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), is_drawn)


def _too_many_pixels(limit: int) -> UnreadableError:
    return UnreadableError(f"The image has more than {limit:,} pixels. Scale it down.")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Return the image in mode L, RGB or RGBA."""
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    if image.has_transparency_data:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        is_opaque = rgba.getchannel("A").getextrema() == (255, 255)
        return rgba.convert("RGB") if is_opaque else rgba
    if image.mode[0] in "IF":
        return _from_wide_values(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _from_wide_values(image: Image.Image) -> Image.Image:
    """Return an image with integers of 16 or 32 bits, or with floats, in gray."""
    values = image.convert("F")
    _, highest = cast("tuple[float, float]", values.getextrema())
    white = 65_535.0 if image.mode.startswith("I;16") else next(top for top in _WHITES if highest <= top)
    return values.point(lambda value: value * (255 / white)).convert("L")


def _has_few_colors(image: Image.Image) -> bool:
    sample = image.resize((_SAMPLE_SIDE, _SAMPLE_SIDE), Image.Resampling.NEAREST)
    return sample.getcolors(_FEW_COLORS) is not None


def _encode(image: Image.Image, is_drawn: bool) -> FittedImage:
    """Return the smaller image as PNG if that suits it and fits, otherwise as JPEG on white."""
    if is_drawn or image.mode == "RGBA":
        png = _save(image, "PNG", compress_level=1)  # for drawings the smallest, too
        if len(png) <= MAX_BYTES:
            return FittedImage("image/png", png)
    if image.mode == "RGBA":
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image)
        image = opaque
    while True:
        for quality in _JPEG_QUALITIES:
            jpeg = _save(image, "JPEG", quality=quality, optimize=True, subsampling=0 if is_drawn else 2)
            if len(jpeg) <= MAX_BYTES:
                return FittedImage("image/jpeg", jpeg)
        smaller = (max(1, int(image.width * _SHRINK)), max(1, int(image.height * _SHRINK)))
        image = image.resize(smaller, Image.Resampling.LANCZOS)


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
