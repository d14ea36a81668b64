"""`claude-gateway serve`: run the gateway, for example `serve --port 9000`."""

import os
import subprocess
from pathlib import Path

import click

from gateway.command_line.get_claude import EXECUTABLE, InstallFailed, get_cli
from gateway.command_line.server import APP, GUNICORN, LOG_FILE, PID_FILE, load_server, run_in_foreground
from gateway.command_line.server_options import add_server_options, or_default
from gateway.errors import ClaudeUnavailable
from gateway.home import find_home


@click.command("serve")
@click.option("--host", help="Address to listen on, in place of HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, in place of PORT.")
@click.option("--reload", is_flag=True, help="For development: reload when the code changes.")
@click.option("--background", is_flag=True, help="Return as soon as the gateway answers.")
@click.option("--check", is_flag=True, help="Check that the code and the settings start, and exit.")
@add_server_options
@click.pass_context
def command(
    ctx: click.Context,
    host: str | None,
    port: int | None,
    reload: bool,
    background: bool,
    check: bool,
    pid_file: Path | None,
    log: Path | None,
) -> None:
    """Run the gateway until Ctrl-C. Without a Claude Code CLI on this machine, install it first."""
    os.environ.update({"HOST": host} if host else {})
    os.environ.update({"PORT": str(port)} if port is not None else {})
    if check:
        ctx.exit(subprocess.run([*GUNICORN, "--check-config", APP], check=False).returncode)
    server = load_server(or_default(pid_file, PID_FILE), or_default(log, LOG_FILE), must_be_valid=True)
    _install_cli()
    if background:
        server.start()
        return
    options = ["--reload"] if reload else []
    if pid_file is not None:
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        options += ["--pid", str(pid_file)]
    run_in_foreground(server.settings, options)


def _install_cli() -> None:
    """Install the CLI if there is no usable one. If that fails, the gateway starts all the same and says so."""
    try:
        get_cli(find_home() / ".claude-cli" / EXECUTABLE)
    except (ClaudeUnavailable, InstallFailed) as error:
        click.echo(f"Warning: {error}", err=True)
