"""Repairs: the table of their codes, their notes, and the header that names them."""

import re
from pathlib import Path

import pytest

from gateway.api.http.streaming import IGNORED_HEADER, REPAIRED_HEADER, note_headers
from gateway.app import EXPOSED_HEADERS
from gateway.dialects.common.where import Notes
from gateway.repairs import REPAIRS, Repair, repaired_codes

_ROW = re.compile(r"^\| `([a-z-]+)` \| (.+) \|$", re.MULTILINE)


def test_docs_explain_every_repair_in_the_words_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs/api.md").read_text()
    section = page.partition("\n## Repairs\n")[2].partition("\n## ")[0]
    assert _ROW.findall(section) == list(REPAIRS.items())


def test_codes_are_sorted_words_with_hyphens() -> None:
    assert list(REPAIRS) == sorted(REPAIRS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in REPAIRS)


def test_header_names_each_code_once_and_sorted() -> None:
    repaired = [Repair("b", "messages[1]"), Repair("a", "messages[0]"), Repair("b", "messages[2]")]
    assert repaired_codes(repaired) == ("a", "b")
    assert note_headers([], repaired) == {REPAIRED_HEADER: "a, b"}
    assert note_headers(["user"], []) == {IGNORED_HEADER: "user"}
    assert REPAIRED_HEADER in EXPOSED_HEADERS


def test_log_has_the_places_of_repairs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "gateway"):
        note_headers([], [Repair("a", f"messages[{index}]") for index in range(30)])
    (record,) = caplog.records
    fields = vars(record)
    assert (record.getMessage(), fields["count"]) == ("request repaired", 30)
    assert fields["repairs"][:2] == ["a at messages[0]", "a at messages[1]"]
    assert len(fields["repairs"]) == 20


def test_notes_hold_repairs_and_ignored_fields_with_their_paths() -> None:
    notes = Notes()
    where = notes.at("messages").item(2)
    where.field("tool_calls").item(0).repair("missing-result")
    where.field("images").ignore()
    assert notes.repaired == (Repair("missing-result", "messages[2].tool_calls[0]"),)
    assert notes.ignored == ("messages[2].images",)


def test_only_explained_repairs_can_be_noted() -> None:
    with pytest.raises(KeyError):
        Notes().at("messages").repair("unexplained")


def test_places_inside_the_past_are_in_the_past() -> None:
    where = Notes().at("messages", is_past=True)
    assert where.item(0).field("content").is_past
    assert not Notes().at("messages").item(0).is_past
    assert Notes().at("messages").item(0).in_past().is_past
