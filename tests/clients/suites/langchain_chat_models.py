"""LangChain's standard tests for chat models, for three classes that use the gateway.

pytest runs this module in an environment of its own, with the gateway's URL in the variable GATEWAY_URL. Every feature
that the standard tests can check is turned on, except audio, which no Claude model takes, and recorded traffic.
"""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_anthropic import ChatAnthropic  # type: ignore[import-not-found]
from langchain_core.messages import AIMessage  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langchain_tests.integration_tests import ChatModelIntegrationTests  # type: ignore[import-not-found]

URL = os.environ["GATEWAY_URL"]
SAMPLES = Path(os.environ["SAMPLES"])
KEY = "sk-any"
# Newer models reject forced tool calls, which some of the tests demand.
MODEL, OTHER_MODEL = "claude-sonnet-4-6", "haiku"


@pytest.fixture(autouse=True)
def _files_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the downloads of the tests by an image and a PDF file, because they run without a network."""

    def get(url: str, **_options: Any) -> httpx.Response:
        return httpx.Response(200, content=(SAMPLES / f"sample{url[-4:]}").read_bytes())

    monkeypatch.setattr(httpx, "get", get)


class _Gateway(ChatModelIntegrationTests):  # type: ignore[misc]
    """The features that the gateway serves in every dialect."""

    supports_image_inputs = True
    supports_pdf_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_json_mode = True
    model_override_value = OTHER_MODEL
    details: tuple[str, ...] = ("cache_read_input",)

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        return {"invoke": [*self.details], "stream": [*self.details]}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._invoke("Hello", stream)

    invoke_with_cache_creation_input = invoke_with_cache_read_input

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._invoke("Think about this.", stream)

    def _invoke(self, prompt: str, stream: bool) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        if not stream:
            return model.invoke(prompt)
        first, *others = model.stream(prompt)
        return sum(others, first)


class TestChatOpenAI(_Gateway):
    details = ("cache_read_input", "reasoning_output")

    @property
    def chat_model_class(self) -> Any:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "base_url": f"{URL}/v1", "api_key": KEY, "stream_usage": True}


class TestChatOpenAIResponses(TestChatOpenAI):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "use_responses_api": True}


class TestChatAnthropic(_Gateway):
    details = ("cache_read_input", "cache_creation_input")
    supports_anthropic_inputs = True
    supports_json_mode = False  # Anthropic's API has no JSON without a schema

    @property
    def chat_model_class(self) -> Any:
        return ChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "base_url": URL, "api_key": KEY}
