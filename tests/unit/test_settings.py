"""Settings: parsed and validated from their declarations, which also write the documentation."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway import settings
from gateway.answering.unknown_settings import find_unknown_settings
from gateway.exposure import describe_exposure
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


@pytest.fixture
def env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    file = tmp_path / "settings.env"
    monkeypatch.setenv("CLAUDE_CODE_API_ENV_FILE", str(file))
    return file


def test_error_names_the_file_the_line_and_the_value(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text(
        '# mine\nPORT=80x\nexport LOG_LEVEL="loud"\nRATE_LIMIT_STORAGE_URL=http://:secret@host\n'
    )
    monkeypatch.setenv("KEEP_SECONDS", "-1")
    with pytest.raises(settings.SettingsError) as raised:
        settings.load()
    message = str(raised.value)
    assert f"{env_file}, line 2: PORT=80x: Not a valid integer." in message
    assert f"{env_file}, line 3: LOG_LEVEL=loud: Must be one of: DEBUG" in message
    assert "the environment: KEEP_SECONDS=-1: Must be greater" in message
    assert f"{env_file}, line 4: RATE_LIMIT_STORAGE_URL=(not shown)" in message
    assert "secret" not in message


def test_environment_is_named_if_it_overrides_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("PORT=8001\n")
    monkeypatch.setenv("PORT", "many")
    with pytest.raises(settings.SettingsError, match="the environment: PORT=many"):
        settings.load()


def test_valid_settings_can_be_read_in_spite_of_others(env_file: Path) -> None:
    env_file.write_text("PORT=many\nDATABASE_URL=sqlite:///mine.db\nGRACEFUL_TIMEOUT_SECONDS=7\n")
    valid, problem = settings.load_valid()
    assert (valid.port, valid.database_url, valid.graceful_timeout_seconds) == (8000, "sqlite:///mine.db", 7)
    assert "PORT=many" in problem


def test_unknown_names_are_told_with_the_nearest(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("MAX_PROCESES=3\nAPI_KEY=abc\nport=1\nPURPLE=1\nANTHROPIC_BASE_URL=http://x\n")
    monkeypatch.setenv("REQUIRE_AUHT", "true")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert find_unknown_settings(settings.load()) == [
        f"{env_file}, line 1: MAX_PROCESES is not a setting. Did you mean MAX_PROCESSES?",
        f"{env_file}, line 2: API_KEY is not a setting. Did you mean API_KEYS?",
        f"{env_file}, line 3: port is not a setting. Did you mean PORT?",
        f"{env_file}, line 4: PURPLE is not a setting.",
        "the environment: REQUIRE_AUHT is not a setting. Did you mean REQUIRE_AUTH?",
    ]


@pytest.mark.parametrize(
    ("given", "host"),
    [({}, "127.0.0.1"), ({"REQUIRE_AUTH": "true"}, "0.0.0.0"), ({"HOST": "::1"}, "::1")],
)
def test_gateway_without_keys_listens_on_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], host: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings.load().host == host


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "0.0.0.0"}, ["HOST=0.0.0.0"]),
        ({"host": "192.168.1.5", "allowed_origins": ("*",)}, ["HOST=192.168.1.5", "ALLOWED_ORIGINS=*"]),
        ({"allowed_hosts": ("*",)}, ["ALLOWED_HOSTS=*"]),
        ({"host": "localhost"}, []),
        ({"host": "::1", "allowed_origins": ("https://a.example",)}, []),
        ({"require_auth": True, "allowed_origins": ("*",)}, []),
    ],
)
def test_ways_in_for_strangers_are_named(given: dict[str, Any], words: list[str]) -> None:
    found = describe_exposure(settings.Settings(**given))
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))
