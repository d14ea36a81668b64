"""Generate plans from a fixed seed, send their bodies side by side, and find the smallest plan that fails."""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as set_seed

from tests.fuzz.checking import ENDED, Answer, find_problems, is_output_tool
from tests.fuzz.expectations import expect
from tests.fuzz.plans import AssistantTurn, Call, Plan, Said
from tests.fuzz.rendering import PATHS, arguments_of, render
from tests.fuzz.strategies import new_mark, plans
from tests.standin import Recorded, Reply, StandIn, text, tool_calls
from tests.support.api_client import Api
from tests.support.recorded import messages_of

THREADS = 4
MAX_TRIALS = 60
MAX_FOLLOWING = 6
MAX_REPORTED = 8
BROKEN_STREAM = 599
_CALL = re.compile(r"toolu_fuzz_(\d+)_([0-9a-f]+)")
_ANSWER = re.compile(r"Fine-Q[0-9a-f]+z")
_ERROR_EVENT = re.compile(r'^data: \{("type": ?"error"|"error": ?\{)', re.MULTILINE)


def generate(seed: int, count: int) -> list[Plan]:
    """Return plans, the same ones for the same seed."""
    found: list[Plan] = []

    @set_seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def collect(plan: Plan) -> None:
        found.append(plan)

    collect()
    return found


@dataclass(frozen=True)
class Failure:
    """A plan that failed, with its body and the problems."""

    plan: Plan
    problems: list[str]


@dataclass(frozen=True)
class Sent:
    """A plan that was sent, its problems, the request that reached the model, and the answer.

    `said` is the text of the answer; `call` is the call in its place.
    """

    plan: Plan
    problems: list[str]
    record: Recorded | None
    answer: Answer
    said: str
    call: Call | None


def answer_of_model(body: dict[str, Any]) -> Reply:
    """Return the model's answer to a request: a call of one of the tools, or a word."""
    tools = [tool for tool in body.get("tools") or [] if not is_output_tool(tool)]
    size = len(json.dumps(body["messages"]))
    has_called = "toolu_fuzz" in json.dumps(body["messages"][-3:])
    mark = new_mark()
    if not tools or has_called or size % 2:
        return _spoken_answer(body, f"Fine-{mark}")
    index = size // 2 % len(tools)
    call = Call(f"toolu_fuzz_{index}_{mark[1:-1]}", tools[index]["name"], mark)
    return tool_calls([(call.tool, _arguments_for(tools[index], call), call.id)])


def _arguments_for(tool: dict[str, Any], call: Call) -> dict[str, Any]:
    """Return the arguments in the form that the model is asked for: the gateway wraps schemas that are no object."""
    arguments = json.loads(arguments_of(call))
    return {"value": arguments} if set(tool["input_schema"].get("properties", {})) == {"value"} else arguments


def _spoken_answer(body: dict[str, Any], said: str) -> Reply:
    """Return an answer that says `said`, as text or as a value of the schema that it must have."""
    answer_format = body.get("output_config", {}).get("format")
    if answer_format:
        return text(json.dumps(_value_of(answer_format["schema"], answer_format["schema"], said)))
    for tool in body.get("tools") or []:
        if is_output_tool(tool):
            value = _value_of(tool["input_schema"], tool["input_schema"], said)
            return tool_calls([(tool["name"], value, "toolu_answer")])
    return text(said)


def _value_of(schema: dict[str, Any], root: dict[str, Any], said: str) -> Any:
    """Return a value of a schema in which all texts are `said`."""
    if "$ref" in schema:
        return _value_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root, said)
    if "anyOf" in schema:
        return _value_of(schema["anyOf"][0], root, said)
    if schema["type"] == "array":
        return [_value_of(schema["items"], root, said)]
    if schema["type"] == "object":
        return {name: _value_of(part, root, said) for name, part in schema["properties"].items()}
    return said


def _find_call(plan: Plan, response: str) -> Call | None:
    found = _CALL.search(response)
    return Call(found[0], plan.tools[int(found[1])].name, f"Q{found[2]}z") if found else None


def _next_plan(sent: Sent) -> Plan:
    """Return the next request: with the result of the answer's call, or with another message."""
    if sent.call is None:
        return sent.plan.continued(AssistantTurn((Said(sent.said),)), sent.answer.id)
    result = (Said(f"result {new_mark()}"),)
    return sent.plan.continued(AssistantTurn((), (replace(sent.call, results=(result,)),)), sent.answer.id)


