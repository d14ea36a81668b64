"""Hold the size limit of a project while an agent writes to it.

Uploads are checked before they are stored, but an agent's tools write directly. So the project is measured at an
interval while an agent's answer runs, in a thread, and an answer that makes it too large is stopped.
"""

import gevent

from gateway.answering.metering import MeteredAnswer
from gateway.errors import ProjectTooLarge, StoreError
from gateway.store.project_folders import ProjectFolders

INTERVAL_SECONDS = 2.0


def guard_size(answer: MeteredAnswer, path: str, folders: ProjectFolders) -> None:
    """Stop the answer of an agent as soon as the project in the folder `path` exceeds its size limit."""
    gevent.spawn(_watch, answer, path, folders)


def _watch(answer: MeteredAnswer, path: str, folders: ProjectFolders) -> None:
    while not answer.is_over:
        gevent.sleep(INTERVAL_SECONDS)
        try:
            size = folders.count_bytes(path)
        except StoreError:  # logged there; uploads and the next answer fail with it
            continue
        if size > folders.max_bytes and not answer.is_over:
            message = (
                "The agent has made the project larger than MAX_PROJECT_SIZE_MB. Delete some of its files."
            )
            answer.stop(ProjectTooLarge(message, param="project_id"))
            return
