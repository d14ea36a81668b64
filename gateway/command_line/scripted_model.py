"""A stand-in for Anthropic's Messages API on this machine, for `claude-gateway demo`. It streams scripted answers.

The Claude Code CLI talks to it in place of the API. It knows as much of the API as that needs, and checks nothing.

>>> write_answer(["Hello!"]).partition(".")[0]
'You asked: "Hello!"'
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DELAY_SECONDS = 0.04  # between words
MAX_QUESTION = 200  # characters that an answer repeats
FIRST = (
    "This answer is scripted, because no model is connected. All the rest is real: your request went through the "
    "gateway into Claude Code, and each word comes back as it is written."
)
LATER = "The model always gets the whole conversation, and Claude Code still has it from the last answer."
Body = dict[str, Any]


def write_answer(questions: Sequence[str]) -> str:
    """Return the scripted answer to the last question of a conversation."""
    *earlier, question = questions or [""]
    if not earlier:
        return f'You asked: "{_shorten(question)}". {FIRST}'
    return f'You asked: "{_shorten(question)}". Before that, you asked: "{_shorten(earlier[-1])}". {LATER}'


def list_questions(body: Body) -> list[str]:
    """Return the last text of each message of the user. Claude Code puts notes of its own before it, in tags."""
    contents = [
        message.get("content") for message in body.get("messages", []) if message.get("role") == "user"
    ]
    found = []
    for content in contents:
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        texts = [str(block["text"]).strip() for block in blocks if block.get("type") == "text"]
        found += [text for text in texts if text and not text.startswith("<system-reminder>")][-1:]
    return found


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUESTION else f"{text[:MAX_QUESTION]}…"


def make_events(body: Body) -> Iterator[tuple[float, Body]]:
    """Yield the events of a streamed answer, and the seconds to wait before each."""
    words = [f"{word} " for word in write_answer(list_questions(body)).split(" ")]
    words[-1] = words[-1].rstrip()
    usage = {"input_tokens": len(json.dumps(body)) // 4, "output_tokens": 1}
    message = {**_envelope(body), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield 0.0, {"type": "message_start", "message": message}
    yield 0.0, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in words:
        yield (
            DELAY_SECONDS,
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}},
        )
    yield 0.0, {"type": "content_block_stop", "index": 0}
    yield (
        0.0,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {**usage, "output_tokens": len(words)},
        },
    )
    yield 0.0, {"type": "message_stop"}


@contextmanager
def run_scripted_model() -> Iterator[str]:
    """Serve on a free port of this machine, and yield the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        """Answer a check of whether the server is up."""
        self._send_json(200, {})

    def do_POST(self) -> None:
        """Answer a message or a count of tokens."""
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._send_json(200, {"input_tokens": len(json.dumps(body)) // 4})
        elif path != "/v1/messages":
            error = {"type": "not_found_error", "message": f"Not found: {path}"}
            self._send_json(404, {"type": "error", "error": error})
        elif body.get("stream"):
            self._stream(body)
        else:
            content = [{"type": "text", "text": write_answer(list_questions(body))}]
            usage = {"input_tokens": 1, "output_tokens": 1}
            ending = {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
            self._send_json(200, {**_envelope(body), "content": content, **ending})

    def _stream(self, body: Body) -> None:
        self.close_connection = True  # the end of the connection is the end of the answer
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        with suppress(OSError):  # the client has disconnected
            for pause, event in make_events(body):
                time.sleep(pause)
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def _send_json(self, status: int, body: Body) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _envelope(body: Body) -> Body:
    return {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": body["model"]}
