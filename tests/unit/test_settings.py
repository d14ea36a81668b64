"""Settings: validated together, and in step with what is written about them."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from gateway import settings
from tests.support.gateway import ROOT

NAMES = {field.name.upper() for field in fields(settings.Settings)} - {"ENVIRON"}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")


def test_example_has_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    listed = dict(re.findall(r"^#([A-Z_]+)=(\S*)", example, re.M))
    assert set(listed) == NAMES
    for name, value in listed.items():
        if value:
            monkeypatch.setenv(name, value)
    assert settings.load() == settings.Settings()


def test_readme_names_only_real_settings() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", (ROOT / "README.md").read_text("utf-8"), re.M)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert named
    assert named <= NAMES


def test_all_bad_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    monkeypatch.setenv("WARM_PROCESSES", "-1")
    with pytest.raises(settings.SettingsError) as error:
        settings.load()
    assert all(name in str(error.value) for name in ("PORT", "LOG_LEVEL", "WARM_PROCESSES"))


def test_env_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    file = f"{tmp_path}/settings.env"
    with open(file, "w") as out:  # noqa: PTH123
        out.write("PORT=1234\nDEFAULT_MODEL=opus\nANTHROPIC_BASE_URL=http://127.0.0.1:1\n")
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", file)
    monkeypatch.setenv("PORT", "4321")
    loaded = settings.load()
    assert (loaded.port, loaded.default_model) == (4321, "opus")
    assert loaded.environ["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:1"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_API_KEY", "sk-ant-secret")
    loaded = settings.load()
    assert loaded.claude_api_key == "sk-ant-secret"
    assert "sk-ant-secret" not in repr(loaded)
