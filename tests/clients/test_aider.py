"""aider edits a file from the text of an answer, and commits the change."""

from pathlib import Path

import pytest

from tests.clients.client import Desk
from tests.clients.conftest import Note
from tests.clients.programs.aider import AIDER_CLIENT
from tests.clients.scenarios import FILE, NEW_LINE, OLD_LINE, TASK
from tests.standin import StandIn, text
from tests.standin.prompt import last_user_text
from tests.support.gateway import Gateway

MESSAGE = "Greet Ada"  # of the commit
LISTING = f"This greets Ada.\n\n{FILE}\n```\n{NEW_LINE}\n```\n"


@pytest.mark.clients
@pytest.mark.timeout(900)
def test_aider_edits_a_file_and_commits_it(
    keeping_gateway: Gateway, standin: StandIn, tmp_path: Path, matrix_cell: Note
) -> None:
    matrix_cell(AIDER_CLIENT.recipe.title, AIDER_CLIENT.version, "chat", "edit")
    standin.default(lambda body: text(MESSAGE if "# Diffs:" in last_user_text(body) else LISTING))
    desk = Desk(AIDER_CLIENT, tmp_path, keeping_gateway.url, "aider-edit")
    desk.write(FILE, f"{OLD_LINE}\n")
    desk.commit()
    desk.run((*AIDER_CLIENT.ask, FILE), prompt=TASK)
    assert (desk.workspace / FILE).read_text("utf-8") == f"{NEW_LINE}\n"
    assert MESSAGE in desk.git("log", "-3", "--format=%s")
    assert {record.status for record in standin.messages} == {200}
