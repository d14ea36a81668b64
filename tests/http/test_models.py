"""The list of models, in the forms that clients expect."""

import anthropic
import openai

from tests.support.apps import MakeApi


def test_codex_gets_its_own_list_beside_the_models(make_api: MakeApi) -> None:
    api = make_api()
    listed = api.get("/v1/models?client_version=0.171.0").json()
    described = {model["slug"]: model for model in listed["models"]}
    assert list(described) == [model["id"] for model in listed["data"]]
    assert described["sonnet"]["visibility"] == "hide"
    # The fields without which Codex 0.171 rejects the list, found with `codex debug models`.
    required = {
        "slug", "display_name", "supported_reasoning_levels", "shell_type", "visibility", "supported_in_api",
        "priority", "support_verbosity", "truncation_policy", "experimental_supported_tools", "base_instructions",
    }  # fmt: skip
    assert all(required <= model.keys() for model in listed["models"])
    assert "models" not in api.get("/v1/models").json()


def test_codex_of_an_older_version_gets_no_effort_that_it_does_not_know(make_api: MakeApi) -> None:
    def efforts(version: str) -> set[str]:
        listed = make_api().get(f"/v1/models?client_version={version}").json()
        return {
            level["effort"] for model in listed["models"] for level in model["supported_reasoning_levels"]
        }

    assert efforts("0.171.0") - efforts("0.99.0") == {"max"}
    assert efforts("unknown") == efforts("0.99.0")


def test_model_is_found_by_a_name_of_another_provider(make_api: MakeApi) -> None:
    answer = make_api().get("/v1/models/anthropic/claude-sonnet-4.5")
    assert answer.json()["id"] == "claude-sonnet-4-5-20250929"


def test_model_has_its_facts_in_the_names_that_clients_read(make_api: MakeApi) -> None:
    model = make_api().get("/v1/models/sonnet").json()
    assert model["name"] == "Claude Sonnet 4.5"
    # vLLM, OpenRouter, Groq and litellm have a name each: see gateway/dialects/common/model_facts.py
    for window in ("context_length", "context_window", "max_model_len", "max_input_tokens"):
        assert model[window] == 200_000
    assert model["max_output_tokens"] == model["max_completion_tokens"] == 64_000
    assert model["top_provider"]["max_completion_tokens"] == 64_000
    assert model["architecture"]["input_modalities"] == ["text", "image", "file"]
    assert {"tools", "reasoning", "temperature", "structured_outputs"} <= set(model["supported_parameters"])
    assert model["capabilities"] == {
        "completion_chat": True,
        "function_calling": True,
        "vision": True,
        "reasoning": True,
    }
    # OpenRouter's prices are strings, in US dollars per token: https://openrouter.ai/docs/models
    assert model["pricing"] == {
        "prompt": "0.000003",
        "completion": "0.000015",
        "input_cache_read": "0.0000003",
        "input_cache_write": "0.00000375",
        "request": "0",
        "image": "0",
    }
    assert model["shutdown_date"] == "2026-11-30"


def test_wide_name_of_a_model_has_the_wide_window(make_api: MakeApi) -> None:
    assert make_api().get("/v1/models/sonnet[1m]").json()["context_window"] == 1_000_000


def test_names_of_models_are_unique_and_retired_models_are_last(make_api: MakeApi) -> None:
    listed = make_api().get("/v1/models").json()["data"]
    names = [model["name"] for model in listed]
    assert len(set(names)) == len(names)
    dates = [model.get("shutdown_date", "") for model in listed]
    assert [date != "" for date in dates] == sorted(date != "" for date in dates)
    first_retired = next(index for index, date in enumerate(dates) if "" < date < "2026-07-01")
    assert all("" < date < "2026-07-01" for date in dates[first_retired:])


def test_sdks_read_the_lists(make_api: MakeApi) -> None:
    api = make_api()
    models = openai.OpenAI(
        api_key="x", base_url="http://localhost/v1", http_client=api, _strict_response_validation=True
    ).models
    assert [model.id for model in models.list()]
    assert models.retrieve("sonnet").shutdown_date == "2026-11-30"

    listed = anthropic.Anthropic(
        api_key="x", base_url="http://localhost", http_client=api, _strict_response_validation=True
    ).models
    found = {model.id: model for model in listed.list()}
    haiku = found["claude-haiku-4-5-20251001"]
    assert (haiku.lifecycle, haiku.line, haiku.max_input_tokens) == ("active", "haiku", 200_000)
    assert haiku.capabilities is not None
    assert haiku.capabilities.image_input.supported
    assert not haiku.capabilities.effort.supported
    assert found["claude-3-5-sonnet-20241022"].lifecycle == "retired"
    assert listed.retrieve("haiku").id == haiku.id
