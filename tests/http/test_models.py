"""The list of models, in the forms that clients expect."""

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
