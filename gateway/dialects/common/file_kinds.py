"""Tell what kind of file some bytes are, because the labels that clients send are often wrong or missing.

>>> describe_kind(b"%PDF-1.7")
'a PDF file'
"""

_HEAD_BYTES = 1024
_PDF_MAGIC = b"%PDF-"  # PDF readers look for it in this head

_MAGIC = {
    b"\xd0\xcf\x11\xe0": "an old Office document (doc, xls or ppt)",
    b"{\\rtf": "a Rich Text document",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an XZ archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"ID3": "a sound recording",
    b"\xff\xfb": "a sound recording",
    b"OggS": "a sound recording",
    b"fLaC": "a sound recording",
    b"RIFF": "a sound or video recording",
    b"\x1aE\xdf\xa3": "a video",
    b"8BPS": "a Photoshop file",
    b"%!PS": "a PostScript file",
}
_IMAGE_MAGIC = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"\0\0\1\0",
    b"\0\0\0\x0cjP",
    b"icns",
    b"qoif",
)
# Names in a ZIP archive that tell what it holds.
_ZIP_NAMES = {
    b"word/": "a Word document (docx)",
    b"xl/": "an Excel workbook (xlsx)",
    b"ppt/": "a PowerPoint presentation (pptx)",
    b"opendocument": "an OpenDocument file",
    b"epub": "an EPUB book",
}
# The brand of a file in the container format of MP4: https://mp4ra.org/registered-types/brands
_BRANDS = {b"avif": "an AVIF image", b"avis": "an AVIF image"}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# The beginnings of texts that clients send as images.
_MARKUP = {b"<svg": "an SVG drawing", b"<!doctype html": "a web page", b"<html": "a web page"}


class UnreadableError(Exception):
    """Content that cannot be shown to the model. The text says why, and what the client can do."""


def is_pdf(content: bytes) -> bool:
    """Return True for a PDF file."""
    return _PDF_MAGIC in content[:_HEAD_BYTES]


def is_image(content: bytes) -> bool:
    """Return True for an image, in a format that the model sees or in one that can be converted."""
    is_container = content[4:8] == b"ftyp" and content[8:12] in (*_HEIC_BRANDS, *_BRANDS)
    is_bitmap = content.startswith(b"BM") and b"\0" in content[:16]  # texts may begin with these letters
    return content.startswith(_IMAGE_MAGIC) or content[8:12] == b"WEBP" or is_container or is_bitmap


def describe_kind(content: bytes) -> str:
    """Return the kind of file for an error message."""
    if is_pdf(content):
        return "a PDF file"
    if content.startswith(b"PK\x03\x04"):
        return next((kind for name, kind in _ZIP_NAMES.items() if name in content), "a ZIP archive")
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        return "a HEIC photo" if brand in _HEIC_BRANDS else _BRANDS.get(brand, "a video or sound recording")
    known = (kind for magic, kind in _MAGIC.items() if content.startswith(magic))
    return next(known, None) or _describe_markup(content[:_HEAD_BYTES].lower())


def _describe_markup(head: bytes) -> str:
    return next((kind for tag, kind in _MARKUP.items() if tag in head), "of an unknown type")
