"""The jobs of batches after a worker has died in the middle of them, and the runner at the end of its worker."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import gevent
import pytest

from gateway.answering.batches import anthropic_format, openai_format
from gateway.answering.batches.jobs import SLICE_ITEMS, BatchJobs
from gateway.answering.services import Services
from gateway.lenient_json import dumps
from gateway.store.batch_items import BatchItems
from gateway.store.batches import CANCELLING, FINALIZING, IN_PROGRESS, VALIDATING, Batch, Batches
from gateway.store.files import FileQuery, FileUpload
from gateway.turn import Usage
from tests.support.batches import chat_line
from tests.unit.answering.fakes import caller

ME = caller("me")


class Killed(BaseException):
    """Stands for the end of a worker."""


@pytest.fixture
def jobs(services: Services) -> BatchJobs:
    return services.batch_jobs


@pytest.fixture
def items(services: Services) -> BatchItems:
    return BatchItems(services.store)


def create(services: Services, count: int) -> Batch:
    """Create a batch with so many input lines."""
    lines = [dumps(chat_line(str(number))) + b"\n" for number in range(count)]
    file = services.files.create("me", "in.jsonl", "batch", "application/jsonl", lines)
    body = {"input_file_id": file.id, "endpoint": "/v1/chat/completions"}
    return services.batch_jobs.create(openai_format.new_batch(body, ME))


def current(services: Services, batch: Batch) -> Batch:
    return services.batches.get("me", "openai", batch.id)


def die(
    services: Services, monkeypatch: pytest.MonkeyPatch, batch: Batch, kind: type, name: str, call: int
) -> None:
    """Do the next job of the batch in a worker that dies when it calls this method for the `call`th time."""
    original, calls = getattr(kind, name), iter(range(1, call + 1))

    def call_or_die(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, call_or_die)
        patch.setattr(Batches, "release_lease", lambda *_: None)
        patch.setattr("gateway.store.files.Files.purge", lambda *_: None)
        with pytest.raises(Killed):
            services.batch_jobs.advance(batch)
    services.store.write(lambda db: db.execute_sql("UPDATE batches SET leased_until = 0"))


def test_large_input_is_stored_in_slices_between_which_others_run(
    services: Services, jobs: BatchJobs
) -> None:
    batch = create(services, 20 * SLICE_ITEMS)
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    other = gevent.spawn(count)
    jobs.advance(batch)
    other.kill()
    assert turns >= 20
    assert (current(services, batch).status, current(services, batch).total) == (
        IN_PROGRESS,
        20 * SLICE_ITEMS,
    )


def test_validation_begins_again_after_its_worker_has_died(
    services: Services, jobs: BatchJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = create(services, 3 * SLICE_ITEMS)
    die(services, monkeypatch, batch, BatchItems, "add", 3)
    assert current(services, batch).status == VALIDATING
    assert jobs.advance(batch)
    assert current(services, batch).total == 3 * SLICE_ITEMS


def answer_all(services: Services, items: BatchItems, batch: Batch) -> Batch:
    while (item := items.claim(batch.id)) is not None:
        outcome: Any = "errored" if item.custom_id == "0" else "succeeded"
        items.record(item, outcome, f'{{"custom_id":"{item.custom_id}"}}', Usage())
    return current(services, batch)


@pytest.mark.parametrize(("kind", "name", "call"), [(FileUpload, "finish", 2), (Batches, "change", 3)])
def test_result_files_exist_once_after_the_worker_that_wrote_them_has_died(
    services: Services,
    jobs: BatchJobs,
    items: BatchItems,
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    name: str,
    call: int,
) -> None:
    batch = create(services, 3)
    jobs.advance(batch)
    batch = answer_all(services, items, batch)
    die(services, monkeypatch, batch, kind, name, call)
    assert jobs.advance(current(services, batch))
    ended = current(services, batch)
    assert ended.status == "completed"
    files = services.files.list_page("me", FileQuery(purpose="batch_output")).files
    assert {file.id for file in files} == {ended.output_file_id, ended.error_file_id}
    content = b"".join(services.files.read("me", str(ended.output_file_id)))
    assert content == b'{"custom_id":"1"}\n{"custom_id":"2"}\n'


def test_result_files_expire_when_the_batch_says_so(
    services: Services, jobs: BatchJobs, items: BatchItems
) -> None:
    batch = create(services, 2)
    services.store.write(lambda db: db.execute_sql("UPDATE batches SET output_seconds = 7200"))
    jobs.advance(batch)
    jobs.advance(answer_all(services, items, batch))
    file = services.files.get("me", str(current(services, batch).output_file_id))
    assert file.expires_at - file.created_at == timedelta(hours=2)


def test_batch_that_is_canceled_during_validation_has_no_items(
    services: Services, jobs: BatchJobs, items: BatchItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = create(services, 3 * SLICE_ITEMS)
    add = BatchItems.add

    def cancel_and_add(self: BatchItems, *args: Any) -> bool:
        if services.batches.get("me", "openai", batch.id).status == VALIDATING:
            services.batches.cancel("me", "openai", batch.id)
        return add(self, *args)

    monkeypatch.setattr(BatchItems, "add", cancel_and_add)
    assert not jobs.advance(batch)
    assert current(services, batch).status == CANCELLING
    assert jobs.advance(current(services, batch))
    assert current(services, batch).status == "cancelled"
    assert items.list_results(batch.id, 0, 10) == []


def test_batch_whose_creator_died_before_all_requests_were_stored_disappears(
    services: Services, jobs: BatchJobs
) -> None:
    def requests() -> Iterator[tuple[str, str]]:
        yield "a", "{}"
        raise Killed

    with pytest.raises(Killed):
        jobs.create(anthropic_format.new_batch(ME, {}), requests())
    (left,) = services.batches.list_open()
    jobs.advance(left)
    assert services.batches.list_open() == []


def test_end_of_a_worker_gives_its_items_back(services: Services, jobs: BatchJobs, items: BatchItems) -> None:
    batch = create(services, 1)
    jobs.advance(batch)
    item = items.claim(batch.id)
    assert item is not None
    assert items.claim(batch.id) is None
    services.batch_runner._running[item.lease_id] = batch
    services.batch_runner.close()
    assert items.claim(batch.id) is not None


def test_batch_that_is_finalizing_is_not_canceled(services: Services, jobs: BatchJobs) -> None:
    batch = create(services, 1)
    services.store.write(lambda db: db.execute_sql(f"UPDATE batches SET status = '{FINALIZING}'"))
    with pytest.raises(Exception, match="finalizing"):
        services.batches.cancel("me", "openai", batch.id)
