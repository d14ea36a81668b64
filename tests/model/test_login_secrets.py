"""The files of logins are opened by the CLI's own processes only, and no secret in them is shown anywhere."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.accounts.accounts_file import read_accounts
from gateway.accounts.states import AccountStates
from gateway.store.database import Store
from gateway.store.keys import Keys
from tests.standin import StandIn, error, text
from tests.support.api_client import Api, error_of, reply_of
from tests.support.gateway import Gateway, Program, wait_for
from tests.support.logins import folder_login

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing"),
]

NAMES = ("a", "b")
CALLS = "open,openat,openat2,execve,clone,clone3,fork,vfork"
OPEN = re.compile(r'(\d+) +open(?:at|at2)?\(.*?"([^"]*)"')
EXEC = re.compile(r'(\d+) +execve\("([^"]*)"')
FORK = re.compile(r"(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (\d+)$")
#: Everything that the gateway shows about itself, its accounts and its requests.
PATHS = (
    "/",
    "/health",
    "/metrics",
    "/v1/quota",
    "/v1/me",
    "/v1/requests",
    "/v1/usage",
    "/v1/admin/accounts",
    "/v1/admin/audit",
    "/v1/admin/keys",
    "/v1/admin/requests",
    "/dashboard",
    "/dashboard/accounts",
    "/dashboard/keys",
    "/dashboard/me",
    "/dashboard/requests",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two logins, whose secrets have names of their own, and the list of accounts."""
    for name in NAMES:
        login = tmp_path / "logins" / name
        login.mkdir(parents=True)
        folder_login(login)
        credentials = login / ".credentials.json"
        credentials.write_text(credentials.read_text().replace("-dummy", f"-secret-{name}"))
        with (tmp_path / "accounts.toml").open("a") as file:
            file.write(f'[{name}]\nconfig_dir = "{login}"\nshared = true\n')
    return tmp_path


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as standin:
        standin.begin()
        standin.default(text("Here I am."))
        yield standin


@pytest.fixture
def gateway(folder: Path, standin: StandIn, claude_path: str) -> Iterator[Gateway]:
    """Return a gateway whose processes are traced. `-D` leaves gunicorn the child of this process."""
    trace = ("strace", "-D", "-f", "--seccomp-bpf", f"--trace={CALLS}", "-s", "4096", "-o", f"{folder}/trace")
    settings = {
        "ACCOUNTS_PATH": f"{folder}/accounts.toml",
        "ANTHROPIC_BASE_URL": standin.url,
        "CLAUDE_BINARY_PATH": claude_path,
        "REQUIRE_AUTH": "true",
        "API_KEYS": "anyone",
        "WARM_PROCESSES": "2",
        "MAX_WARM_PROCESSES": "0",
    }
    with ExitStack() as stack:
        gateway = Gateway(settings, program=Program(prefix=trace))
        stack.callback(gateway.close)
        gateway.await_warm(2)
        yield gateway


def test_only_the_cli_opens_logins_and_no_secret_is_shown(
    gateway: Gateway, folder: Path, standin: StandIn, claude_path: str
) -> None:
    states = AccountStates(read_accounts(folder / "accounts.toml", {}), is_listed=True)
    keys = Keys(Store(f"sqlite:///{gateway.home.name}/gateway.db"), states)
    admin = gateway.api.with_key(keys.create("admin", is_admin=True)[1])
    for name in NAMES:
        assert ask(admin, name) == "Here I am."
        assert f"Bearer sk-ant-oat01-secret-{name}" in standin.messages[-1].headers["authorization"]
    shown = "".join(admin.get(path, headers={"accept": "text/html, */*"}).text for path in PATHS)
    standin.default(error(401, "authentication_error"))
    for name in NAMES:
        refused = admin.post(f"/v1/admin/accounts/{name}/test", json={})
        shown += refused.text
        failed = admin.post("/v1/chat/completions", json=question(), headers={"x-account": name})
        assert error_of(failed)[1] == "claude_not_logged_in"
        shown += failed.text
    shown += "".join(admin.get(path, headers={"accept": "text/html, */*"}).text for path in PATHS)
    gateway.stop()
    wait_for(lambda: "+++ exited with 0 +++" in (folder / "trace").read_text("utf-8", "replace"))

    secrets = re.compile(r"sk-ant-o[ar]t01-secret-\w")
    assert secrets.findall(shown + gateway.log) == []
    for path in Path(gateway.home.name).rglob("*"):
        if path.is_file():
            assert secrets.findall(path.read_bytes().decode("utf-8", "replace")) == [], path

    by_cli, by_others = find_readers((folder / "trace").read_text("utf-8", "replace"), folder, claude_path)
    assert by_others == set()
    assert by_cli >= {str(folder / "logins" / name / ".credentials.json") for name in NAMES}


def question() -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "Where are you?"}]}


def ask(api: Api, account: str) -> str:
    return reply_of(api.post("/v1/chat/completions", json=question(), headers={"x-account": account}))


def find_readers(trace: str, folder: Path, claude_path: str) -> tuple[set[str], set[str]]:
    """Return the paths of logins that processes of the CLI have opened, and the paths that other processes have."""
    lines = trace.splitlines()
    program = Path(claude_path).resolve()
    since: dict[str, int] = {}  # the line from which on a process or thread is one of the CLI
    parents: dict[str, str] = {}
    for number, line in enumerate(lines):
        if (found := EXEC.match(line)) and Path(found[2]).resolve() == program:
            since.setdefault(found[1], number)
        elif found := FORK.match(line):
            parents[found[2]] = found[1]

    def is_cli(process: str, number: int) -> bool:
        if process in since:
            return number >= since[process]
        return process in parents and is_cli(parents[process], number)

    readers: tuple[set[str], set[str]] = (set(), set())
    for number, line in enumerate(lines):
        found = OPEN.match(line)
        if found and found[2].startswith(str(folder / "logins")):
            readers[not is_cli(found[1], number)].add(found[2])
    return readers
