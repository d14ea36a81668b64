"""Images are scaled to what the CLI passes on, and left alone if they fit."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.dialects.common import images
from gateway.dialects.common.file_kinds import UnreadableError
from gateway.dialects.common.images import FittedImage, bounded_size, fit_image
from tests.support.pictures import encode, noise, opened, plain, screenshot

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
WIDE = ("I;16", "I", "F")
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000", "PPM")
SENT = {"PNG", "JPEG", "GIF", "WEBP"}


@contextmanager
def small_limits() -> Iterator[None]:
    """Lower all limits, so that small pictures show what happens to large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "MAX_SIDE", 60)
        patch.setattr(images, "MAX_TILES", 5)
        patch.setattr(images, "MAX_BYTES", 3000)
        yield


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    """Return a picture that gets darker from left to right."""
    gray = Image.linear_gradient("L").rotate(-90).resize(size)
    if mode == "I;16":
        return Image.frombytes(
            "I;16", size, bytes(byte for value in gray.tobytes() for byte in (value, value))
        )
    return gray.convert(mode)


def as_file(mode: str, size: tuple[int, int], kind: str) -> bytes | None:
    """Return the picture as a file, or None if the format has no such pixels."""
    if mode in WIDE and kind not in ("PNG", "TIFF"):
        return None  # the writer would clip the values
    try:
        return encode(picture(mode, size), kind)
    except (OSError, ValueError, KeyError):
        return None


def is_within_limits(width: int, height: int) -> bool:
    tiles = -(-width // 28) * -(-height // 28)
    return max(width, height) <= images.MAX_SIDE and tiles <= images.MAX_TILES


@given(
    mode=st.sampled_from(MODES),
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    kind=st.sampled_from(FORMATS),
)
@settings(max_examples=300, deadline=None)
def test_any_image_fits_afterwards_and_shows_the_same(mode: str, size: tuple[int, int], kind: str) -> None:
    given = as_file(mode, size, kind)
    if given is not None:
        with small_limits():
            check_fitted(mode, given)


def check_fitted(mode: str, given: bytes) -> None:
    source = opened(given)
    fitted = fit_image(given)
    content = fitted.content or given
    result = opened(content)

    fits = source.format in SENT and len(given) <= images.MAX_BYTES and is_within_limits(*source.size)
    assert (fitted.content is None) == fits
    assert fitted.media_type == Image.MIME[str(result.format)]
    assert len(content) <= images.MAX_BYTES
    assert is_within_limits(*result.size)
    assert fit_image(given) == fitted  # another byte would cost the prompt cache
    assert fit_image(content) == FittedImage(fitted.media_type)
    assert abs(result.width / source.width - result.height / source.height) <= 1 / min(source.size)
    if mode != "1" and min(result.size) > 4:
        shown, expected = images._to_8_bits(result).convert("L"), picture("L", source.size)
        for x in (0.25, 0.75):
            assert abs(pixel(shown, x) - pixel(expected, x)) < 30


def pixel(image: Image.Image, x: float) -> float:
    """Return the brightness at this share of the width."""
    return image.tobytes()[image.height // 2 * image.width + int(x * image.width)]


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        (plain(2000, 1848), True),
        (plain(1932, 1932), True),
        (plain(2001, 10), False),
        (plain(1933, 1933), False),  # one row and one column of tiles too many
        (noise(400, 400, compress_level=0), True),
        (noise(420, 420, compress_level=0), False),
        (plain(1, 1), True),
        (encode(Image.new("CMYK", (50, 50), (9, 99, 9, 9)), "JPEG"), True),
        (encode(Image.new("I;16", (50, 50), 30000)), True),
        (
            encode(
                Image.new("P", (50, 50)), "GIF", save_all=True, append_images=[Image.new("P", (50, 50), 9)]
            ),
            True,
        ),
    ],
)
def test_image_within_the_limits_of_the_cli_is_left_alone(content: bytes, fits: bool) -> None:
    assert (fit_image(content).content is None) == fits


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2400, 1350), (2000, 1125)),
        ((50_000, 10), (2000, 1)),
        ((3, 9000), (1, 2000)),
        ((2500, 2500), (1932, 1932)),
    ],
)
def test_scaled_image_is_as_large_as_possible(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert bounded_size(*size) == expected
    assert opened(fitted(plain(*size))).size == expected


def fitted(content: bytes) -> bytes:
    """Return the image after a change, which it must have needed."""
    changed = fit_image(content).content
    assert changed is not None
    return changed


def test_screenshot_stays_sharp_and_photograph_becomes_a_jpeg() -> None:
    assert fit_image(screenshot(2400, 1350)).media_type == "image/png"
    assert fit_image(noise(900, 900)).media_type == "image/jpeg"


def test_transparency_is_kept_if_it_fits_and_white_if_not() -> None:
    clear = Image.new("RGBA", (2400, 40), (255, 0, 0, 0))
    assert opened(fitted(encode(clear))).getpixel((5, 5)) == (0, 0, 0, 0)

    heavy = opened(noise(700, 700)).convert("RGBA")
    heavy.paste((0, 0, 0, 0), (0, 0, 100, 100))
    assert opened(fitted(encode(heavy))).getpixel((20, 20)) == (255, 255, 255)


def test_scaled_photo_is_turned_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # turn by 90 degrees to the right
    photo = Image.new("RGB", (3000, 1000), "blue")
    photo.paste("yellow", (0, 0, 1000, 1000))
    upright = opened(fitted(encode(photo, "JPEG", exif=turned)))
    assert upright.size == (667, 2000)
    red, _, blue = upright.getpixel((300, 100))  # type: ignore[misc]
    assert red > blue


def test_first_frame_of_a_large_animation_is_kept() -> None:
    frames = [Image.new("RGB", (2400, 30), color) for color in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        content = fitted(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
        red, _, blue = opened(content).convert("RGB").getpixel((9, 9))  # type: ignore[misc]
        assert red > 250 > 5 > blue


def huge_png(width: int, height: int) -> bytes:
    """Return the head of a PNG that claims to be this large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (huge_png(9000, 9000), "more than 64,000,000 pixels"),
        (huge_png(2**31 - 1, 2**31 - 1), "more than 64,000,000 pixels"),
        (huge_png(8000, 5000), "more than 36,000,000 pixels"),
        (huge_png(50, 50), "damaged"),
        (plain(500, 500)[:-60], "damaged"),
        (noise(50, 50, "JPEG")[:-500], "damaged"),
        (plain(50, 50, "WEBP")[:-30], "damaged"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photo, which the model cannot see. Convert it"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"<!DOCTYPE html><html>not found</html>", "a web page"),
        (b"PK\x03\x04....word/document.xml", "a Word document"),
        (b"hello", "of an unknown type"),
        (b"", "of an unknown type"),
    ],
)
def test_error_says_why_an_image_cannot_be_read(content: bytes, problem: str) -> None:
    with pytest.raises(UnreadableError, match=problem):
        fit_image(content)
