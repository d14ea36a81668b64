"""Compare a response and the request that reached the model with the model of the plan."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.fuzz.expectations import Expected, Model, expect
from tests.fuzz.plans import MARK, Parameter, Plan, ToolPlan
from tests.support.recorded import CLI_BILLING, CLI_IDENTITY

Body = dict[str, Any]

_INTERRUPTED = r"\(The tool call was interrupted, so it has no result\.\)"
_NUDGE = r"Continue exactly where your last message ends, without repeating any of it\."
#: Texts after a conversation that ends with the assistant. They are not in the next request.
ENDED = re.compile(f"{_INTERRUPTED}|{_NUDGE}")
#: Texts without a mark that may stand in a request.
ADDED = re.compile(
    r"\(The conversation begins with the assistant\.\)"
    rf"|{_NUDGE}|{_INTERRUPTED}"
    r"|\[A file was left out of this conversation\. .*\]"
    r"|\(The result of an earlier tool call:\)",
    re.DOTALL,
)
_VALID_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_RESPONSE_ID = re.compile(r"\bresp_\w+")
_PATH = re.compile(r"(?:Invalid|Unsupported) '([^']+)'")
_NO_TEXT = frozenset(
    {"type", "id", "tool_use_id", "media_type", "cache_control", "signature", "name", "is_error"}
)


@dataclass(frozen=True)
class Answer:
    """A response: its status, headers and body. `earlier` are the repairs of the stored turns before it."""

    status: int
    headers: dict[str, str]
    body: Body
    text: str
    earlier: frozenset[str] = frozenset()

    @property
    def repaired(self) -> frozenset[str]:
        """Return the codes of x-repaired, of this answer and of those before it."""
        codes = re.split(r",\s*", self.headers.get("x-repaired", ""))
        return self.earlier | frozenset(filter(None, codes))

    @property
    def id(self) -> str:
        """Return the id of a response of the Responses API, or ""."""
        found = _RESPONSE_ID.search(self.text)
        return found[0] if found else ""

    def after(self, before: "Answer") -> "Answer":
        """Return a copy that also has the repairs of the answer before it."""
        return replace(self, earlier=before.repaired)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Return the names in x-ignored-parameters."""
        return tuple(
            unquote(name.strip()) for name in self.headers.get("x-ignored-parameters", "").split(",")
        )

    def explains(self, excuses: frozenset[str]) -> bool:
        """Return whether a header names one of the codes, or a path that ends with one of them."""
        return bool(excuses & self.repaired) or any(
            name.rpartition(".")[2] in excuses for name in self.ignored
        )


class Leaf(NamedTuple):
    """A string in a request to the model, with the role under which it stands."""

    region: str
    text: str
    is_text: bool


def find_problems(plan: Plan, body: Body, answer: Answer, sent: Body | None) -> list[str]:
    """Return the problems of the answer to a plan and of the request `sent` to the model for it."""
    model = expect(plan)
    if answer.status >= 500:
        return [f"status {answer.status}: {answer.text}"]
    if answer.status >= 400:
        return list(_refusal_problems(plan, body, answer, model))
    if sent is None:
        return ["nothing reached the model"]
    return [
        *_text_problems(model, answer, sent),
        *_order_problems(model, sent),
        *_added_problems(sent),
        *_file_problems(model, answer, sent),
        *_tool_problems(plan, answer, sent),
        *(
            problem
            for parameter in plan.parameters
            for problem in _parameter_problems(parameter, answer, sent)
        ),
        *_model_problems(plan, sent),
        *_answer_problems(plan, answer, sent),
        *(
            f"no code of {sorted(codes)} is named for {reason}"
            for codes, reason in model.named
            if not answer.explains(codes)
        ),
    ]


def _refusal_problems(plan: Plan, body: Body, answer: Answer, model: Model) -> Iterator[str]:
    error = answer.body.get("error", {})
    if plan.dialect == "messages":
        expected = {"type", "message"}
        found = _PATH.match(error.get("message", ""))
        words = set(re.findall(r"\w+", error.get("message", "")))
        path = found[1] if found else next((name for name in body if name in words), "")
    else:
        expected, path = {"message", "type", "param", "code"}, error.get("param") or ""
    if error.keys() != expected or answer.status >= 429:
        yield f"the error has another shape: {answer.status} {answer.text}"
    field = re.split(r"[.\[]", path)[0]
    if field not in body:
        yield f"the error names no field of the body: {answer.text}"
    elif field not in model.refusals:
        yield f"refused without need: {answer.text}"


def _text_problems(model: Model, answer: Answer, sent: Body) -> Iterator[str]:
    leaves = list(leaves_of(sent))
    whole = json.dumps(sent, ensure_ascii=False)
    for expected in model.texts:
        found = [leaf for leaf in leaves if expected.mark in leaf.text]
        if not found:
            if not expected.excuses or not answer.explains(expected.excuses):
                yield f"lost: {expected}"
        elif whole.count(expected.mark) > 1:
            yield f"{whole.count(expected.mark)} times in the request: {expected}"
        elif found[0].region not in expected.regions:
            yield f"under {found[0].region}: {expected}"
        elif not _is_same(expected, found[0].text) and not answer.explains(expected.excuses):
            yield f"changed to {found[0].text!r}: {expected}"


