"""The list of models, in the forms that clients expect."""

from tests.support.apps import MakeApi


def test_codex_gets_its_own_list_beside_the_models(make_api: MakeApi) -> None:
    api = make_api()
    assert api.get("/v1/models?client_version=0.99.0").json()["models"] == []
    assert "models" not in api.get("/v1/models").json()


def test_model_is_found_by_a_name_of_another_provider(make_api: MakeApi) -> None:
    answer = make_api().get("/v1/models/anthropic/claude-sonnet-4.5")
    assert answer.json()["id"] == "claude-sonnet-4-5-20250929"