class Runner:
    """Sends plans to a gateway. Counts bodies by dialect and status in `counts`."""

    def __init__(self, url: str, standin: StandIn) -> None:
        owner = hashlib.sha256(url.encode()).hexdigest()
        self._api = Api(url, key=owner)
        self._standin = standin
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def run(self, found: list[Plan]) -> list[Failure]:
        """Send all plans, each followed by the next request of its conversation. Return those that failed."""
        begun = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            failures = [failure for failure in pool.map(self._try, found) if failure]
        self.seconds += time.monotonic() - begun
        return failures

    @property
    def summary(self) -> str:
        """Return the number of bodies by status, and the time that they took."""
        return (
            f"{sum(self.counts.values())} bodies in {self.seconds:.0f} s: {dict(sorted(self.counts.items()))}"
        )

    def report(self, failures: list[Failure]) -> str:
        """Return the problems of the failures, shrunk."""
        shown = [self._shrink(failure) for failure in failures[:MAX_REPORTED]]
        lines = [
            f"{json.dumps(render(failure.plan))}\n    " + "\n    ".join(failure.problems) for failure in shown
        ]
        return f"{len(failures)} failures.\n" + "\n\n".join(lines)

    def _try(self, plan: Plan) -> Failure | None:
        """Send a plan and the next requests of its conversation."""
        sent = self._send(plan)
        for _ in range(MAX_FOLLOWING):
            if sent.record is None or sent.problems or not sent.plan.later:
                break
            before, sent = sent, self._send(_next_plan(sent), sent.answer)
            sent.problems.extend(_prefix_problems(before, sent))
        return Failure(sent.plan, sent.problems) if sent.problems else None

    def _send(self, plan: Plan, before: Answer | None = None) -> Sent:
        body = render(plan)
        answer = self._post(plan, body)
        if before and plan.is_stored:
            answer = answer.after(before)
        self.counts[f"{plan.dialect} {answer.status}"] += 1
        record = self._find_record(plan) if answer.status == 200 else None
        problems = find_problems(plan, body, answer, record.body if record else None)
        call = _find_call(plan, answer.text)
        if call and not any(
            json.dumps(call.tool, ensure_ascii=is_ascii) in answer.text for is_ascii in (True, False)
        ):
            problems.append(f"the call of {call.tool} has another name: {answer.text}")
        said = _ANSWER.search(answer.text)
        if answer.status == 200 and not (call or said):
            problems.append(f"the answer is lost: {answer.text}")
        return Sent(plan, problems, record, answer, said[0] if said else "", call)

    def _post(self, plan: Plan, body: dict[str, Any]) -> Answer:
        # Written in ASCII, so that lone surrogates get through.
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        response = self._api.post(PATHS[plan.dialect], content=content, headers=headers)
        is_json = response.headers.get("content-type", "").startswith("application/json")
        has_failed = not is_json and bool(_ERROR_EVENT.search(response.text))
        status = BROKEN_STREAM if has_failed else response.status_code
        parsed = response.json() if is_json else {}
        return Answer(status, dict(response.headers), parsed, response.text)

    def _find_record(self, plan: Plan) -> Recorded | None:
        """Return the last request to the model with the most marks of the plan."""
        marks = [text.mark.encode() for text in expect(plan).texts] + [
            tool.mark.encode() for tool in plan.tools
        ]
        counted = [(sum(mark in record.raw for mark in marks), record) for record in self._standin.messages]
        most = max((count for count, _ in counted), default=0)
        return next((record for count, record in reversed(counted) if count == most > 0), None)

    def _shrink(self, failure: Failure) -> Failure:
        if failure.plan.previous_id:
            return failure  # its stored turns cannot be changed
        trials = 0
        while trials < MAX_TRIALS:
            for smaller in _smaller(failure.plan):
                trials += 1
                problems = self._send(smaller).problems
                if problems:
                    failure = Failure(smaller, problems)
                    break
                if trials >= MAX_TRIALS:
                    return failure
            else:
                return failure
        return failure


def _prefix_problems(first: Sent, second: Sent) -> Iterator[str]:
    """Yield the first message that is not the same in the next request, which costs the prompt cache."""
    if (
        first.record is None
        or second.record is None
        or ENDED.search(json.dumps(first.record.body["messages"][-1]))
    ):
        return
    pairs = zip(messages_of(first.record), messages_of(second.record), strict=False)
    for index, (before, after) in enumerate(pairs):
        if before != after:
            yield f"message {index} was {before} and is {after} in the next request"
            return


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yield plans with one part less."""
    for name in ("turns", "tools", "parameters", "system"):
        parts = getattr(plan, name)
        for index in range(len(parts)):
            if name != "turns" or len(parts) > 1:
                yield replace(plan, **{name: parts[:index] + parts[index + 1 :]})
    for index, turn in enumerate(plan.turns):
        for name in ("pieces", "calls", "orphans"):
            parts = getattr(turn, name, ())
            for place in range(len(parts)):
                less = replace(turn, **{name: parts[:place] + parts[place + 1 :]})
                if getattr(less, "pieces", True) or getattr(less, "calls", ()):
                    yield replace(plan, turns=(*plan.turns[:index], less, *plan.turns[index + 1 :]))
    if plan.stream:
        yield replace(plan, stream=False)
    if plan.answer:
        yield replace(plan, answer=None)
