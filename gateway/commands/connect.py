"""`claude-gateway connect`: show what to enter or write so that a client uses this gateway."""

import click

from gateway.answering.client_setup import KEY_TO_FILL_IN, local_address, values_for
from gateway.claude.catalog import ModelCatalog
from gateway.client_recipes.catalog import BY_NAME, RECIPES
from gateway.client_recipes.recipe import PATHS, fill_recipe
from gateway.client_recipes.show import to_text
from gateway.command_line.stores import find_changes
from gateway.command_line.tables import format_table
from gateway.home import COMMAND
from gateway.settings import load


@click.command("connect")
@click.argument("client", required=False, type=click.Choice(list(BY_NAME)), metavar="[CLIENT]")
@click.option("--address", help="Address of the gateway as the client reaches it.  [default: this machine]")
@click.option("--key", help="API key of the client.")
@click.option("--model", help="Model to use.  [default: DEFAULT_MODEL, or sonnet]")
def command(client: str | None, address: str | None, key: str | None, model: str | None) -> None:
    """Show what to enter or write so that CLIENT uses this gateway. Without CLIENT, list the clients."""
    if client is None:
        rows = [(recipe.name, recipe.title, PATHS[recipe.dialect]) for recipe in RECIPES]
        click.echo(format_table([("NAME", "CLIENT", "ENDPOINT"), *rows]))
        return
    settings = find_changes(load()).current
    catalog = ModelCatalog(
        settings.claude_code_api_models_path, settings.default_model, settings.model_patterns
    )
    reached = (address or local_address(settings)).rstrip("/").removesuffix("/v1")
    values = values_for(settings, catalog, reached, key=key, model=model)
    click.echo(to_text(fill_recipe(BY_NAME[client], values)), nl=False)
    if values.key == KEY_TO_FILL_IN:
        click.echo(f"To get a key: {COMMAND} keys create {client}", err=True)
