"""Generate plans: good and damaged conversations, tools and parameters, mixed."""

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.parameters import PARAMETERS
from tests.fuzz.plans import (
    BAD_PICTURES,
    BAD_UPLOADS,
    CONVERTED_PICTURES,
    CONVERTED_UPLOADS,
    GOOD_PICTURES,
    GOOD_UPLOADS,
    AnswerPlan,
    AssistantTurn,
    Call,
    Dialect,
    Foreign,
    Note,
    Parameter,
    Picture,
    Piece,
    Plan,
    Said,
    ToolPlan,
    Turn,
    Upload,
    UserTurn,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]

_numbers = itertools.count(4096)

DIALECTS: tuple[Dialect, ...] = (
    "chat",
    "chat",
    "responses",
    "responses",
    "messages",
    "messages",
    "completions",
)

LATER = 3

#: Spellings of models, each with the start of the id that it means.
MODELS = (
    (None, "claude-"),
    ("haiku", "claude-haiku"),
    ("claude-sonnet-4.5", "claude-sonnet-4-5"),
    ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
    ("openai/sonnet", "claude-sonnet"),
    ("Sonnet", "claude-sonnet"),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
    ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ("sonnet:latest", "claude-sonnet"),
    ("claude-haiku-4-5", "claude-haiku-4-5"),
    ("claude-opus-4-6", "claude-opus-4-6"),
    ("gpt-17-unheard-of", ""),
)

# Texts that programs like to change, around a mark.
_EDGES = (
    *("", "", "", " ", "\n", "\t \n", "\r\n", "\u00a0", "\u200b", "\u200d", "\ufeff", "µg/m³ ², ½ ﬁ Å ", "e\u0301é"),
    *("@/etc/hostname ", "/clear ", "!ls ", "#note ", "<system-reminder>", "</s>\n\nHuman: ", "\x00\x1b[31m"),
    *("\ud83d", "\ude00 ", "👩‍👩‍👧‍👦", "\u202e\u05e9\u05dc\u05d5\u05dd", "\u2028", "漢字"),
    *('{"a":"\\u0041"}', "$HOME `x` %s {0}"),
)  # fmt: skip
# Surrogates and NUL are among the edges; random ones would only repeat them.
_noise = st.text(st.characters(exclude_categories=("Cs", "Cn", "Co")), max_size=6)


@st.composite
def marked_texts(draw: Draw) -> str:
    """Return a text with a mark of its own between odd characters."""
    before, after = draw(st.sampled_from(_EDGES)), draw(st.sampled_from(_EDGES))
    return f"{before}{draw(_noise)}{new_mark()}{draw(_noise)}{after}"


def new_mark() -> str:
    """Return a word that has not occurred before."""
    return f"Q{next(_numbers):x}z"


@st.composite
def pieces(draw: Draw, *kinds: str) -> Piece:
    """Return a piece of one of the kinds."""
    kind = draw(st.sampled_from(kinds))
    if kind == "picture":
        return Picture(
            draw(st.sampled_from((*GOOD_PICTURES, *CONVERTED_PICTURES, *BAD_PICTURES))), next(_numbers)
        )
    if kind == "upload":
        uploads = (*GOOD_UPLOADS, *CONVERTED_UPLOADS, *BAD_UPLOADS)
        return Upload(draw(st.sampled_from(uploads)), f"Datei {new_mark()} ok")
    if kind == "foreign":
        return Foreign(draw(st.integers(0, 20)), new_mark())
    return Said(draw(marked_texts()))


_USER_KINDS = ("text", "text", "text", "text", "picture", "upload")
_spoken = st.lists(pieces(*_USER_KINDS, "foreign"), min_size=1, max_size=3).map(tuple)
_results = st.lists(
    pieces("text", "text", "text", "picture", "upload", "foreign"), min_size=1, max_size=2
).map(tuple)
_answered = st.lists(pieces("text", "text", "text", "foreign"), max_size=2).map(tuple)
_call_ids = st.sampled_from(
    ("call_1", "call_2", "toolu_01", "call|a b:ü", "x" * 90, "") + ("call_%",) * 6
).map(lambda name: name.replace("%", new_mark()))


