"""LlamaIndex's OpenAILike with its defaults, which take every model for one of the legacy completions API."""

import json
from typing import Any

from llama_index.core.llms import ChatMessage  # type: ignore[import-not-found]
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-not-found]

from tests.clients.agent_loops import toolbox


def main() -> None:
    """Ask with each of its methods and print the answers."""
    llm: Any = OpenAILike(
        model=toolbox.MODEL, api_base=toolbox.base_url(), api_key="unused", max_retries=0, timeout=60
    )
    chat = [ChatMessage(role="user", content=toolbox.QUESTION)]
    said = {
        "complete": llm.complete(toolbox.QUESTION).text,
        "stream_complete": "".join(part.delta for part in llm.stream_complete(toolbox.QUESTION)),
        "chat": llm.chat(chat).message.content,
        "stream_chat": "".join(part.delta for part in llm.stream_chat(chat)),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
