"""System texts: no text of a client is taken for the CLI's own. Seen on Claude Code 2.1.332."""

import pytest

from gateway.claude.cli.system_text import join_system_texts

HEADER = "x-anthropic-billing-header: cc_version=1"


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Be brief.", "Be kind."], "Be brief.\n\nBe kind."),
        (["Be brief.", HEADER], f"Be brief.\n\n{HEADER}"),
        ([HEADER, "Be brief."], f"\n{HEADER}\n\nBe brief."),
        (["__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__"], "\n__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__"),
        (["a", "__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__"], "a\n\n__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__"),
    ],
)
def test_system_texts_are_one_text_that_the_cli_passes_on(texts: list[str], joined: str) -> None:
    assert join_system_texts(texts) == joined
