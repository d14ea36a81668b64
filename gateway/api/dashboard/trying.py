"""The page with a chat to try a model, and the page that shows how to connect a client."""

from gateway.answering import project_access
from gateway.answering.client_setup import values_for
from gateway.api.dashboard.blueprints import own, render_page
from gateway.api.dashboard.models import choices, visible_models
from gateway.api.http.context import get_caller, get_services
from gateway.api.http.own_address import own_address
from gateway.client_recipes.catalog import RECIPES
from gateway.client_recipes.recipe import Recipe, fill_recipe
from gateway.client_recipes.show import Block, blocks_of, by_title
from gateway.errors import StoreError
from gateway.store.projects import ProjectRecord

MAX_PROJECTS = 100

#: A client's recipes, each with its texts to copy.
Client = tuple[str, list[tuple[Recipe, tuple[Block, ...]]]]


@own.get("/try")
def show_chat() -> str:
    """Show a chat with one model."""
    return render_page("dashboard/chat.html", models=choices(visible_models()), projects=_agent_projects())


@own.get("/connect")
def show_clients() -> str:
    """Show what to enter or write in each client."""
    return render_page("dashboard/connect.html", clients=list_clients(), address=own_address())


def list_clients() -> list[Client]:
    """Return the clients with the address of this request filled in."""
    values = values_for(get_services().settings, get_services().claude.catalog, own_address())
    filled = [fill_recipe(recipe, values) for recipe in RECIPES]
    return [(title, [(mode, blocks_of(mode)) for mode in modes]) for title, modes in by_title(filled)]


def _agent_projects() -> list[ProjectRecord]:
    """Return the newest projects in which the chat may let an agent work."""
    services, caller = get_services(), get_caller()
    if not services.settings.allow_agent_projects:
        return []
    try:
        owner, only = project_access.visible_owner(caller), project_access.allowed_ids(caller)
        found, _ = services.projects.list_page(owner, 1, MAX_PROJECTS, only)
    except StoreError:
        return []
    return [project for project in found if project.policy.get("mode") == "agent"]
