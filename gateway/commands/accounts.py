"""`claude-gateway accounts`: manage the list of accounts, for example `accounts add team-a --shared`.

Each account without variables has a folder of its own, in which only the CLI reads and writes the login.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.accounts.account import CONFIG_DIR, Account
from gateway.accounts.accounts_file import NAME, add_section, read_accounts, remove_section
from gateway.accounts.states import AccountStates, load_states
from gateway.answering.account_admin import list_users, resume_account
from gateway.answering.account_sync import AccountSync
from gateway.answering.quota import to_moment
from gateway.claude.cli.binary import find_binary
from gateway.claude.cli.login_command import login_command, login_environment
from gateway.claude.fleet.login import Login
from gateway.claude.launcher import Launcher
from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table, format_time
from gateway.home import COMMAND, find_home
from gateway.settings import Settings, SettingsError, load
from gateway.store.account_facts import AccountFacts
from gateway.store.audit import COMMAND_LINE, AuditLog
from gateway.store.keys import Key, Keys

HEADINGS = ("ACCOUNT", "KIND", "SHARED", "STATE", "RESTS UNTIL", "KEYS", "FOLDER")
APPLIES = "A running gateway applies it within seconds."


@click.group("accounts")
def command() -> None:
    """Manage the accounts: named logins of the CLI."""


@command.command()
@click.argument("name")
@click.option("--shared", is_flag=True, help="Let every key use it that is bound to no accounts.")
@click.option(
    "--folder", help="The CLI's configuration folder. Default: accounts/NAME in the gateway's folder."
)
@click.option(
    "--variable",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Log in by a variable, e.g. ANTHROPIC_API_KEY='$WORK_KEY', which names a variable of the gateway.",
)
@click.option("--no-login", is_flag=True, help="Do not run the CLI's login: the folder has one.")
def add(name: str, shared: bool, folder: str | None, variables: Sequence[str], no_login: bool) -> None:
    """Add the account NAME, and log it in with the CLI's own login."""
    settings = load()
    path = settings.accounts_path
    if not NAME.fullmatch(name) or any("=" not in variable for variable in variables):
        raise SettingsError(
            "Use letters, digits, '-' and '_' for NAME, and the form NAME=VALUE for variables."
        )
    if any(account.name == name for account in _read(settings)):
        raise SettingsError(f"There is an account {name} already. Run: {COMMAND} accounts remove {name}")
    if folder is None and not variables:
        folder = str(find_home() / "accounts" / name)
    if folder is not None:
        folder = str(Path(folder).expanduser().absolute())
        if not variables and not no_login:
            _log_in(settings, folder)
    add_section(path, name, folder, variables, shared)
    try:
        _read(settings)
    except SettingsError:
        remove_section(path, name)
        raise
    click.echo(f"{name} is in {path}. {APPLIES}")


@command.command("list")
def list_accounts() -> None:
    """List the accounts, their states as the gateway last knew them, and the keys bound to them."""
    settings = load()
    states = load_states(settings)
    with open_store() as store:
        states.merge(AccountFacts(store).load())
        keys = Keys(store).list()
    rows = [_format(account, states, keys) for account in states.accounts.values()]
    click.echo(format_table([HEADINGS, *rows]))


@command.command()
@click.argument("name")
@click.pass_context
def test(ctx: click.Context, name: str) -> None:
    """Start the CLI with the account NAME, and tell whether it is logged in. No model is asked."""
    settings = load()
    states = _find(settings, name)
    launcher = Launcher(settings, states.accounts.values())
    launcher.find_binary()
    login = Login(lambda: launcher.advise_login(name))
    login.ask(launcher.start_chat(name), launcher.environs[name], settings.start_timeout_seconds)
    if login.is_good:
        click.echo(f"{name} is logged in.")
        return
    if login.is_good is None:  # a missing login is logged, with advice
        click.echo(f"The CLI did not tell whether {name} is logged in.", err=True)
    ctx.exit(1)


@command.command()
@click.argument("name")
def resume(name: str) -> None:
    """End the rests of the account NAME, so that it is asked again."""
    states = _find(load(), name)
    with open_store() as store:
        sync = AccountSync(states, AccountFacts(store))
        sync.share()
        resume_account(name, COMMAND_LINE, states, sync, AuditLog(store))
    click.echo(f"{name} is asked again.")


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the account NAME from the list. Its folder stays."""
    settings = load()
    account = _find(settings, name).accounts[name]
    with open_store() as store:
        users = [key.name for key in list_users(Keys(store).list(), name)]
    remove_section(settings.accounts_path, name)
    click.echo(f"{name} is removed. {APPLIES}")
    if users:
        click.echo(f"These keys are bound to it: {', '.join(users)}. See: {COMMAND} keys accounts --help")
    if account.config_dir:
        click.echo(f"Its folder stays, with the login: {account.config_dir}")


def _read(settings: Settings) -> list[Account]:
    return read_accounts(settings.accounts_path, settings.environ, settings.claude_api_key)


def _find(settings: Settings, name: str) -> AccountStates:
    """Return the states, if the list has the account. Raises SettingsError."""
    states = load_states(settings)
    if not states.is_listed or name not in states.accounts:
        raise SettingsError(f"{settings.accounts_path} has no account {name}. Run: {COMMAND} accounts list")
    return states


def _log_in(settings: Settings, folder: str) -> None:
    """Run the CLI's login, which writes into the folder. Raises SettingsError if it fails."""
    Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    program = find_binary(settings.claude_binary_path).path
    environ = login_environment(settings.environ) | {CONFIG_DIR: folder}
    if subprocess.run(login_command(program), env=environ, check=False).returncode:
        raise SettingsError("The login failed, so the account was not added.")


def _format(account: Account, states: AccountStates, keys: Sequence[Key]) -> tuple[str, ...]:
    status = states.status(account.name)
    users = [key.name for key in list_users(keys, account.name)]
    until = to_moment(status.resting_until)
    return (
        account.name,
        account.kind,
        "yes" if account.is_shared else "no",
        status.state.replace("_", " "),
        format_time(until) if until else "-",
        ", ".join(users) or "-",
        account.config_dir or "-",
    )
