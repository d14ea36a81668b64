"""Record what agents do in projects, in entries of bounded size.

>>> shorten({"file_path": "/srv/garden/a.txt", "content": "x" * 5000}, "/srv/garden")["file_path"]
'a.txt'
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.answering.caller import Caller
from gateway.lenient_json import dumps
from gateway.store.activity import Activity, NewAction
from gateway.store.projects import ProjectRecord
from gateway.turn import Turn
from gateway.workspace import AgentAction

MAX_CHARACTERS = 2000  # of each text in the arguments, and of a result
MAX_VALUES = 50  # of a list or an object
MAX_DEPTH = 5
MAX_ENTRY_CHARACTERS = 20_000  # of all arguments together


def record_actions(turn: Turn, caller: Caller, activity: Activity) -> Turn:
    """Return the turn such that everything that an agent does in it is recorded."""
    workspace = turn.agent_workspace
    if workspace is None:
        return turn
    folder = workspace.folder

    def record(action: AgentAction) -> None:
        if action.status == "started":
            _start(action)
            return
        result = None if action.result is None else _shorten_result(action.result, folder)
        ending = (action.status, result, action.milliseconds)
        if not activity.finish(turn.project, action.call_id, *ending):
            _start(action)
            activity.finish(turn.project, action.call_id, *ending)

    def _start(action: AgentAction) -> None:
        activity.start(
            NewAction(
                project_id=turn.project,
                owner=caller.owner_id,
                request_id=caller.request_id,
                call_id=action.call_id,
                tool=action.tool,
                arguments=_shorten_arguments(action.arguments, folder),
                subagent=action.subagent or None,
            )
        )

    return replace(turn, agent_workspace=replace(workspace, record=record))


def activity_owner(project: ProjectRecord, caller: Caller) -> str | None:
    """Return the owner whose requests the caller may see in a project; None for all of them.

    The owner of the project and admin keys see all. Other keys that may work in it see what their own requests did.
    """
    return None if caller.owner_id == project.owner else caller.visible_owner


def shorten(value: Any, folder: str, depth: int = 0) -> Any:
    """Return a copy of JSON data with long texts, lists and objects cut, and with paths relative to `folder`."""
    if isinstance(value, str):
        return _cut(value.replace(f"{folder}/", "").replace(folder, "."))
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        kept = list(value.items())[:MAX_VALUES]
        return {_cut(str(name)): shorten(inner, folder, depth + 1) for name, inner in kept}
    if isinstance(value, list):
        return [shorten(inner, folder, depth + 1) for inner in value[:MAX_VALUES]]
    return value


def _shorten_arguments(arguments: Mapping[str, Any], folder: str) -> dict[str, Any]:
    shortened: dict[str, Any] = shorten(dict(arguments), folder)
    text = dumps(shortened).decode()
    return shortened if len(text) <= MAX_ENTRY_CHARACTERS else {"shortened": _cut(text)}


def _shorten_result(result: Any, folder: str) -> str:
    shortened = shorten(result, folder)
    return shortened if isinstance(shortened, str) else _cut(dumps(shortened).decode())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text)} characters)"
