"""Transcripts of answers for the log."""

from gateway.observe.transcript import Transcript
from gateway.turn import Refusal, Retracted, Text, ToolArguments, ToolCall


def test_transcript_collects_text_and_tool_calls() -> None:
    transcript = Transcript()
    transcript.add(1, [Text("b"), Refusal("no")])
    transcript.add(
        0, [Text("void"), Retracted(), Text("a"), ToolCall(0, "id", "call"), ToolArguments(0, "{}")]
    )
    assert transcript.texts() == ["a\n[call] {}", "bno"]
