"""The life of batches apart from their answers: creation, validation of the input, and the end.

One worker at a time does such a job for a batch, under a lease. If it dies, another one begins the job again: items of
an unfinished validation and unfinished result files are deleted first.
"""

import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import gevent

from gateway.answering.batches import openai_format
from gateway.answering.batches.formats import FORMATS
from gateway.answering.batches.openai_format import InputLine, LineError
from gateway.dialects.common.field_errors import invalid_field, quote
from gateway.errors import BatchNotActive, StoredFileNotFound
from gateway.settings import Settings
from gateway.store.batch_items import BatchItems, ItemResult
from gateway.store.batches import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    EXPIRED,
    FAILED,
    FINALIZING,
    IN_PROGRESS,
    OPEN,
    VALIDATING,
    Batch,
    Batches,
)
from gateway.store.database import utc_now
from gateway.store.files import Files
from gateway.store.lease_keeper import LeaseKeeper

log = logging.getLogger(__name__)

PURPOSE = "batch"  # of input files
MAX_ERRORS = 100  # of an input file that are reported
SLICE_ITEMS = 50  # items per transaction, which takes a few milliseconds
SLICE_CHARACTERS = 1 << 18
RESULTS_PER_QUERY = 20


class _LeaseLost(Exception):
    """Another worker ends the batch."""


@dataclass(slots=True)
class _Input:
    """The findings in an input file so far."""

    custom_ids: set[str] = field(default_factory=set)
    errors: list[dict[str, Any]] = field(default_factory=list)
    model: str | None = None

    def add_error(self, error: LineError, line: int | None) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error.describe(line))


