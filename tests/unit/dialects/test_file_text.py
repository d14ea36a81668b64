# ruff: noqa: RUF001 letters of other alphabets
"""Text files in any encoding are decoded."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.common.file_kinds import UnreadableError
from gateway.dialects.common.file_text import decode_text

GERMAN = "Name;Straße;Größe\nMüller;Käsestraße 5;größer\n"
JAPANESE = "名前,年齢\n山田太郎,32\nこんにちは世界。カタカナも入っています。"
RUSSIAN = "Имя;Возраст\nИван;30\nПривет мир, это русский текст."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "latin-1"),
        (GERMAN + "5 € – „ja“", "cp1252"),
        ("Cidade;Nação\nSão Paulo;ações\nJoão;Conceição\n", "cp1252"),
        ("Navn;By\nSøren;Århus\nBjørn;Ærø", "cp1252"),
        ("café", "latin-1"),
        ("Příjmení;Město\nNovák;Plzeň\nŽluťoučký kůň úpěl ďábelské ódy", "cp1250"),
        ("Łódź;Kraków", "cp1250"),
        (JAPANESE, "shift_jis"),
        ("こんにちは", "shift_jis"),
        (JAPANESE, "euc_jp"),
        ("姓名,年龄\n张三,30\n李四,25\n这是一个中文文件。", "gb18030"),
        ("姓名,年齡\n張三,30\n這是一個中文檔案。繁體中文測試", "big5"),
        ("이름,나이\n홍길동,30\n안녕하세요 세계", "euc_kr"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        ("Привет мир", "cp1251"),
        ("Όνομα;Ηλικία\nΓιώργος;30\nΚαλημέρα κόσμε", "cp1253"),
        ("مرحبا بالعالم هذا نص عربي", "cp1256"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        # The first foreign letters may come late, and a sample may end inside of a character.
        ("plain;ascii;line\n" * 5000 + GERMAN, "cp1252"),
        (JAPANESE * 2000, "shift_jis"),
    ],
)
def test_encoding_is_found(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == (text, True)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), min_size=1))
def test_utf_8_is_never_taken_for_another_encoding(text: str) -> None:
    assert decode_text(text.encode()) == (text.removeprefix("\ufeff"), False)


def test_charset_that_the_client_names_is_used() -> None:
    assert decode_text("şeker ığdır".encode("iso-8859-9"), "ISO-8859-9") == ("şeker ığdır", True)
    assert decode_text("grün".encode("latin-1"), "no-such-charset").text == "grün"


def test_few_wrong_bytes_do_not_change_the_rest_of_a_utf_8_file() -> None:
    content = b"\x80" + "Größe übersichtlich ".encode() * 9
    assert decode_text(content) == ("\ufffd" + "Größe übersichtlich " * 9, True)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (os.urandom(4000), "The file is .*Send it as a PDF file or as text"),
        (
            b"PK\x03\x04\x14\0....xl/workbook.xml",
            r"an Excel workbook \(xlsx\).*Send it as a PDF file or as text",
        ),
        (b"PK\x03\x04\x14\0....photo.raw", "a ZIP archive.*Unpack it and send the files in it"),
        (b"\x1f\x8b\x08\0", "a gzip archive.*Unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "an old Office document"),
        (b"\0\1\2\3", "of an unknown type"),
        (b"text\0with one zero", "of an unknown type"),
    ],
)
def test_error_says_which_binary_file_cannot_be_read(content: bytes, problem: str) -> None:
    with pytest.raises(UnreadableError, match=problem):
        decode_text(content)
