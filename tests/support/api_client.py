"""A client of the gateway's HTTP API, for an app in this process or for a gateway that listens on a port.

For example, with a Flask app and with a gateway process:

    api = Api.of_app(app, key="secret")
    assert api.chat("hi").json()["choices"][0]["message"]["content"] == "You said hi"
    assert error_of(gateway.api.chat("hi", model=5))[:3] == (400, "invalid_request", "model")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import httpx2 as httpx
from flask import Flask

Body = dict[str, Any]

TIMEOUT_SECONDS = 60.0


class Api(httpx.Client):
    """An HTTP client with one method per operation of the gateway's API.

    The operations that run the model (`chat`, `create_response` …) return the response, because tests look at its
    status and headers. All others return the JSON body, and raise AssertionError unless the request succeeded. To
    look at a rejected request, send it with `get`, `post` … and read it with `error_of`.
    """

    def __init__(
        self, base_url: str, *, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._connections = transport or httpx.HTTPTransport(verify=False, trust_env=False)
        super().__init__(
            base_url=base_url,
            headers=bearer(key),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            transport=self._connections,
        )

    @classmethod
    def of_app(cls, app: Flask, *, key: str | None = None) -> Api:
        """Return a client of an app in this process."""
        return cls("http://localhost", key=key, transport=FlaskTransport(app))

    def with_key(self, key: str | None) -> Api:
        """Return a client that sends another API key, or none, over the same connections."""
        return Api(str(self.base_url), key=key, transport=self._connections)

    # Operations that run the model

    def chat(self, content: Any = "hi", **fields: Any) -> httpx.Response:
        """Ask for a chat completion of one user message, or of `messages=`."""
        return self.post("/v1/chat/completions", json=chat_body(content, **fields))

    def stream_chat(self, content: Any = "hi", **fields: Any) -> Iterator[str]:
        """Yield the data of each event of a streamed chat completion as it arrives, `[DONE]` included."""
        body = chat_body(content, **fields, stream=True)
        with self.stream("POST", "/v1/chat/completions", json=body) as response:
            response.read() if response.status_code != 200 else None
            assert response.status_code == 200, response.text
            yield from event_data(response.iter_lines())

    def create_completion(self, prompt: Any = "hi", **fields: Any) -> httpx.Response:
        """Ask for a legacy completion of a prompt."""
        return self.post("/v1/completions", json={"prompt": prompt, **fields})

    def create_response(self, content: Any = "hi", **fields: Any) -> httpx.Response:
        """Ask for an answer through OpenAI's Responses API."""
        return self.post("/v1/responses", json={"input": content, **fields})

    def create_message(self, content: Any = "hi", **fields: Any) -> httpx.Response:
        """Ask for an answer through Anthropic's Messages API."""
        body = {"model": "sonnet", "max_tokens": 1024, "messages": [{"role": "user", "content": content}]}
        return self.post("/v1/messages", json={**body, **fields})

    # Stored responses

    def show_response(self, response_id: str) -> Body:
        """Return a stored response."""
        return body_of(self.get(f"/v1/responses/{response_id}"))

    def cancel_response(self, response_id: str) -> Body:
        """Cancel a background response and return it."""
        return body_of(self.post(f"/v1/responses/{response_id}/cancel", json={}))

    # Sessions

    def create_session(self, **fields: Any) -> str:
        """Create a session and return its id."""
        return str(body_of(self.post("/v1/sessions", json=fields))["id"])

    def show_session(self, session_id: str) -> Body:
        """Return a session with its messages."""
        return body_of(self.get(f"/v1/sessions/{session_id}"))

    def list_sessions(self, **query: Any) -> Body:
        """Return one page of the caller's sessions."""
        return body_of(self.get("/v1/sessions", params=query))

    def update_session(self, session_id: str, **fields: Any) -> Body:
        """Change a session's fields and return it."""
        return body_of(self.patch(f"/v1/sessions/{session_id}", json=fields))

    def delete_session(self, session_id: str) -> Body:
        """Delete a session, which stops its running answer."""
        return body_of(self.delete(f"/v1/sessions/{session_id}"))

    def session_stats(self) -> Body:
        """Return the totals of the caller's sessions."""
        return body_of(self.get("/v1/sessions/stats"))

    def chat_status(self, session_id: str) -> Body:
        """Return the state of a session's answer, for example `is_running`."""
        return body_of(self.get(f"/v1/chat/completions/{session_id}/status"))

    def stop_chat(self, session_id: str) -> Body:
        """Stop a session's running answer."""
        return body_of(self.delete(f"/v1/chat/completions/{session_id}"))

    def check_chat(self, body: Any) -> Body:
        """Validate a chat completion body without running it; `body` is JSON, or bytes to send unchanged."""
        url = "/v1/chat/completions/debug"
        return body_of(self.post(url, content=body) if isinstance(body, bytes) else self.post(url, json=body))

    # Projects

    def create_project(self, **fields: Any) -> Body:
        """Create a project, called "x" unless `name=` is given, and return it."""
        return body_of(self.post("/v1/projects", json={"name": "x", **fields}))

    def show_project(self, project_id: str) -> Body:
        """Return a project."""
        return body_of(self.get(f"/v1/projects/{project_id}"))

    def list_projects(self, **query: Any) -> Body:
        """Return one page of the caller's projects, the newest first."""
        return body_of(self.get("/v1/projects", params=query))

    def update_project(self, project_id: str, **fields: Any) -> Body:
        """Change a project's fields and return it."""
        return body_of(self.patch(f"/v1/projects/{project_id}", json=fields))

    def delete_project(self, project_id: str) -> Body:
        """Delete a project with its folder."""
        return body_of(self.delete(f"/v1/projects/{project_id}"))

    def upload_file(self, project_id: str, path: str, content: bytes | str) -> Body:
        """Write a file of a project and return its description."""
        return body_of(self.put(f"/v1/projects/{project_id}/files/{path}", content=content))

    # Everything else

    def models(self) -> Body:
        """Return the list of models."""
        return body_of(self.get("/v1/models"))

    def usage(self, **query: Any) -> Body:
        """Return the usage that the caller may see, for example with `group_by="key"`."""
        return body_of(self.get("/v1/usage", params=query))

    def health(self) -> Body:
        """Return the body of /health, with any status."""
        body: Body = self.get("/health").json()
        return body