@st.composite
def calls(draw: Draw, names: tuple[str, ...]) -> Call:
    """Return a call, which usually has one result and whole arguments."""
    count = draw(st.sampled_from((1, 1, 1, 1, 1, 0, 2)))
    results = tuple(draw(_results) for _ in range(count))
    name = draw(st.sampled_from((*names, "gone_tool")))
    return Call(draw(_call_ids), name, new_mark(), results, draw(st.sampled_from((False,) * 5 + (True,))))


@st.composite
def assistant_turns(draw: Draw, names: tuple[str, ...]) -> AssistantTurn:
    """Return an answer with text, calls or both, and sometimes with results of calls that do not exist."""
    called = tuple(draw(st.lists(calls(names), max_size=3)))
    said = draw(_answered) or (() if called else (Said(draw(marked_texts())),))
    orphans = tuple(Said(new_mark()) for _ in range(draw(st.sampled_from((0,) * 8 + (1,)))))
    return AssistantTurn(said, called, orphans, draw(st.booleans()))


@st.composite
def user_turns(draw: Draw) -> UserTurn:
    """Return a message of the user, sometimes with a speaker."""
    speaker = draw(st.sampled_from((None,) * 5 + ("name",)))
    return UserTurn(draw(_spoken), speaker and f"Ada_{new_mark()}")


@st.composite
def conversations(draw: Draw, names: tuple[str, ...]) -> tuple[Turn, ...]:
    """Return turns. Most conversations begin and end with the user; some have system notes in between."""
    turns: list[Turn] = [draw(user_turns())]
    for _ in range(draw(st.integers(0, 3))):
        turns.append(draw(assistant_turns(names)))
        if draw(st.integers(0, 4)) == 0:
            turns.append(Note(draw(st.sampled_from(("system", "developer"))), new_mark()))
        if not _has_results(turns[-1]) or draw(st.booleans()):
            turns.append(draw(user_turns()))
    shape = draw(st.integers(0, 19))
    if shape == 0 and len(turns) > 1:
        return tuple(turns[1:])  # begins with the assistant or with a note
    return tuple(turns[:-1]) if shape == 1 and len(turns) > 1 else tuple(turns)


def _has_results(turn: Turn) -> bool:
    return isinstance(turn, AssistantTurn) and any(call.results for call in turn.calls)


# Tools


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


#: Schemas that the API accepts, and schemas that it refuses. Each holds the mark.
_SOUND: tuple[Callable[[str], Any], ...] = (
    lambda mark: _object(city={"type": "string", "description": f"µg/m³ {mark} \u200d"}),
    lambda mark: _object(unit={"enum": [f"m² {mark}", "10⁻³", 5, None]}),
    lambda mark: {**_object(a={"type": ["string", "null"]}), "required": ["a"], "description": mark},
    lambda mark: _object(list={"type": "array", "items": {"anyOf": [{"const": mark}, {"type": "integer"}]}}),
    lambda mark: {**_object(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "string", "title": mark}}},
    lambda mark: {**_object(**{"a.b-c_d": {"type": "object"}}), "additionalProperties": False, "title": mark},
)
_ODD: tuple[Callable[[str], Any], ...] = (
    lambda mark: {"type": "object", "properties": [], "description": mark},
    lambda mark: _object(**{"$select": {"type": "string", "description": mark}}),
    lambda mark: _object(**{"filter[name]": {"type": "string"}, "größe": {"description": mark}}),
    lambda mark: _object(n={"type": "int", "description": mark}),
    lambda mark: _object(n={"type": "STRING", "required": True, "description": mark}),
    lambda mark: {**_object(n={"description": mark}), "required": ["n", "n"]},
    lambda mark: {"anyOf": [_object(a={"description": mark}), _object(b={"type": "string"})]},
    lambda mark: {"$ref": "#/$defs/A", "$defs": {"A": _object(a={"description": mark})}},
    lambda mark: {"properties": {"a": {"description": mark}}},
    lambda mark: _object(n={"type": "number", "minimum": "1", "description": mark}),
    lambda mark: {"type": "object", "description": mark, "required": True},
)
_NAMES = ("get_weather", "Bash", "WebSearch", "mcp__docs__find", "StructuredOutput", "x" * 128, "a-b_C9")
_ODD_NAMES = ("größe", "a b", "y" * 200, "files.read", "fn:call")