def _is_same(expected: Expected, text: str) -> bool:
    return text == expected.text if expected.is_exact else expected.text in text


def _order_problems(model: Model, sent: Body) -> Iterator[str]:
    position = {mark: index for index, leaf in enumerate(leaves_of(sent)) for mark in _marks(leaf.text)}
    found = [(position[item.mark], item) for item in model.texts if item.mark in position]
    by_place = sorted(found, key=lambda pair: pair[0])
    ranks = [item.rank for _, item in by_place if item.rank is not None]
    if ranks != sorted(ranks):
        yield f"in another order: {[item.mark for _, item in by_place]}"
    placed = [place for place, item in found if item.has_place]
    if placed != sorted(placed):
        yield f"in another order within a message: {[item.mark for _, item in by_place]}"


def _marks(text: str) -> list[str]:
    return MARK.findall(text) or [text]


def _added_problems(sent: Body) -> Iterator[str]:
    for leaf in leaves_of(sent):
        if leaf.is_text and not MARK.search(leaf.text) and not ADDED.fullmatch(leaf.text):
            yield f"added under {leaf.region}: {leaf.text!r}"


def _file_problems(model: Model, answer: Answer, sent: Body) -> Iterator[str]:
    images = json.dumps(sent["messages"]).count('"type": "image"')
    if images < model.images:
        yield f"{images} images instead of {model.images}, with {sorted(answer.repaired)}"


def _tool_problems(plan: Plan, answer: Answer, sent: Body) -> Iterator[str]:
    offered = [tool for tool in sent.get("tools") or [] if not is_output_tool(tool)]
    wanted = plan.tools
    if len(offered) != len(wanted):
        yield f"tools {[tool['name'] for tool in offered]} instead of {[tool.name for tool in wanted]}"
        return
    for tool, definition in zip(wanted, offered, strict=True):
        yield from _definition_problems(tool, definition, answer)


def _definition_problems(tool: ToolPlan, definition: Body, answer: Answer) -> Iterator[str]:
    if definition["name"] != tool.name and _VALID_NAME.fullmatch(tool.name):
        yield f"tool {tool.name} is offered as {definition['name']}"
    description = tool.description.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if description not in definition.get("description", ""):
        yield f"description of {tool} changed to {definition.get('description')!r}"
    if definition["input_schema"] != tool.schema and (tool.is_sound or "tool-schema" not in answer.repaired):
        allowed = {"type": "object", "properties": {}, **tool.schema}
        if definition["input_schema"] != allowed:
            yield f"schema of {tool} changed to {definition['input_schema']}"
    for mark in MARK.findall(json.dumps(tool.schema)):
        if mark not in json.dumps(definition):
            yield f"{mark} of {tool} is lost in {definition}"


def _parameter_problems(parameter: Parameter, answer: Answer, sent: Body) -> Iterator[str]:
    if parameter.upstream:
        name, value = parameter.upstream
        if sent.get(name) == value:
            return
    elif not parameter.named:
        return
    names = {*answer.ignored, *(name.partition(".")[0] for name in answer.ignored)}
    if parameter.named not in names and "parameter-adjusted" not in answer.repaired:
        yield f"{parameter} has no effect and is not named: {answer.ignored}"


def _model_problems(plan: Plan, sent: Body) -> Iterator[str]:
    if not sent["model"].startswith(plan.model[1]):
        yield f"model {sent['model']} instead of {plan.model}"


def _answer_problems(plan: Plan, answer: Answer, sent: Body) -> Iterator[str]:
    """Look for the schema of the answer where the model gets it: in its own field, or as a tool."""
    if plan.answer:
        (mark,) = MARK.findall(json.dumps(plan.answer.schema))
        formats = (sent.get("output_config", {}).get("format"), _output_tool(sent))
        if not any(mark in json.dumps(found) for found in formats):
            yield f"the answer has no schema: {plan.answer} {sorted(answer.ignored)}"


def _output_tool(sent: Body) -> Body | None:
    return next(filter(is_output_tool, sent.get("tools") or []), None)


def is_output_tool(tool: Body) -> bool:
    """Return whether this is the CLI's tool for answers with a schema. A client's tool has a mark."""
    return tool["name"] == "StructuredOutput" and not MARK.search(tool["description"])


def leaves_of(sent: Body) -> Iterator[Leaf]:
    """Yield all strings of the system prompt and the messages in order, but not names, ids and types."""
    for block in sent["system"]:
        if not block["text"].startswith(CLI_BILLING) and block["text"] != CLI_IDENTITY:
            yield Leaf("system", block["text"], True)
    for message in sent["messages"]:
        region = "system turn" if message["role"] == "system" else message["role"]
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            yield from _block_leaves(region, block)


def _block_leaves(region: str, block: Any) -> Iterator[Leaf]:
    if isinstance(block, str):
        yield Leaf(region, block, False)
    elif isinstance(block, list):
        for item in block:
            yield from _block_leaves(region, item)
    elif isinstance(block, dict) and block.get("type") == "text" and "text" in block:
        yield Leaf(region, block["text"], True)
    elif isinstance(block, dict):
        for key, value in block.items():
            if key not in _NO_TEXT:
                yield from _block_leaves(region, value)
