"""Settings: parsed and validated from their declarations, which also write the documentation."""

import re
from pathlib import Path

import pytest

from gateway import settings
from scripts import write_settings_docs
from tests.support.gateway import ROOT

NAMES = {declared.name.upper() for declared in settings.DECLARED}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", "/nonexistent")


def test_example_file_has_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    listed = dict(re.findall(r"^#([A-Z_]+)=(\S*)", example, re.M))
    assert set(listed) == NAMES
    for name, value in listed.items():
        if value:
            monkeypatch.setenv(name, value)
    assert settings.load() == settings.Settings()


def test_example_file_and_settings_page_are_generated_from_the_declarations() -> None:
    hint = "run: python scripts/write_settings_docs.py"
    assert write_settings_docs.EXAMPLE.read_text("utf-8") == write_settings_docs.example(), hint
    page = write_settings_docs.PAGE.read_text("utf-8")
    assert page == write_settings_docs.page(page), hint


def test_every_setting_has_a_description_that_ends_with_a_full_stop() -> None:
    for declared in settings.DECLARED:
        assert re.fullmatch(r"[A-Z].*\.", declared.metadata["description"]), declared.name


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOST", "127.0.0.1", "127.0.0.1"),
        ("PORT", "0", 0),
        ("KEEP_SECONDS", "0.5", 0.5),
        ("DEBUG", "on", True),
        ("CLAUDE_WORK_DIR", "/tmp/x", Path("/tmp/x")),
        ("LOG_FILE_PATH", "/tmp/x.log", Path("/tmp/x.log")),
        ("LOG_FILE_PATH", "", None),
        ("DEFAULT_MODEL", "opus", "opus"),
        ("DEFAULT_MODEL", "", None),
        ("API_KEYS", "a, b,", ("a", "b")),
        ("ALLOWED_ORIGINS", '["http://a", "http://b"]', ("http://a", "http://b")),
        ("AGENT_TOOLS", "Edit,Bash", ("Edit", "Bash")),
        ("RATE_LIMIT_STORAGE_URL", "rediss://host:6379/0", "rediss://host:6379/0"),
    ],
)
def test_text_is_parsed_by_the_type_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(settings.load(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "65536"),
        ("LOG_FORMAT", "xml"),
        ("WEB_CONCURRENCY", "0"),
        ("GRACEFUL_TIMEOUT_SECONDS", "4"),
        ("TURN_TIMEOUT_SECONDS", "0"),
        ("RATE_LIMIT_USD_PER_DAY", "-0.1"),
        ("AGENT_TOOLS", "Edit,Rocket"),
        ("RATE_LIMIT_STORAGE_URL", "http://host"),
    ],
)
def test_value_outside_the_accepted_range_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(settings.SettingsError, match=name):
        settings.load()


def test_readme_names_only_real_settings() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", (ROOT / "README.md").read_text("utf-8"), re.M)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert named
    assert named <= NAMES


def test_all_invalid_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    monkeypatch.setenv("WARM_PROCESSES", "-1")
    with pytest.raises(settings.SettingsError) as error:
        settings.load()
    assert all(name in str(error.value) for name in ("PORT", "LOG_LEVEL", "WARM_PROCESSES"))


def test_env_file_is_read_and_the_environment_takes_precedence(
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


def test_secrets_are_left_out_of_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_API_KEY", "sk-ant-secret")
    loaded = settings.load()
    assert loaded.claude_api_key == "sk-ant-secret"
    assert "sk-ant-secret" not in repr(loaded)
