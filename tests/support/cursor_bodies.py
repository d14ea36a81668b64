"""Bodies that Cursor posts to `/v1/chat/completions`, in the shapes of several APIs.

They follow public reports; none is a recording.
"""

from tests.support.client_bodies import (
    EPHEMERAL,
    PNG,
    PNG_URL,
    READ,
    STREAMED,
    Body,
    function_tool,
    object_schema,
    text_part,
    tool_call,
)

# https://github.com/BerriAI/litellm/pull/34029, https://github.com/icebear0828/codex-proxy/pull/708
APPLY_PATCH: Body = {
    "type": "custom",
    "name": "ApplyPatch",
    "description": "Use this tool to edit files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch hunk end_patch"},
}
PATCH = '*** Begin Patch\n*** Add File: a.py\n+print("hi")\n*** End Patch'

CURSOR_PROBE: Body = {
    "model": "sonnet",
    "messages": [
        {"role": "system", "content": "You are a test assistant."},
        {"role": "user", "content": "Testing. Just say hi and nothing else."},
    ],
    "max_tokens": 10,
    "stream": True,
}
CURSOR_ASK: Body = {
    "model": "opus",
    **STREAMED,
    "messages": [
        {"role": "system", "content": "You are an AI coding assistant in Cursor."},
        {"role": "user", "content": [text_part("Add a file")]},
        {"role": "assistant", "content": None, "tool_calls": [tool_call("call_9", "ApplyPatch", PATCH)]},
        {"role": "tool", "tool_call_id": "call_9", "content": "Applied"},
    ],
    "tools": [function_tool("Read", READ), APPLY_PATCH],
    "tool_choice": "auto",
}
CURSOR_RESPONSES: Body = {
    "model": "sonnet",
    "user": "google-oauth2|1",
    **STREAMED,
    "instructions": "Answer in English.",
    "input": [
        {"role": "system", "content": "You are an AI coding assistant in Cursor."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "On it.", "annotations": []}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "Read",
            "arguments": '{"path":"a.py"}',
            "status": "completed",
        },
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "call_id": "call_2",
            "name": "ApplyPatch",
            "input": PATCH,
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "print()"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "Applied"}],
        },
    ],
    "tools": [
        {
            "type": "function",
            "name": "Read",
            "description": "Reads a file",
            "parameters": READ,
            "strict": False,
        },
        APPLY_PATCH,
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto"},
    "text": {"verbosity": "low"},
    "max_output_tokens": 32000,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_retention": "24h",
    "metadata": {"cursorConversationId": "1"},
}

# https://github.com/router-for-me/CLIProxyAPI/issues/3805, https://github.com/automazeio/vibeproxy/issues/411
CURSOR_ANTHROPIC: Body = {
    "model": "claude-opus-latest",
    **STREAMED,
    "max_tokens": 16000,
    "system": [text_part("You are a coding assistant in Cursor.", **EPHEMERAL)],
    "messages": [
        {
            "role": "user",
            "content": [
                text_part("Look"),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                text_part("Reading both."),
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.py"}},
                {"type": "tool_use", "id": "toolu_2", "name": "Glob", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [text_part("no match")],
                    "is_error": True,
                },
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "print()"},
                text_part("Go on", **EPHEMERAL),
            ],
        },
    ],
    "tools": [
        {"name": "Read", "description": "Reads a file", "input_schema": READ},
        {
            "name": "Glob",
            "input_schema": object_schema(pattern="string"),
            "cache_control": {"type": "ephemeral"},
        },
        {"function": {"name": "Shell", "description": "Runs", "parameters": object_schema(command="string")}},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "stop_sequences": ["</done>"],
    "thinking": {"type": "adaptive"},
}

CURSOR_BODIES: dict[str, Body] = {
    "cursor-probe": CURSOR_PROBE,
    "cursor-ask": CURSOR_ASK,
    "cursor-responses": CURSOR_RESPONSES,
    "cursor-anthropic": CURSOR_ANTHROPIC,
}