class BatchJobs:
    """Creates, validates, finishes and deletes batches. Methods raise StoreError when the database fails."""

    def __init__(self, batches: Batches, items: BatchItems, files: Files, settings: Settings) -> None:
        self.batches = batches
        self.items = items
        self._files = files
        self.settings = settings
        self._keeper = LeaseKeeper(batches.renew_leases)

    def create(self, batch: Batch, requests: Iterable[tuple[str, str]] | None = None) -> Batch:
        """Store a new batch, and its requests if they do not come from a file. Return the batch.

        Requests are pairs of a custom id and a body. Raises LimitReached, StoredFileNotFound and InvalidRequest.
        """
        if batch.input_file_id is not None:
            self._check_file(batch.owner, batch.input_file_id)
        lease_id = None if requests is None else secrets.token_hex(16)
        self.batches.add(batch, self.settings.max_batches_in_progress, lease_id)
        if requests is not None and lease_id is not None:
            with self._keep(lease_id):
                total = self._add_items(batch, lease_id, requests)
                start = {"status": IN_PROGRESS, "in_progress_at": utc_now(), "total": total}
                self.batches.change(lease_id, [VALIDATING], **start)
        return self.batches.get(batch.owner, batch.kind, batch.id)

    def _check_file(self, owner: str, file_id: str) -> None:
        purpose = self._files.get(owner, file_id).purpose
        if purpose != PURPOSE:
            raise invalid_field(
                "input_file_id", f"Expected a file of the purpose '{PURPOSE}', not {quote(purpose)}."
            )

    def delete(self, batch: Batch) -> None:
        """Delete a batch with its results. Raises BatchNotActive if it is not over."""
        if batch.status in OPEN:
            raise BatchNotActive("The batch is in progress. Cancel it first, and wait until it has ended.")
        self.items.delete_all(batch.id)
        self.batches.delete(batch)

    def delete_expired(self) -> int:
        """Delete batches that ended BATCHES_TTL_DAYS ago, and return their number."""
        oldest = utc_now() - timedelta(days=self.settings.batches_ttl_days)
        self.items.delete_of_batches(oldest)
        return self.batches.delete_ended(oldest)

    def read_results(self, batch: Batch) -> Iterator[tuple[ItemResult, bytes]]:
        """Yield the results of a batch, each with its line, in the order of the requests."""
        make_unanswered_line = FORMATS[batch.kind].make_unanswered_line
        after = 0
        while results := self.items.list_results(batch.id, after, RESULTS_PER_QUERY):
            for result in results:
                line = result.line or make_unanswered_line(result.custom_id, result.outcome)
                yield result, line.encode() + b"\n"
            after = results[-1].id
            gevent.sleep(0)

    def advance(self, batch: Batch) -> bool:
        """Do the next job for a batch. Return False if there is nothing to do now, or another worker is at it."""
        lease_id = secrets.token_hex(16)
        if not self.batches.take_lease(batch, lease_id):
            return False
        with self._keep(lease_id):
            if batch.status == VALIDATING:
                return self._validate(batch, lease_id)
            if batch.in_progress_at is None:  # canceled before it was validated
                self.items.delete_all(batch.id)
                return self.batches.change(lease_id, [CANCELLING], status=CANCELLED, ended_at=utc_now())
            return self._end(batch, lease_id)

    @contextmanager
    def _keep(self, lease_id: str) -> Iterator[None]:
        self._keeper.add(lease_id)
        try:
            yield
        finally:
            self._keeper.remove(lease_id)
            self.batches.release_lease(lease_id)

    # The beginning

    def _validate(self, batch: Batch, lease_id: str) -> bool:
        self.items.delete_all(batch.id)
        if batch.input_file_id is None:
            # Its creator died before all requests were stored, and has told no client.
            self.batches.delete(batch)
            return True
        found = _Input()
        total = 0
        try:
            lines = self._read_input(batch, found)
            total = self._add_items(batch, lease_id, ((line.custom_id, line.body) for line in lines))
        except LineError as error:
            found.add_error(error, None)
        if found.errors:
            self.items.delete_all(batch.id)
            change = {"status": FAILED, "ended_at": utc_now(), "errors": found.errors}
        else:
            change = {"status": IN_PROGRESS, "in_progress_at": utc_now(), "total": total}
        return self.batches.change(lease_id, [VALIDATING], model=found.model, **change)

    def _read_input(self, batch: Batch, found: _Input) -> Iterator[InputLine]:
        """Yield the requests of the input file, until there is an error. Raises LineError for the file as a whole."""
        try:
            chunks = self._files.read(batch.owner, str(batch.input_file_id))
            lines = openai_format.split_lines(chunks, self.settings.max_request_bytes)
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                if len(found.custom_ids) == self.settings.max_batch_requests:
                    raise _too_many(len(found.custom_ids))
                try:
                    request = self._read_line(line, batch, found)
                except LineError as error:
                    found.add_error(error, number)
                else:
                    if not found.errors:
                        yield request
        except StoredFileNotFound as error:
            raise LineError("file_not_found", error.message, "input_file_id") from error
        if not (found.custom_ids or found.errors):
            raise LineError("empty_file", "The input file has no requests.", "input_file_id")

    def _read_line(self, line: bytes, batch: Batch, found: _Input) -> InputLine:
        request = openai_format.parse_line(line, batch.endpoint, found.custom_ids)
        found.custom_ids.add(request.custom_id)
        found.model = found.model or request.model
        if len(found.custom_ids) % SLICE_ITEMS == 0:
            gevent.sleep(0)
        return request

    def _add_items(self, batch: Batch, lease_id: str, requests: Iterable[tuple[str, str]]) -> int:
        """Store requests in slices, between which other greenlets run. Return their number."""
        total = 0
        for part in _slices(requests):
            if not self.items.add(lease_id, batch.id, part):
                break  # canceled, or the lease was lost
            total += len(part)
            gevent.sleep(0)
        return total

    # The end

    def _end(self, batch: Batch, lease_id: str) -> bool:
        """End a batch whose items are done, canceled or expired. Return False while items are being answered."""
        if batch.status == CANCELLING or batch.is_overdue:
            while self.items.end_open(batch.id, "canceled" if batch.status == CANCELLING else "expired"):
                gevent.sleep(0)
            batch = self.batches.get(batch.owner, batch.kind, batch.id)
        if batch.done < batch.total:
            return False
        if batch.status == IN_PROGRESS:
            change = {"status": FINALIZING, "finalizing_at": utc_now()}
            if not self.batches.change(lease_id, [IN_PROGRESS], **change):
                return False
        status = EXPIRED if batch.expired else COMPLETED
        change = {"status": CANCELLED if batch.cancelling_at else status, "ended_at": utc_now()}
        if batch.kind == "anthropic":
            return self.batches.change(lease_id, OPEN, **change)
        try:
            with self._result_files(batch, lease_id):
                if not self.batches.change(lease_id, OPEN, **change):
                    raise _LeaseLost
        except _LeaseLost:
            return False
        self.items.delete_all(batch.id)
        return True

    @contextmanager
    def _result_files(self, batch: Batch, lease_id: str) -> Iterator[None]:
        """Write the files of results and of errors. They are deleted again if the block raises.

        Their ids are stored first, so that the next attempt can delete them if this worker dies.
        """
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is not None:
                self._files.purge(file_id)
        counts = {"output": batch.succeeded, "error": batch.done - batch.succeeded}
        with ExitStack() as stack:
            uploads = {
                name: stack.enter_context(self._files.begin(batch.owner, is_limited=False))
                for name, count in counts.items()
                if count
            }
            ids = dict.fromkeys(f"{name}_file_id" for name in counts)
            ids |= {f"{name}_file_id": upload.id for name, upload in uploads.items()}
            self.batches.change(lease_id, OPEN, **ids)
            for result, line in self.read_results(batch):
                uploads["output" if result.outcome == "succeeded" else "error"].write(line)
            ttl = timedelta(seconds=batch.output_seconds) if batch.output_seconds else None
            for name, upload in uploads.items():
                upload.finish(f"{batch.id}_{name}.jsonl", "batch_output", "application/jsonl", ttl)
            yield


def _too_many(most: int) -> LineError:
    return LineError("too_many_tasks", f"The input file has more than {most} requests.", "input_file_id")


def _slices(requests: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield lists of requests that are small enough for one transaction each."""
    part: list[tuple[str, str]] = []
    size = 0
    for request in requests:
        part.append(request)
        size += len(request[1])
        if len(part) == SLICE_ITEMS or size >= SLICE_CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part
