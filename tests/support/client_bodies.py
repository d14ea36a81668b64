"""Bodies that clients of OpenAI's API post to `/v1/chat/completions`, shortened, by client.

They follow the clients' public sources and reports of their requests; none is a recording. The gateway must answer
each of `BODIES`, streamed if the body says so.
"""

import base64
from typing import Any

Body = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PNG_URL = f"data:image/png;base64,{PNG}"
PDF = base64.b64encode(
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
).decode()


def object_schema(**properties: str) -> Body:
    """Return the JSON schema of an object whose properties have these types and are all required."""
    typed = {name: {"type": kind} for name, kind in properties.items()}
    return {
        "type": "object",
        "properties": typed,
        "required": list(properties),
        "additionalProperties": False,
    }


def function_tool(name: str, parameters: Body, **extra: Any) -> Body:
    """Return a function tool of a chat completion."""
    described = {"name": name, "description": f"Use it to {name}.", "parameters": parameters}
    return {"type": "function", "function": {**described, **extra}}


def tool_call(call_id: str, name: str, arguments: str, **extra: Any) -> Body:
    """Return a tool call of an assistant message in a chat completion."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **extra}


def text_part(text: str, **extra: Any) -> Body:
    """Return a text part of a message."""
    return {"type": "text", "text": text, **extra}


READ = object_schema(path="string")
STREAMED: Body = {"stream": True, "stream_options": {"include_usage": True}}
EPHEMERAL: Body = {"cache_control": {"type": "ephemeral"}}

# https://github.com/cline/cline
CLINE: Body = {
    "model": "claude-opus-latest",
    "temperature": 0,
    **STREAMED,
    "messages": [
        {"role": "system", "content": "You are Cline, a highly skilled software engineer."},
        {
            "role": "user",
            "content": [text_part("<task>\nFix the bug\n</task>"), text_part("# environment_details")],
        },
        {
            "role": "assistant",
            "content": "I will read the file.",
            "tool_calls": [tool_call("call_Ab1", "read_file", '{"path":"main.py"}')],
            "reasoning_content": "The user wants a fix.",
        },
        {"role": "tool", "tool_call_id": "call_Ab1", "content": "print(1/0)"},
        {
            "role": "user",
            "content": [
                text_part("Here is how it looks."),
                {"type": "image_url", "image_url": {"url": PNG_URL}},
            ],
        },
    ],
    "tools": [
        function_tool("read_file", READ, strict=False),
        function_tool(
            "execute_command", object_schema(command="string", requires_approval="boolean"), strict=False
        ),
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
}

# https://github.com/RooCodeInc/Roo-Code
ROO_CODE: Body = {
    "model": "sonnet",
    "temperature": 0,
    **STREAMED,
    "reasoning_effort": "medium",
    "max_completion_tokens": 8192,
    "messages": [
        {"role": "system", "content": [text_part("You are Roo.", **EPHEMERAL)]},
        {
            "role": "user",
            "content": [text_part("<user_message>\nList the files\n</user_message>", **EPHEMERAL)],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                tool_call("toolu_01", "list_files", '{"path":".","recursive":false}'),
                tool_call("toolu_02", "read_file", '{"path":"README.md"}'),
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_02", "content": "# Read me"},
        {"role": "tool", "tool_call_id": "toolu_01", "content": "README.md\nsrc/"},
        {"role": "user", "content": "<environment_details>\n</environment_details>"},
    ],
    "tools": [
        function_tool("list_files", object_schema(path="string", recursive="boolean"), strict=True),
        function_tool("read_file", READ, strict=True),
        function_tool("mcp--github--create_issue", object_schema(title="string"), strict=True),
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}

# https://github.com/continuedev/continue
CONTINUE: Body = {
    "model": "haiku",
    "max_tokens": 4096,
    "stream": True,
    "messages": [
        {"role": "system", "content": "<important_rules>You are in agent mode.</important_rules>"},
        {
            "role": "user",
            "content": [
                text_part("What is in this picture?"),
                {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "auto"}},
            ],
        },
        {
            "role": "assistant",
            "content": " ",
            "tool_calls": [tool_call("call_1", "builtin_grep_search", '{"query":"x"}')],
        },
        {"role": "tool", "content": "", "tool_call_id": "call_1"},
    ],
    "tools": [function_tool("builtin_grep_search", object_schema(query="string"))],
    "stop": ["<|endoftext|>", "\n\n"],
}

# https://github.com/open-webui/open-webui
OPEN_WEBUI: Body = {
    "model": "claude-opus-latest",
    **STREAMED,
    "messages": [
        {"role": "system", "content": "User Context:\n"},
        {
            "role": "user",
            "content": [text_part("How warm is it?"), {"type": "image_url", "image_url": {"url": PNG_URL}}],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [tool_call("call_w", "get_weather", '{"city": "Paris"}', index=0)],
        },
        {"role": "tool", "tool_call_id": "call_w", "content": '{"degrees": 21}'},
    ],
    "tools": [function_tool("get_weather", {**object_schema(city="string"), "required": None})],
    "temperature": 0.8,
    "top_p": 0.9,
    "frequency_penalty": 0,
    "seed": 42,
    "stop": None,
    "user": "a@example.com",
}
OPEN_WEBUI_TITLE: Body = {
    "model": "claude-opus-latest",
    "messages": [
        {
            "role": "user",
            "content": '### Task:\nGenerate a title.\n### Output:\nJSON format: { "title": "…" }',
        }
    ],
    "stream": False,
    "max_completion_tokens": 1000,
}

# https://github.com/langchain-ai/langchain
LANGCHAIN: Body = {
    "model": "sonnet",
    "stream": False,
    "n": 1,
    "temperature": 0.7,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "3 times 12, and 11 plus 49?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                tool_call("call_m", "Multiply", '{"a": 3, "b": 12}'),
                tool_call("call_a", "Add", '{"a": 11, "b": 49}'),
            ],
        },
        {"role": "tool", "tool_call_id": "call_m", "content": "36"},
        {"role": "tool", "tool_call_id": "call_a", "content": [text_part("60")]},
    ],
    "tools": [
        function_tool("Multiply", object_schema(a="integer", b="integer")),
        function_tool("Add", object_schema(a="integer", b="integer")),
    ],
    "tool_choice": {"type": "function", "function": {"name": "Add"}},
}
LANGCHAIN_STRUCTURED: Body = {
    "model": "sonnet",
    "messages": [{"role": "user", "content": "Tell me a joke"}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "Joke",
            "strict": True,
            "schema": object_schema(setup="string", punchline="string"),
        },
    },
}

# https://github.com/vercel/ai
AI_SDK: Body = {
    "model": "opus",
    **STREAMED,
    "messages": [
        {"role": "system", "content": "You are helpful."},
        {
            "role": "user",
            "content": [
                text_part("Summarize."),
                {
                    "type": "file",
                    "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Look it up.",
            "tool_calls": [tool_call("aitxt-1", "search", "{}")],
        },
        {"role": "tool", "tool_call_id": "aitxt-1", "content": '[{"type":"text","text":"found"}]'},
    ],
    "tools": [
        function_tool(
            "search",
            {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}},
        )
    ],
    "tool_choice": "required",
}
AI_SDK_OBJECT: Body = {
    "model": "opus",
    "messages": [
        {"role": "system", "content": 'JSON schema:\n{"type":"object"}\nYou MUST answer with JSON.'},
        {"role": "user", "content": "A recipe"},
    ],
    "response_format": {"type": "json_object"},
}

# https://github.com/BerriAI/litellm: tool results with images, and fields that its users pass on
LITELLM: Body = {
    "model": "claude-opus-latest",
    "messages": [
        {"role": "user", "content": "Take a picture"},
        {
            "role": "assistant",
            "content": "Smile!",
            "tool_calls": [tool_call("call_p", "camera", '{"zoom": 2}')],
            "function_call": None,
            "provider_specific_fields": None,
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "x"}],
        },
        {
            "role": "tool",
            "name": "camera",
            "tool_call_id": "call_p",
            "content": [text_part("Done:"), {"type": "image_url", "image_url": PNG_URL}],
        },
    ],
    "tools": [function_tool("camera", object_schema(zoom="integer"))],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "max_tokens": 4096,
}
LEGACY_FUNCTIONS: Body = {
    "model": "haiku",
    "messages": [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": None, "function_call": {"name": "now", "arguments": "{}"}},
        {"role": "function", "name": "now", "content": "12:00"},
    ],
    "functions": [
        {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}
    ],
    "function_call": "auto",
}

# https://github.com/openai/openai-agents-python
AGENTS_SDK: Body = {
    "model": "sonnet",
    **STREAMED,
    "messages": [
        {"role": "system", "content": "Hand off when needed."},
        {
            "role": "user",
            "content": [
                text_part("Hello"),
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
            ],
        },
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Refund me"},
    ],
    "tools": [function_tool("transfer_to_refund_agent", {**object_schema(), "required": []}, strict=True)],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "auto",
            "tools": [{"type": "function", "function": {"name": "transfer_to_refund_agent"}}],
        },
    },
    "parallel_tool_calls": True,
    "store": True,
    "reasoning_effort": "none",
    "verbosity": "low",
    "prompt_cache_retention": "24h",
}

BODIES: dict[str, Body] = {
    "cline": CLINE,
    "roo-code": ROO_CODE,
    "continue": CONTINUE,
    "open-webui": OPEN_WEBUI,
    "open-webui-title": OPEN_WEBUI_TITLE,
    "langchain": LANGCHAIN,
    "langchain-structured": LANGCHAIN_STRUCTURED,
    "ai-sdk": AI_SDK,
    "ai-sdk-object": AI_SDK_OBJECT,
    "litellm": LITELLM,
    "legacy-functions": LEGACY_FUNCTIONS,
    "agents-sdk": AGENTS_SDK,
}
