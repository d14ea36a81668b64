"""`claude-gateway size`: recommend settings, for example `size --users 30 --memory 8`."""

import click

from gateway.sizing.advice import TooSmall, recommend
from gateway.sizing.model import Figures, Habits, Machine
from gateway.sizing.report import describe_advice


@click.command("size")
@click.option("--users", type=click.IntRange(min=1), required=True, help="People who work at the same time.")
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Memory of the machine in GB.",
)
@click.option(
    "--cores", type=click.IntRange(min=1), default=2, show_default=True, help="Cores of the machine."
)
@click.option(
    "--think", type=click.FloatRange(min=1), default=30.0, help="Seconds between answer and question."
)
@click.option("--turns", type=click.FloatRange(min=1), default=6.0, help="Questions of a conversation.")
@click.option(
    "--pause", type=click.FloatRange(min=1), default=60.0, help="Seconds between two conversations."
)
@click.option("--tokens", type=click.IntRange(min=1), default=300, help="Tokens of an answer.")
def command(
    users: int, memory: float, cores: int, think: float, turns: float, pause: float, tokens: int
) -> None:
    """Recommend settings for a number of users, by a simulation with measured figures. See docs/scale.md."""
    habits = Habits(users, think_seconds=think, turns=turns, pause_seconds=pause, tokens=tokens)
    machine = Machine(cores, int(memory * 1e9))
    try:
        advice = recommend(Figures.load(), habits, machine)
    except TooSmall as error:
        raise click.ClickException(str(error)) from error
    click.echo(describe_advice(advice, machine))
