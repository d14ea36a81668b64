"""All settings, read from the environment and from `.env`. No other module reads either.

Each setting is declared once, as a field of `Settings`: its name, type, default, accepted values and description.
Parsing follows from the declaration, and `python scripts/write_settings_docs.py` writes `.env.example` and the tables
of `docs/settings.md` from it. For example, this field is the setting `PORT`:

    port: int = setting(8000, "Port to listen on.", between(0, 65535))

`.env` is searched for in the working directory; CLAUDE_CODE_API_ENV_FILE names another file. The environment takes
precedence over the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from gateway.alert_settings import AlertSettings
from gateway.hosted import HOSTED_NAMES
from gateway.log_settings import LogSettings
from gateway.memory import count_processes, find_total
from gateway.process_settings import ProcessSettings
from gateway.setting_fields import (
    PATTERNS,
    POSITIVE,
    REDIS_URL,
    at_least,
    between,
    list_of,
    one_of,
    setting,
)
from gateway.setting_sources import read_settings

TITLE = "Claude Code gateway"
# Tools of Claude Code that agent projects may use. Bash and the two Web tools reach beyond the project's folder.
BUILT_IN_TOOLS = ("Bash", "Edit", "Glob", "Grep", "NotebookEdit", "Read", "WebFetch", "WebSearch", "Write")


class SettingsError(Exception):
    """One or more settings are invalid. The message names each of them."""


TOOLS = list_of(BUILT_IN_TOOLS, "list of tools")
HOSTED = list_of(HOSTED_NAMES, " and ".join(f"`{name}`" for name in HOSTED_NAMES))


@dataclass(frozen=True, slots=True)
class Settings(AlertSettings, LogSettings, ProcessSettings):
    """Every setting, validated. The field names are the names of the environment variables in lower case.

    `environ` is the whole environment that was read, file included. The CLI's processes get a part of it.
    """

    host: str = setting(
        "",
        "Address to listen on. Default: `127.0.0.1`, and with `REQUIRE_AUTH` `0.0.0.0`, which other machines reach. "
        "Use `127.0.0.1` behind nginx on the same machine.",
        section="Server",
    )
    port: int = setting(8000, "Port to listen on.", between(0, 65535))
    web_concurrency: int = setting(
        1, "Gunicorn workers. One serves hundreds of streams; they do not share CLI processes.", at_least(1)
    )
    graceful_timeout_seconds: int = setting(
        60, "Time that running answers get to finish when the gateway stops or restarts.", at_least(5)
    )
    max_request_bytes: int = setting(
        64 * 1024 * 1024, "Largest request body. Larger ones get 413. nginx has its own limit.", at_least(1)
    )
    client_timeout_seconds: float = setting(
        60.0,
        "Time after which a client that reads nothing of its answer, or sends nothing of its request, counts as gone.",
        POSITIVE,
    )
    header_timeout_seconds: float = setting(
        10.0, "Time that a new connection has to send its first request's head.", POSITIVE
    )
    max_connections_per_address: int = setting(
        1000,
        "Connections of one address per worker. More get 429. 0 means no limit. It does not apply with "
        "`TRUSTED_PROXIES`, because all connections come from the proxy.",
    )
    keepalive_whole_answers_seconds: float = setting(
        50.0,
        "Time after which an answer that is not streamed begins with white space, so that proxies keep waiting. "
        "0 means never.",
        at_least(0),
    )
    allowed_origins: tuple[str, ...] = setting(
        (),
        "Web pages that may call the gateway, in addition to local ones and apps, for example "
        "`https://app.example.com` or `https://*.example.com`. Default: none without `REQUIRE_AUTH`, and all with it, "
        "because they need a key. `*` means all. See [security.md](security.md#web-pages).",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "Names of this machine to which the gateway answers without `REQUIRE_AUTH`, in addition to `localhost` and IP "
        "addresses, for example `gateway.example.com`. See [security.md](security.md#web-pages).",
    )
    trusted_proxies: int = setting(
        0,
        "Number of proxies in front of the gateway. As many entries of `X-Forwarded-For` are trusted. "
        "Set it to 1 behind nginx.",
    )
    debug: bool = setting(False, "Log everything. Do not use it in production.")

    require_auth: bool = setting(
        False,
        "Require a key from every client. Without any key, the gateway does not start.",
        section="Keys and database",
    )
    api_keys: tuple[str, ...] = setting(
        (),
        "Keys in addition to those created with `claude-gateway keys create NAME`. They are not admin keys.",
        is_secret=True,
    )
    database_url: str = setting(
        "sqlite:///data/gateway.db",
        "Database of keys, sessions, projects, responses, files, usage and limits. A path after three slashes is "
        "relative to the project's folder; after four slashes it is absolute. For several machines, use "
        "`postgresql://USER:PASSWORD@HOST/NAME`.",
        is_secret=True,
    )

    rate_limit_requests_per_minute: int = setting(
        100,
        "Requests for answers per minute. 0 means no limit.",
        section="Limits",
        is_live=True,
    )
    rate_limit_burst: int = setting(
        10, "Requests per minute that may come in a burst, on top of the limit.", is_live=True
    )
    rate_limit_tokens_per_minute: int = setting(
        0, "Tokens of answers per minute. 0 means no limit.", is_live=True
    )
    rate_limit_answers_at_once: int = setting(
        0, "Answers written at the same time. 0 means no limit.", is_live=True
    )
    max_key_share_percent: int = setting(
        80,
        "Largest part of a worker's turns (`MAX_CONCURRENT_SESSIONS`) that one key may use, in percent. It applies "
        "with `REQUIRE_AUTH` to keys without a limit of answers at once. With 100, it may also fill the queue.",
        between(1, 100),
        is_live=True,
    )
    rate_limit_tokens_per_day: int = setting(
        0, "Tokens per calendar day in UTC. 0 means no limit.", is_live=True
    )
    rate_limit_tokens_per_month: int = setting(
        0, "Tokens per calendar month in UTC. 0 means no limit.", is_live=True
    )
    rate_limit_usd_per_day: float = setting(
        0.0, "US dollars per calendar day in UTC. 0 means no limit.", is_live=True
    )
    rate_limit_usd_per_month: float = setting(
        0.0, "US dollars per calendar month in UTC. 0 means no limit.", is_live=True
    )
    rate_limit_failed_auth_per_minute: int = setting(
        60, "Wrong keys per minute before a public address gets 429 for more of them. 0 means no limit."
    )
    rate_limit_storage_url: str | None = setting(
        None,
        "Redis that counts for several machines, e.g. `redis://HOST:6379/0`. Without it, the database counts.",
        REDIS_URL,
        is_secret=True,
    )

    store_responses: bool = setting(
        True,
        "Store responses of the [Responses API](responses.md), unless a request says `store: false`, and also "
        "[conversations](responses.md#conversations) and [threads](messages.md#threads).",
        section="Responses and sessions",
    )
    responses_ttl_days: int = setting(
        30,
        "Days after which stored responses, conversations and threads are deleted.",
        at_least(1),
        is_live=True,
    )
    store_conversations: bool = setting(False, "Also store messages of conversations without a `session_id`.")
    session_timeout_minutes: float = setting(
        30.0,
        "Idle time after which a [session](sessions.md) and its messages are deleted. 0 means never.",
        is_live=True,
    )
    cleanup_interval_minutes: float = setting(
        60.0,
        "Interval between deletions of expired sessions, responses and files. Clients never see expired ones.",
        POSITIVE,
    )

    max_file_size_mb: int = setting(
        200,
        "Largest size of one uploaded [file](files.md). Larger ones get 413.",
        at_least(1),
        section="Files",
    )
    max_files_size_mb: int = setting(
        2000, "Largest total size of one key's files, which are in the database. 0 turns uploads off."
    )
    files_ttl_days: int = setting(30, "Days after which files are deleted.", at_least(1), is_live=True)

    max_batch_answers: int = setting(
        2,
        "Answers of [batches](batches.md) that are written at the same time, per worker. They only use slots that "
        "other requests leave free. 0 means that this gateway works on no batches.",
        section="Batches",
        is_live=True,
    )
    batch_niceness: int = setting(
        19,
        "CPU priority of the CLI processes that answer batches: 19 is the lowest, 0 the same as other processes.",
        between(0, 19),
    )
    max_batch_requests: int = setting(50_000, "Requests of one batch. Larger ones fail.", at_least(1))
    max_batches_in_progress: int = setting(
        20,
        "Batches of one key that are not over. More get 429. 0 means no limit.",
        is_live=True,
    )
    batches_ttl_days: int = setting(
        30,
        "Days after which ended batches, and the results of batches of messages, are deleted.",
        at_least(1),
        is_live=True,
    )

    project_root: Path = setting(
        Path("data/projects"),
        "Folder that contains the folders of all [projects](projects.md). Use it for nothing else.",
        section="Projects",
    )
    max_project_size_mb: int = setting(1000, "Largest total size of one project's files.", at_least(1))
    allow_agent_projects: bool = setting(
        False,
        "Let clients use Claude Code's own tools in their projects. "
        "Read [what that means](projects.md#for-operators) first.",
    )
    agent_tools: tuple[str, ...] = setting(
        ("Edit", "Glob", "Grep", "NotebookEdit", "Read", "Write"),
        "Tools that agent projects may choose from. `Bash`, `WebFetch` and `WebSearch` can be added.",
        TOOLS,
    )
    agent_max_turns: int = setting(30, "API messages that an agent's answer may take.", at_least(1))
    agent_checkpoints: int = setting(
        10,
        "Number of [checkpoints](projects.md#checkpoints) to keep of each agent project. 0 turns them off.",
    )
    agent_checkpoint_mb: int = setting(
        100, "Largest total size of the files in a checkpoint. Larger projects get none.", at_least(1)
    )
    agent_sandbox: str = setting(
        "auto",
        "The [sandbox](projects.md#the-sandbox-for-bash) for commands of agents: `auto` uses it if the host has one, "
        "`required` refuses `Bash` without it, and with `off` commands run as the gateway's user.",
        one_of("auto", "required", "off"),
    )
    agent_sandbox_domains: tuple[str, ...] = setting(
        (),
        "Domains that commands in the sandbox may reach, for example `pypi.org,*.npmjs.org`. Default: none.",
    )
    agent_activity_ttl_days: int = setting(
        30,
        "Days after which the [records of what agents did](projects.md#activity) are deleted.",
        at_least(1),
        is_live=True,
    )

    hosted_tools: tuple[str, ...] = setting(
        (),
        "Tools that run at Anthropic and that [all keys](hosted-tools.md#permission) may use. A key can have its "
        "own rule.",
        HOSTED,
        section="Hosted tools",
    )

    mcp_config_path: Path | None = setting(
        None,
        "File with the [MCP servers](mcp.md) that clients may use, and that keys get on every request.",
        section="Remote MCP servers",
    )
    mcp_allow_any_server: bool = setting(
        False, "Let clients use any MCP server with a public address, not only the listed ones."
    )
    mcp_timeout_seconds: float = setting(60.0, "Longest wait for the answer of an MCP server.", POSITIVE)
    mcp_max_result_characters: int = setting(
        100_000, "Characters of a result that reach the model. The rest is left out.", at_least(1)
    )
    mcp_max_calls: int = setting(50, "Calls of remote tools in one answer.", at_least(1))

    claude_binary_path: str | None = setting(
        None,
        "Path of the CLI. Without it, the gateway looks on PATH, in the usual install locations and in `.claude-cli/`.",
        section="Claude Code CLI",
    )
    claude_api_key: str | None = setting(
        None, "API key for the CLI (`ANTHROPIC_API_KEY`). Without it, the CLI uses its login.", is_secret=True
    )
    accounts_path: Path = setting(
        Path("accounts.toml"),
        "List of [accounts](accounts.md), if there are several. Without the file, the CLI's login is the only one.",
    )
    account_strategy: str = setting(
        "headroom",
        "The account of a new conversation, among those that its key may use: the `first` one of the list, the one "
        "with the most `headroom` in its windows, or each in turn (`round_robin`).",
        one_of("first", "headroom", "round_robin"),
    )
    claude_code_api_models_path: Path | None = setting(
        None, "File that replaces `gateway/claude/models.json`, in the same format."
    )
    default_model: str | None = setting(
        None,
        "Model of requests that name none. Without it, `default_model` of models.json or the CLI's default applies.",
        is_live=True,
    )
    model_patterns: tuple[str, ...] = setting(
        (),
        "Models for the names of other models, e.g. `gpt-*=haiku,o3*=opus`. `*` stands for any text; the first pattern "
        "that fits counts. Names of Claude models are never looked up here.",
        PATTERNS,
        is_live=True,
    )
    long_prompt_cache: bool = setting(
        False,
        "Cache prompts for an hour if OpenAI's `prompt_cache_retention` or `prompt_cache_options.ttl` asks for it. "
        "Some clients always do. With an API key, writing to this cache costs "
        "[more](api.md#speed-context-and-cache).",
    )
    claude_work_dir: Path = setting(Path("data/empty"), "Folder that conversations run in. Keep it empty.")
    claude_max_retries: int = setting(
        2, "Number of times that the CLI itself retries when Anthropic's API fails.", at_least(1)
    )
    claude_lean_runtime: bool = setting(
        True,
        "Let the CLI's JavaScript runtime collect garbage only when it needs memory, which costs a third less CPU.",
    )

    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Set the defaults that depend on other settings and on the machine."""
        if not self.host:
            object.__setattr__(self, "host", "0.0.0.0" if self.require_auth else "127.0.0.1")
        if self.max_processes == 0:
            fitting = count_processes(find_total(self.max_memory_mb), self.web_concurrency)
            object.__setattr__(self, "max_processes", fitting)

    @property
    def lowest_log_level(self) -> str:
        """Return the level of LOG_LEVEL, or DEBUG if that is set."""
        return "DEBUG" if self.debug else self.log_level

    @property
    def max_turns_per_key(self) -> int:
        """Return the number of a worker's turns that one key may use; 0 for no limit."""
        if not self.require_auth or self.max_key_share_percent == 100:
            return 0
        return max(1, self.max_running_turns * self.max_key_share_percent // 100)

    @property
    def max_running_turns(self) -> int:
        """Return the number of answers that may be written at once. Each needs a process."""
        return min(self.max_concurrent_sessions, self.max_processes)


# A dataclass has inherited fields first, and the last base's before the first's. People read about them last.
INHERITED = frozenset(one.name for base in Settings.__bases__ for one in fields(base))
DECLARED = tuple(
    sorted((one for one in fields(Settings) if one.name != "environ"), key=lambda one: one.name in INHERITED)
)
NAMES = frozenset(one.name.upper() for one in DECLARED)


def load() -> Settings:
    """Read the settings. Raise one SettingsError that names all invalid ones, with their places and values."""
    settings, problem = load_valid()
    if problem:
        raise SettingsError(problem)
    return settings


def load_valid() -> tuple[Settings, str]:
    """Return the settings, with defaults in place of invalid ones, and the problem with those or "".

    For commands that must work in spite of a mistake, such as stopping the gateway.
    """
    values, environ, problem = read_settings(DECLARED, os.environ)
    return Settings(environ=environ, **values), problem


def export_variables(environ: Mapping[str, str], prefix: str) -> None:
    """Put variables with a prefix into the environment, for a library that reads them there: some are in the file."""
    os.environ.update({name: value for name, value in environ.items() if name.startswith(prefix)})
