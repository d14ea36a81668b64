"""A Claude Code CLI that uses almost no CPU, so that a measurement shows the gateway's share.

It speaks the part of the stream-json protocol that the gateway uses. It answers the user message "play COUNT PAUSE"
with COUNT text deltas, PAUSE seconds apart or, if PAUSE is 0, as fast as possible. With "play COUNT PAUSE DELAY GATE"
it first waits until the named pipe GATE is opened for writing, and then DELAY seconds. The text of a delta is the time
at which it was written (monotonic seconds). The first delta begins with the time at which the message arrived. Without
a pause, only the first delta has times; the others are written from one buffer.

It imports built-in modules only: `python -I -S` starts it in about ten milliseconds, and hundreds run at once.
"""

import posix
import sys
import time

VERSION = b"2.1.332 (Claude Code)\n"
COMMON = b',"session_id":"5ad3e2e1-6c4b-4e0f-9f5e-0d5e3b0e7c11","parent_tool_use_id":null,'
COMMON += b'"uuid":"c2a6a6a8-70cb-4a4e-8b8f-4c5c2b7f4d10","api_message_id":"msg_019ae4723f4a8d430db93b47"}\n'
USAGE = b'"usage":{"input_tokens":9,"output_tokens":9,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}'
BATCH = 1000


def event(body: bytes) -> bytes:
    """Return a `stream_event` line."""
    return b'{"type":"stream_event","event":{' + body + b"}" + COMMON


def delta(text: bytes) -> bytes:
    """Return a line with one text delta."""
    body = b'"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"' + text + b'"}'
    return event(body)


START = event(
    b'"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"scripted",'
    b'"content":[],"stop_reason":null,' + USAGE + b"}"
) + event(b'"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}')
STOP = (
    event(b'"type":"content_block_stop","index":0')
    + event(b'"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}')
    + event(b'"type":"message_stop"')
)
RESULT = b'{"type":"result","subtype":"success","is_error":false,"result":"","stop_reason":"end_turn",'
RESULT += b'"total_cost_usd":0,' + USAGE + b"}\n"
WORDS = delta(b"word ") * BATCH
WORD_SIZE = len(WORDS) // BATCH


def write(data: bytes) -> None:
    """Write all of the data."""
    left = memoryview(data)
    while left:
        left = left[posix.write(1, left) :]


def now() -> bytes:
    """Return the time as it stands in deltas."""
    return b"%.6f " % time.monotonic()


def between(line: bytes, before: bytes, after: bytes) -> bytes:
    """Return the text between two marks."""
    return line.partition(before)[2].partition(after)[0]


def play(line: bytes) -> None:
    """Answer a user message."""
    arrived = now()
    words = between(line, b"play ", b'"').split() or [b"20", b"0"]
    count, pause = int(words[0]), float(words[1])
    if len(words) > 2:
        write(START)
        posix.close(posix.open(words[3], posix.O_RDONLY))
        time.sleep(float(words[2]))
        write(delta(arrived + now()))
    else:
        write(START + delta(arrived + now()))
    if pause:
        paced(count - 1, pause)
    else:
        fast(count - 1)
    write(STOP + RESULT)


def paced(count: int, pause: float) -> None:
    """Write deltas at a steady pace, so that one late delta does not delay the next."""
    due = time.monotonic()
    for _ in range(count):
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))
        write(delta(now()))


def fast(count: int) -> None:
    """Write deltas as fast as they are read."""
    for _ in range(count // BATCH):
        write(WORDS)
    write(WORDS[: count % BATCH * WORD_SIZE])


def serve(line: bytes) -> None:
    """Answer one line from the gateway."""
    if line.startswith(b'{"type":"control_request"'):
        number = between(line, b'"request_id":"', b'"')
        write(
            b'{"type":"control_response","response":{"subtype":"success","request_id":"' + number + b'",'
            b'"response":{"models":[],"account":{"apiKeySource":"ANTHROPIC_API_KEY"}}}}\n'
        )
    elif line.startswith(b'{"type":"user"'):
        if b'"shouldQuery":false' in line:
            write(RESULT)
        else:
            play(line)


def main() -> None:
    """Answer lines until the end of standard input."""
    if "--version" in sys.argv:
        write(VERSION)
        return
    rest = b""
    while data := posix.read(0, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            serve(line)


if __name__ == "__main__":
    main()
