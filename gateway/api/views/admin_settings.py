"""`/v1/admin/settings`: all settings, and changes of the live ones at run time."""

from pathlib import Path
from typing import Any

from gateway.answering.live_settings import SettingState
from gateway.api.http.blueprints import AdminBlueprint, document_errors
from gateway.api.http.context import get_caller, get_services
from gateway.api.openapi import examples
from gateway.errors import SettingFixed, SettingNotFound
from gateway.schemas import admin_settings as schemas

blueprint = AdminBlueprint("settings", "Settings, and changes of them at run time, for admins")


@blueprint.route("", methods=["GET"])
@blueprint.response(200, schemas.SettingListSchema)
def list_settings() -> dict[str, Any]:
    """List all settings with their values in force, and the sources of those."""
    return {"data": [_describe(state) for state in get_services().live_settings.list()]}


@blueprint.route("/<setting_name>", methods=["GET"])
@document_errors(SettingNotFound)
@blueprint.response(200, schemas.SettingSchema)
def show(setting_name: str) -> dict[str, Any]:
    """Return a setting."""
    return _describe(get_services().live_settings.describe(setting_name))


@blueprint.route("/<setting_name>", methods=["PATCH"])
@document_errors(SettingNotFound, SettingFixed)
@blueprint.arguments(schemas.SettingChangeSchema, example=examples.SETTING_CHANGE)
@blueprint.response(200, schemas.SettingSchema)
def change(body: dict[str, Any], setting_name: str) -> dict[str, Any]:
    """Change a live setting, in all workers within seconds. It wins over environment and file until it is reset."""
    live_settings = get_services().live_settings
    live_settings.change(setting_name, body["value"], get_caller().actor)
    return _describe(live_settings.describe(setting_name))


@blueprint.route("/<setting_name>", methods=["DELETE"])
@document_errors(SettingNotFound, SettingFixed)
@blueprint.response(200, schemas.SettingSchema)
def reset(setting_name: str) -> dict[str, Any]:
    """Reset a live setting to its value in the environment or the settings file, or to its default."""
    live_settings = get_services().live_settings
    live_settings.reset(setting_name, get_caller().actor)
    return _describe(live_settings.describe(setting_name))


def _describe(state: SettingState) -> dict[str, Any]:
    change = state.change
    return {
        "name": state.name,
        "value": _plain(state.public_value),
        "source": state.source,
        "default": _plain(state.declared.default),
        "configured": _plain(state.public_configured),
        "place": state.place,
        "is_live": state.is_live,
        "accepted": state.accepted,
        "description": state.declared.metadata["description"],
        "section": state.section,
        "changed_at": change and change.changed_at,
        "changed_by": change and change.changed_by,
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
