"""`claude-gateway doctor`: check the installation and the running gateway, and say what to do."""

import os

import click

from gateway.command_line.checks import machine, network, proxy, requests, service, upstream
from gateway.command_line.checks.findings import WRONG, Check, format_finding, name_of
from gateway.command_line.checks.run_time import apply_run_time
from gateway.settings import SettingsError, load

DOCTOR: tuple[Check, ...] = (
    service.check_port,
    service.check_claude,
    service.check_login,
    service.check_accounts,
    upstream.check_api,
    upstream.check_clock,
    machine.check_limits,
    machine.check_disk,
    proxy.check_nginx,
)
DEPLOYMENT: tuple[Check, ...] = (
    network.check_auth,
    network.check_keys,
    service.check_claude,
    service.check_login,
    machine.check_limits,
    network.check_usage,
    network.check_agents,
    machine.check_disk,
    network.check_permissions,
    proxy.check_nginx,
)


@click.command("doctor")
@click.option("--url", help="Address of the gateway as clients reach it, for example through a proxy.")
@click.option("--key", help="API key for the live requests.  [default: API_KEY, or the first of API_KEYS]")
@click.option(
    "--requests/--no-requests", "live", default=True, help="Send a short request per dialect to the gateway."
)
@click.option(
    "--deploy", is_flag=True, help="Check instead what to change before the gateway goes on the network."
)
@click.pass_context
def command(ctx: click.Context, url: str | None, key: str | None, live: bool, deploy: bool) -> None:
    """Check port, CLI, login, accounts, API, clock, memory, disk, proxy and all dialects, and say what to do.

    The exit code is 1 if something is wrong.
    """
    os.environ.update({"BASE_URL": url} if url else {})
    os.environ.update({"API_KEY": key} if key else {})
    if deploy:
        ctx.exit(run_checks(DEPLOYMENT, "Nothing has to be changed."))
    ctx.exit(run_checks((*DOCTOR, *([requests.check_requests] if live else [])), "All is well."))


def run_checks(checks: tuple[Check, ...], good: str) -> int:
    """Print the findings of all checks as they are made. Return the exit code."""
    wrong = 0
    try:
        settings = load()
    except SettingsError as error:
        click.echo(format_finding("settings", (WRONG, str(error))))
        return 1
    settings, findings = apply_run_time(settings)
    for finding in findings:
        click.echo(format_finding("settings", finding))
    for check in checks:
        for finding in check(settings):
            click.echo(format_finding(name_of(check), finding))
            wrong += finding[0] == WRONG
    click.echo(f"{wrong} problem(s). Each line with {WRONG} says what to do." if wrong else good)
    return 1 if wrong else 0
