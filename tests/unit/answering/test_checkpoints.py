"""Checkpoints before answers of agents, and rewinding to them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.answering.checkpoints import rewind, save_checkpoint
from gateway.answering.services import Services, build_services
from gateway.errors import CheckpointNotFound, ProjectBusy
from gateway.settings import Settings
from gateway.store.projects import ProjectRecord
from gateway.turn import Message, Turn
from gateway.workspace import AgentWorkspace
from tests.unit.answering.fakes import caller

TURN = Turn(messages=(Message("user", ({"type": "text", "text": "hi"},)),))
ME = caller("me")


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    services = build_services(Settings(database_url=database_url, project_root=tmp_path, agent_checkpoints=2))
    yield services
    services.store.close()


@pytest.fixture
def project(services: Services) -> ProjectRecord:
    services.folders.create("garden")
    return services.projects.create("p", "me", "garden", "Garden")


def answer(services: Services, project: ProjectRecord, request_id: str, words: str, *tools: str) -> None:
    """Take the checkpoint of an answer in which an agent writes `words`."""
    turn = replace(TURN, agent_workspace=AgentWorkspace("/p", tools or ("Read", "Write")))
    save_checkpoint(turn, replace(ME, request_id=request_id), services, project)
    services.folders.write_file("garden", ("a.txt",), [words.encode()])


def content(services: Services) -> str:
    file, _ = services.folders.open_file("garden", ("a.txt",))
    with file:
        return file.read().decode()


def test_rewind_goes_back_to_the_newest_checkpoint_or_before_a_request(
    services: Services, project: ProjectRecord
) -> None:
    for number in ("1", "2", "3"):
        answer(services, project, f"req_{number}", number)
    target, changes, undo = rewind(project, ME, services)
    assert (target.request_id, changes.restored, content(services)) == ("req_3", ("a.txt",), "2")
    assert undo is not None
    assert rewind(project, ME, services, checkpoint_id=undo.id)[1].restored == ("a.txt",)
    assert content(services) == "3"


def test_a_new_checkpoint_does_not_delete_the_target_of_the_rewind(
    services: Services, project: ProjectRecord
) -> None:
    for number in ("1", "2", "3"):
        answer(services, project, f"req_{number}", number)
    rewind(project, ME, services, request_id="req_2")
    assert content(services) == "1"


def test_answer_that_cannot_change_files_makes_no_checkpoint(
    services: Services, project: ProjectRecord
) -> None:
    answer(services, project, "req_1", "1", "Read", "Grep")
    save_checkpoint(TURN, ME, services, project)
    with pytest.raises(CheckpointNotFound):
        rewind(project, ME, services)


def test_rewind_is_refused_while_an_agent_works_in_the_project(
    services: Services, project: ProjectRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(services, project, "req_1", "1")
    monkeypatch.setattr(services.claude, "is_project_busy", lambda project_id: project_id == "p")
    with pytest.raises(ProjectBusy):
        rewind(project, ME, services)
