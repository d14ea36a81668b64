"""Images are prepared once, in a thread."""

import base64
import threading

import gevent
import pytest

from gateway.dialects.common import image_cache
from gateway.dialects.common.file_kinds import UnreadableError
from gateway.dialects.common.image_cache import ImageCache
from gateway.dialects.common.images import FittedImage, fit_image
from tests.support.pictures import noise, plain


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that fitted images."""
    threads: list[threading.Thread] = []

    def fit(content: bytes) -> FittedImage:
        threads.append(threading.current_thread())
        return fit_image(content)

    monkeypatch.setattr(image_cache, "fit_image", fit)
    return threads


def test_each_image_is_prepared_once(calls: list[threading.Thread]) -> None:
    cache = ImageCache()
    large, small, broken = b64(plain(2400, 20)), b64(plain(9, 9)), b64(b"hello")
    for _ in range(3):
        assert cache.prepare(large).data != large
        assert cache.prepare(small).data == small
        with pytest.raises(UnreadableError):
            cache.prepare(broken)
    assert len(calls) == 3
    assert cache.prepare(large) == ImageCache().prepare(large)


def test_other_greenlets_run_while_an_image_is_scaled(calls: list[threading.Thread]) -> None:
    scaling = gevent.spawn(ImageCache().prepare, b64(noise(2100, 500)))
    passes = 0
    while not scaling.ready():
        gevent.sleep(0)
        passes += 1
    assert scaling.get().is_changed
    assert passes > 10
    assert calls[0] is not threading.current_thread()


def test_cache_forgets_the_images_that_were_used_longest_ago(calls: list[threading.Thread]) -> None:
    pictures = [b64(plain(2400, height)) for height in (20, 30, 40)]
    sizes = [image_cache._ENTRY_BYTES + len(ImageCache().prepare(picture).data) for picture in pictures]
    calls.clear()
    cache = ImageCache(max_bytes=sum(sizes) - min(sizes))  # any two of the images
    for index in (0, 1, 0, 2, 0, 1):
        cache.prepare(pictures[index])
    assert len(calls) == 4
