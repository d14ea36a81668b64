"""Pictures for tests, in any format that Pillow writes."""

import base64
import io
import random
from typing import Any

from PIL import Image, ImageDraw

from tests.support.recorded import Body


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return the image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(width: int, height: int, kind: str = "PNG", **options: Any) -> bytes:
    """Return a picture of one color."""
    return encode(Image.new("RGB", (width, height), (200, 30, 60)), kind, **options)


def noise(width: int, height: int, kind: str = "PNG", seed: int = 1, **options: Any) -> bytes:
    """Return a picture that hardly compresses."""
    pixels = random.Random(seed).randbytes(width * height * 3)
    return encode(Image.frombytes("RGB", (width, height), pixels), kind, **options)


def screenshot(width: int, height: int, seed: int = 0) -> bytes:
    """Return a picture like one of a screen: windows and lines of text in few colors."""
    chance = random.Random(seed)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        left, top = chance.randrange(width), chance.randrange(height)
        color = tuple(chance.randrange(200, 256) for _ in range(3))
        draw.rectangle((left, top, left + width // 3, top + height // 3), fill=color)
    for line in range(40):
        words = "".join(chance.choice("abcdefg hijklm nopqrst") for _ in range(chance.randrange(20, 90)))
        place = (chance.randrange(max(1, width // 2)), line * height // 40)
        draw.text(place, words, fill=(20, 20, 20), font_size=18)
    return encode(image)


def opened(content: bytes) -> Image.Image:
    """Return the decoded picture."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def content_of(block: Body) -> bytes:
    """Return the file in an image block."""
    return base64.b64decode(block["source"]["data"])
