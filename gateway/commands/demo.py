"""`claude-gateway demo`: show the gateway at work, without an account. `demo --once` exits after the answers."""

import signal

import click

from gateway.command_line.client import Client, NoAnswer, Refused
from gateway.command_line.demonstration import MODEL, Answer, DemoFailed, run_gateway, stream_answer
from gateway.command_line.get_claude import EXECUTABLE, InstallFailed, get_cli
from gateway.command_line.scripted_model import run_scripted_model
from gateway.errors import ClaudeUnavailable
from gateway.home import COMMAND, IS_CLONE, find_home

QUESTIONS = ("Hello! Are you a real model?", "And does the gateway remember what I said?")
START = "make start" if IS_CLONE else f"{COMMAND} serve"
LOGIN = "make login" if IS_CLONE else f"{COMMAND} login"


@click.command("demo")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the gateway.  [default: free]"
)
@click.option("--once", is_flag=True, help="Exit after the answers.")
def command(port: int, once: bool) -> None:
    """Show the gateway at work with a scripted model. It needs no account, and no data leaves this machine."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # like Ctrl-C, so that the gateway is stopped, too
    try:
        claude = get_cli(find_home() / ".claude-cli" / EXECUTABLE)
        click.echo(f"Starting a gateway with Claude Code {claude.version_text} and a scripted model ...\n")
        with run_scripted_model() as model, run_gateway(claude.path, model, port) as client:
            _show(client)
            if not once:
                click.echo(f"The demo serves at {client.url} until Ctrl-C.")
                signal.pause()
    except KeyboardInterrupt:
        click.echo("\nStopped.")
    except (ClaudeUnavailable, InstallFailed, DemoFailed, NoAnswer, Refused) as error:
        raise click.ClickException(str(error)) from error


def _show(client: Client) -> None:
    """Have a conversation of two questions, then say what to try and how to go on."""
    messages: list[dict[str, str]] = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        answer = _ask(client, messages)
        messages.append({"role": "assistant", "content": answer.text})
    body = f'{{"model": "{MODEL}", "stream": true, "messages": [{{"role": "user", "content": "Hi"}}]}}'
    click.echo(f"""\
Try it from another terminal:

  curl -N {client.url}/v1/chat/completions -d '{body}'

See it in a browser:

  Dashboard  {client.url}/dashboard
  API        {client.url}/docs

With a real model:

  {LOGIN:30} log in with your Claude account
  {START:30} run the gateway
  {COMMAND + " connect":30} set up Codex, Cline, Open WebUI and others
  {COMMAND + " doctor":30} check everything
""")


def _ask(client: Client, messages: list[dict[str, str]]) -> Answer:
    """Stream one answer and print it as it arrives."""
    click.echo(f"You:    {messages[-1]['content']}\nAnswer: ", nl=False)
    answer = Answer("", 0, 0, 0)
    for piece in stream_answer(client, messages):
        if isinstance(piece, Answer):
            answer = piece
        else:
            click.echo(piece, nl=False)
    click.echo(
        f"\n        (first word after {answer.first_seconds * 1000:.0f} ms, {answer.pieces} words in "
        f"{answer.total_seconds:.1f} s)\n"
    )
    return answer
