"""The settings of the CLI processes, and of the answers that a worker writes, queues and ends."""

from dataclasses import dataclass

from gateway.setting_fields import POSITIVE, at_least, setting


@dataclass(frozen=True)  # a class cannot have two bases with slots
class ProcessSettings:
    """The settings of processes and answers, as a part of `Settings`. All of them are per worker."""

    max_processes: int = setting(
        0,
        "Largest number of CLI processes. 0 means as many as fit in the memory, 64 at most: see "
        "[sizing](deploy.md#sizing).",
        section="Processes and limits, per worker",
        is_live=True,
    )
    max_memory_mb: int = setting(
        0,
        "Memory for all workers and their CLI processes. Kept processes end before it is used up. 0 means the memory "
        "of the container or the machine.",
    )
    warm_processes: int = setting(
        2, "Smallest number of processes that are ready for new conversations.", is_live=True
    )
    max_warm_processes: int = setting(
        16,
        "Largest number of ready processes. The gateway uses it when many conversations began lately.",
        is_live=True,
    )
    keep_seconds: float = setting(
        300.0,
        "Time that a process stays with its conversation for the next turn. 0 means none.",
        is_live=True,
    )
    max_concurrent_sessions: int = setting(
        10, "Answers that are written at the same time.", at_least(1), is_live=True
    )
    max_queued_requests: int = setting(
        100, "Requests that may wait for their turn. More get 429.", is_live=True
    )
    max_queued_mb: int = setting(
        100,
        "Size of all requests that wait for their turn. More get 429, unless nothing else waits.",
        at_least(1),
        is_live=True,
    )
    queue_timeout_seconds: float = setting(
        10.0, "Time after which a waiting request gets 429.", POSITIVE, is_live=True
    )
    start_timeout_seconds: float = setting(
        30.0, "Time within which a CLI process has to be ready.", POSITIVE, is_live=True
    )
    tool_wait_seconds: float = setting(
        300.0, "Longest wait for the results of the client's tools.", POSITIVE, is_live=True
    )
    approval_wait_seconds: float = setting(
        3600.0,
        "Longest wait for the decision about a tool call that needs approval. A later decision counts as no.",
        POSITIVE,
        is_live=True,
    )
    streaming_timeout_seconds: float = setting(
        300.0, "Silence of the CLI that ends an answer.", POSITIVE, is_live=True
    )
    turn_timeout_seconds: float = setting(3600.0, "Longest duration of an answer.", POSITIVE, is_live=True)
