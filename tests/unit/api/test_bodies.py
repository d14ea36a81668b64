"""Bodies of requests are decompressed within the limit, and a mistake is named with its place."""

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.api.http.bodies import MAX_PARTS, decompress, read_json
from gateway.errors import InvalidRequest, UnsupportedEncoding

LIMIT = 100_000
TEXT = b'{"messages": []}' * 100


def deflate_raw(data: bytes) -> bytes:
    """Compress without the header of zlib, as some clients do."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


COMPRESSORS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress, lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:])],
    "deflate": [zlib.compress, deflate_raw],
    "zstd": [zstandard.compress, lambda data: zstandard.compress(data[:5]) + zstandard.compress(data[5:])],
}
ALL = [(name, compress) for name, compressors in COMPRESSORS.items() for compress in compressors]


# https://github.com/QuantumNous/new-api/issues/4913
# https://github.com/ding113/claude-code-hub/issues/1193
@pytest.mark.parametrize(("name", "compress"), ALL)
def test_compressed_body_is_read_up_to_the_limit(name: str, compress: Callable[[bytes], bytes]) -> None:
    assert decompress(compress(TEXT), name, len(TEXT)) == TEXT
    with pytest.raises(RequestEntityTooLarge):
        decompress(compress(TEXT), name, len(TEXT) - 1)
    with pytest.raises(RequestEntityTooLarge):
        decompress(compress(bytes(50_000_000)), name, LIMIT)


@pytest.mark.parametrize(("name", "compress"), ALL)
def test_broken_body_is_rejected(name: str, compress: Callable[[bytes], bytes]) -> None:
    for broken in (b"plain text", compress(TEXT)[:-3], b"\x00" * 10):
        with pytest.raises(InvalidRequest, match=f"not valid {name} data"):
            decompress(broken, name, LIMIT)


@pytest.mark.parametrize(
    ("encodings", "body"),
    [
        ("identity", TEXT),
        ("", TEXT),
        ("GZIP", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("gzip, zstd", zstandard.compress(gzip.compress(TEXT))),
        ("deflate,identity, gzip", gzip.compress(zlib.compress(TEXT))),
    ],
    ids=lambda value: value if isinstance(value, str) else "body",  # gzip writes the time
)
def test_encodings_are_undone_from_last_to_first(encodings: str, body: bytes) -> None:
    assert decompress(body, encodings, LIMIT) == TEXT


@pytest.mark.parametrize("encodings", ["br", "compress", "gzip, br", "utf-8", "*"])
def test_other_encodings_are_rejected_with_the_supported_ones(encodings: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="gzip, deflate, zstd"):
        decompress(TEXT, encodings, LIMIT)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_number_of_parts_is_limited(name: str) -> None:
    part = COMPRESSORS[name][0](b"x")
    assert decompress(part * MAX_PARTS, name, LIMIT) == b"x" * MAX_PARTS
    with pytest.raises(InvalidRequest):
        decompress(part * (MAX_PARTS + 1), name, LIMIT)


def test_window_of_zstd_is_limited() -> None:
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    )
    streamed = compressor.compressobj()
    body = streamed.compress(TEXT) + streamed.flush()
    with pytest.raises(InvalidRequest):
        decompress(body, "zstd", LIMIT)


MISTAKES = {
    '{"a": 1,}': "line 1, column 8",
    "{'a': 1}": "line 1, column 2",
    '{\n "a": NaN}': "line 2, column 7",
    '{"a": -Infinity}': "line 1, column",
    '{"a": 1e999}': "line 1, column 7",
    '{"a": ' + "1" * 5000 + "}": "line 1, column 7",
    "[" * 2000 + "]" * 2000: "line 1, column 102",
    '{"a": "b"': "line 1, column",
    '{"a" "b"}': "line 1, column",
    '{"a": "\x01"}': "line 1, column",
    "{} {}": "line 1, column 4",
    "// comment\n{}": "line 1, column 1",
    '{"a": tru}': "line 1, column",
    '{"a": 01}': "line 1, column",
    '{"a": "\\x"}': "line 1, column",
    "model=haiku&messages=hi": "line 1, column 1",
}


@pytest.mark.parametrize(("text", "place"), MISTAKES.items())
def test_mistake_is_named_with_its_line_and_column(text: str, place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_json(text.encode())
    assert place in caught.value.message


def test_byte_that_is_not_utf_8_is_named_with_its_place() -> None:
    with pytest.raises(InvalidRequest, match=r"a byte is not UTF-8 \(line 2, column 3\)"):
        read_json(b'{\n "\xff": 1}')


def test_form_gets_advice() -> None:
    with pytest.raises(InvalidRequest, match="Send a JSON object"):
        read_json(b"model=haiku", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("value", [{"a": "é"}, {"half": "\ud83d"}])
def test_any_encoding_of_json_is_read(encoding: str, value: dict[str, str]) -> None:
    assert read_json(json.dumps(value).encode(encoding)) == value


def test_last_of_two_equal_keys_counts() -> None:
    assert read_json(b'{"a": 1, "a": 2}') == {"a": 2}


@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]",:0123456789.eE-+ntfaul\\ud8 ', max_size=80).map(str.encode)
)
def test_no_body_fails_unexpectedly(body: bytes) -> None:
    for name in ("", *COMPRESSORS):
        with suppress(InvalidRequest):
            read_json(decompress(body, name, LIMIT))
