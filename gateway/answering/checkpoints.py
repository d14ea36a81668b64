"""Checkpoints of agent projects: one before each answer that may change files, and the way back."""

from gateway.answering.caller import Caller
from gateway.answering.services import Services
from gateway.errors import CheckpointNotFound, ProjectBusy
from gateway.store.project_checkpoints import Checkpoint, Rewound
from gateway.store.projects import ProjectRecord
from gateway.turn import Turn

#: The tools of Claude Code that change files.
CHANGING_TOOLS = frozenset({"Bash", "Edit", "NotebookEdit", "Write"})


def save_checkpoint(turn: Turn, caller: Caller, services: Services, project: ProjectRecord | None) -> None:
    """Save the files of the turn's project if an agent may change them. Raises StoreError."""
    workspace = turn.agent_workspace
    if project is not None and workspace is not None and CHANGING_TOOLS.intersection(workspace.tools):
        services.checkpoints.create(project.path, caller.request_id, caller.owner_id)


def rewind(
    project: ProjectRecord,
    caller: Caller,
    services: Services,
    checkpoint_id: str | None = None,
    request_id: str | None = None,
) -> tuple[Checkpoint, Rewound, Checkpoint | None]:
    """Undo all changes since a checkpoint: the one with this id, the one before this request, or the newest.

    Return the checkpoint, the changes, and a new checkpoint that undoes them in turn. Raises CheckpointNotFound, or
    ProjectBusy if this worker has an answer in the project.
    """
    if services.claude.is_project_busy(project.id):
        raise ProjectBusy
    target = _find(services.checkpoints.list(project.path), checkpoint_id, request_id)
    undo = services.checkpoints.create(project.path, caller.request_id, caller.owner_id, target.id)
    return target, services.checkpoints.restore(project.path, target.id), undo


def _find(checkpoints: list[Checkpoint], checkpoint_id: str | None, request_id: str | None) -> Checkpoint:
    for checkpoint in checkpoints:
        if checkpoint_id in (None, checkpoint.id) and request_id in (None, checkpoint.request_id):
            return checkpoint
    raise CheckpointNotFound(
        "The project has no such checkpoint. GET /v1/projects/{id}/checkpoints lists them.",
        param="checkpoint_id",
    )
