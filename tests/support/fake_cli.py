"""A scripted CLI for behavior that the real one cannot be made to show. It runs by its path and needs only Python.

It speaks the CLI's stream-json protocol and repeats the text of the new message. A word in capitals in that text
chooses a failure or another behavior for the turn: see `TURNS`. A word in the file `$HOME/mode` chooses a failure
from the start on: see `MODES`. Every start appends a line to `$HOME/starts`, and every question one to `$HOME/asked` if
that file exists.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

Line = dict[str, Any]

VERSION = "2.1.332 (Claude Code)"
GREETING = "Grüße 🌍 "


def emit(line: Line) -> None:
    """Write a message to the gateway."""
    write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def write(data: bytes) -> None:
    """Write bytes and flush them."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def stream(event: Line) -> Line:
    """Return an event of the Messages API in the form in which the CLI passes it on."""
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None, "session_id": "s"}


def start() -> None:
    """Write the events with which an answer begins."""
    message = {"model": "claude-scripted", "usage": {"input_tokens": 1, "output_tokens": 1}}
    emit(stream({"type": "message_start", "message": message}))
    emit(stream({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}))


def delta(text: str) -> Line:
    """Return an event with a piece of the answer's text."""
    return stream({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def finish() -> None:
    """Write the events that complete an answer, and the result of the turn."""
    emit(stream({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}))
    emit(stream({"type": "message_stop"}))
    emit(result())


def result() -> Line:
    """Return the message that ends a turn."""
    usage = {"input_tokens": 1, "output_tokens": 2}
    return {"type": "result", "is_error": False, "total_cost_usd": 0.01, "usage": usage, "result": ""}


def answer(*texts: str) -> None:
    """Write a complete answer."""
    start()
    for text in texts:
        emit(delta(text))
    finish()


def garbage() -> None:
    start()
    write(b"Warning: something is deprecated\n\n{no json\n[1, 2]\nnull\n\xff\xfe\n{}\n")
    write(b'{"type": "news", "of": "a later version"}\n')
    emit(delta("clean"))
    finish()


def broken_event() -> None:
    emit({"type": "stream_event", "event": {"type": "content_block_delta"}})
    finish()


def broken_event_later() -> None:
    start()
    emit(delta("so far"))
    time.sleep(0.2)
    emit({"type": "stream_event", "event": {"type": "content_block_delta"}})
    finish()


def odd_request() -> None:
    emit({"type": "control_request"})
    answer("lost")


def odd_rpc() -> None:
    request = {"subtype": "mcp_message", "server_name": "client", "message": "text"}
    emit({"type": "control_request", "request_id": "odd", "request": request})
    answer("lost")


def odd_result() -> None:
    start()
    emit({"type": "result"})


def half_surrogate() -> None:
    """Write half of a surrogate pair, as JSON that was cut in the middle of an emoji has it."""
    start()
    write(json.dumps(delta("before \ud83d after")).encode() + b"\n")
    finish()


def crash_first() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash_in_line() -> None:
    start()
    emit(delta("so far"))
    write(json.dumps(delta("never seen")).encode()[:60])
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    sys.exit(0)


def hang() -> None:
    time.sleep(60)


def hang_later() -> None:
    start()
    emit(delta("so far"))
    hang()


def half_line() -> None:
    start()
    emit(delta("so far"))
    write(json.dumps(delta("never seen")).encode()[:60])
    hang()


def huge_line() -> None:
    answer("x" * 5_000_000)


def split_lines() -> None:
    """Write every byte separately, which splits all characters of several bytes."""
    start()
    for byte in json.dumps(delta(GREETING), ensure_ascii=False).encode() + b"\n":
        write(bytes([byte]))
        time.sleep(0.001)
    finish()


def ask() -> None:
    """Send an unknown control request and answer with its response's id and subtype."""
    request = {"subtype": "from_a_later_version"}
    emit({"type": "control_request", "request_id": "mine", "request": request})
    line = read()
    while line["type"] != "control_response":
        line = read()
    answer(line["response"]["request_id"], " ", line["response"]["subtype"])


def complain() -> None:
    print("a complaint of the CLI", file=sys.stderr, flush=True)
    answer("said")


def tell_limits() -> None:
    info = {"status": "allowed", "rateLimitType": "five_hour", "utilization": 0.25, "resetsAt": 1_900_000_000}
    emit({"type": "rate_limit_event", "rate_limit_info": info})
    answer("within limits")


def slow() -> None:
    start()
    for number in range(20):
        emit(delta(f"{number} "))
        time.sleep(0.01)
    finish()


def endless() -> None:
    """Write text without an end."""
    start()
    while True:
        emit(delta("word " * 1000))
        time.sleep(0.001)


def wait() -> None:
    """Begin an answer, and finish it when the file `$HOME/go` exists."""
    start()
    emit(delta("so far"))
    while not os.path.exists(f"{os.environ['HOME']}/go"):  # noqa: PTH110
        if select.select([sys.stdin], [], [], 0.05)[0]:
            control(read())  # a question whether it still lives
    emit(delta(" and on"))
    finish()


TURNS: dict[str, Callable[[], None]] = {
    "GARBAGE": garbage,
    "BROKENFIRST": broken_event,
    "BROKENLATER": broken_event_later,
    "ODDREQUEST": odd_request,
    "ODDRPC": odd_rpc,
    "ODDRESULT": odd_result,
    "SURROGATE": half_surrogate,
    "CRASHFIRST": crash_first,
    "CRASHLATER": crash_in_line,
    "EXIT": leave,
    "HANGFIRST": hang,
    "HANGLATER": hang_later,
    "HALFLINE": half_line,
    "HUGE": huge_line,
    "SPLIT": split_lines,
    "ASK": ask,
    "STDERR": complain,
    "LIMITS": tell_limits,
    "SLOW": slow,
    "ENDLESS": endless,
    "WAIT": wait,
}


def stay() -> None:
    """Ignore both SIGTERM and the end of the input."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve()
    hang()


def never_start() -> None:
    print("cannot start today", file=sys.stderr)
    sys.exit(1)


def killed_in_shell() -> None:
    """Exit like a shell whose program was killed."""
    sys.exit(128 + signal.SIGKILL)


def never_answer() -> None:
    while sys.stdin.buffer.readline():
        pass


def frail() -> None:
    """Wait like any warm process, and exit when a request takes it."""
    try:
        while (line := read())["request"]["subtype"] != "initialize":
            control(line)
    except EOFError:
        return


MODES: dict[str, Callable[[], None]] = {
    "frail": frail,
    "stubborn": stay,
    "never-start": never_start,
    "killed-at-start": crash_first,
    "killed-in-shell": killed_in_shell,
    "never-answer": never_answer,
    "old": lambda: None,
}


def read() -> Line:
    """Return the next message. Raise EOFError at the end of the input."""
    raw = sys.stdin.buffer.readline()
    if not raw:
        raise EOFError
    line: Line = json.loads(raw)
    return line


# The messages that `get_context_usage` counts: ids with numbers of characters.
SEEDED: list[tuple[str, int]] = []


def control(line: Line) -> None:
    """Answer a control request. Each character of the seeded messages counts as a token."""
    request = line["request"]
    is_rewound = request["subtype"] == "rewind_conversation" and bool(SEEDED)
    if is_rewound:
        SEEDED.clear()
    account = {"tokenSource": "none", "apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"}
    categories = [{"kind": "used", "tokens": sum(size for _, size in SEEDED)}, {"kind": "free", "tokens": 9}]
    found = {"models": [], "account": account, "categories": categories, "rewound": is_rewound}
    emit(
        {
            "type": "control_response",
            "response": {"subtype": "success", "request_id": line["request_id"], "response": found},
        }
    )


def turn(line: Line) -> None:
    """Answer a user message."""
    text = "\n".join(block.get("text", "") for block in line["message"]["content"])
    if line.get("shouldQuery") is False:
        SEEDED.append((line.get("uuid", ""), len(text)))
        emit(result())
        return
    note(text)
    for word, action in TURNS.items():
        if word in text.split():
            action()
            return
    answer("You said: ", text)


def note(question: str) -> None:
    """Record a question for the test, in one write, so that several processes can share the file."""
    try:
        file = os.open(f"{os.environ['HOME']}/asked", os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return
    os.write(file, question.encode() + b"\n")
    os.close(file)


def serve() -> None:
    """Read messages and act on them until the input ends."""
    while True:
        try:
            line = read()
        except EOFError:
            return
        if line["type"] == "control_request":
            control(line)
        elif line["type"] == "user":
            turn(line)


def main() -> None:
    """Start like the CLI."""
    if "--version" in sys.argv:
        print(VERSION)
        return
    home = os.environ["HOME"]
    with open(f"{home}/starts", "a") as starts:  # noqa: PTH123 (pathlib costs a third of the start)
        starts.write(f"{os.getpid()}\n")
    try:
        with open(f"{home}/mode") as mode:  # noqa: PTH123
            run = MODES.get(mode.read().strip(), serve)
    except FileNotFoundError:
        run = serve
    run()


if __name__ == "__main__":
    main()