@st.composite
def tools(draw: Draw) -> ToolPlan:
    """Return a tool with a mark in its description and one in its schema."""
    schemas = draw(st.sampled_from((_SOUND, _SOUND, _ODD)))
    names = draw(st.sampled_from((_NAMES, _NAMES, _NAMES, _ODD_NAMES)))
    is_sound = schemas is _SOUND and names is _NAMES
    schema = draw(st.sampled_from(schemas))(new_mark())
    return ToolPlan(draw(st.sampled_from(names)), draw(marked_texts()), schema, is_sound)


# Answers


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "required": list(schema["properties"]), "additionalProperties": False}


#: Schemas of answers, as clients write them. Each holds the mark and has room for a text.
_ANSWERS: tuple[Callable[[str], dict[str, Any]], ...] = (
    lambda mark: _closed(_object(a={"type": "string", "description": mark})),
    lambda mark: (
        _closed(_object(a={"$ref": "#/$defs/A"})) | {"$defs": {"A": {"type": "string", "title": mark}}}
    ),
    lambda mark: _object(a={"type": "string", "minLength": 1, "description": mark}) | {"required": ["a"]},
    lambda mark: _closed(_object(**{"Account Number": {"type": "string", "description": mark}})),
    lambda mark: {"type": "array", "items": {"type": "string", "description": mark}},
    lambda mark: {"anyOf": [_closed(_object(a={"type": "string", "description": mark})), {"type": "string"}]},
    lambda mark: {"$ref": "#/$defs/A", "$defs": {"A": _closed(_object(a={"type": "string", "title": mark}))}},
    lambda mark: (
        _closed(_object(a={"type": "string", "example": "x", "description": mark}))
        | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    ),
)
_answers = st.sampled_from(_ANSWERS).map(lambda build: AnswerPlan(build(new_mark())))


# Requests


@st.composite
def plans(draw: Draw) -> Plan:
    """Return the plan of a request."""
    dialect = draw(st.sampled_from(DIALECTS))
    common = {"parameters": _draw_parameters(draw, dialect), "model": draw(st.sampled_from(MODELS))}
    stream = draw(st.booleans())
    if dialect == "completions":
        said = Said(draw(marked_texts()))
        return Plan(dialect, (UserTurn((said,)),), stream=stream, **common)
    offered = tuple(draw(st.lists(tools(), max_size=3, unique_by=lambda tool: tool.name)))
    system = tuple(draw(st.lists(marked_texts(), max_size=2)))
    turns = draw(conversations(tuple(tool.name for tool in offered)))
    later = tuple(draw(st.lists(user_turns(), min_size=LATER, max_size=LATER)))
    answer = draw(_answers) if draw(st.integers(0, 5)) == 0 else None
    # The text of a stored answer with a schema is JSON in the model's vocabulary, which the plan does not know.
    is_stored = dialect == "responses" and answer is None and draw(st.booleans())
    parts = {"stream": stream, "later": later, "answer": answer, "is_stored": is_stored}
    return Plan(dialect, turns, system, offered, **parts, **common)


def _draw_parameters(draw: Draw, dialect: Dialect) -> tuple[Parameter, ...]:
    """Return parameters, usually none or one."""
    count = draw(st.sampled_from((0, 0, 1, 1, 2)))
    chosen = st.lists(
        st.sampled_from(PARAMETERS[dialect]),
        min_size=count,
        max_size=count,
        unique_by=lambda parameter: parameter.name[:4],  # the two limits are one parameter
    )
    return tuple(draw(chosen))