class ErrorBody(NamedTuple):
    """An error response in OpenAI's shape. Tests often compare a slice: `[:2]` is status and code."""

    status: int
    code: str
    param: str | None
    message: str
    type: str


def error_of(response: httpx.Response) -> ErrorBody:
    """Return the error of a rejected request. Raise AssertionError unless the body is exactly an error object."""
    body = response.json()
    assert body.keys() == {"error"}, response.text
    error = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}, response.text
    return ErrorBody(response.status_code, error["code"], error["param"], error["message"], error["type"])


def body_of(response: httpx.Response) -> Body:
    """Return the JSON body of a successful response. Raise AssertionError with the text of any other."""
    assert response.status_code == 200, response.text
    body: Body = response.json()
    return body


def reply_of(response: httpx.Response) -> str:
    """Return the text of a successful chat completion's first choice."""
    content: str = body_of(response)["choices"][0]["message"]["content"]
    return content


def chat_body(content: Any = "hi", **fields: Any) -> Body:
    """Return a chat completion body of one user message, or of `messages=`."""
    return {"messages": [{"role": "user", "content": content}], **fields}


def bearer(key: str | None) -> dict[str, str]:
    """Return the header that carries an API key; no header for None."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def event_data(lines: Iterable[str]) -> Iterator[str]:
    """Yield the data of each server-sent event."""
    return (line.removeprefix("data: ") for line in lines if line.startswith("data: "))


class FlaskTransport(httpx.BaseTransport):
    """Sends httpx's requests to a Flask app in this process, so that tests read one kind of response.

    httpx's own WSGITransport rejects header values outside ASCII, which some tests send.
    """

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client(use_cookies=False)  # httpx keeps the cookies

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; a streamed body is read as the app produces it."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        answer = self._client.open(
            str(request.url), method=request.method, headers=headers, data=request.read(), buffered=False
        )
        stream = _ResponseStream(answer.iter_encoded(), answer.close)
        return httpx.Response(answer.status_code, headers=list(answer.headers), stream=stream)


class _ResponseStream(httpx.SyncByteStream):
    """The body of an app's response."""

    def __init__(self, chunks: Iterable[bytes], close: Any) -> None:
        self._chunks = chunks
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        """Close the app's response, as a server does at its end."""
        self._close()
