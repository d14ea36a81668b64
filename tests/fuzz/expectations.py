"""Say what of a plan has to reach the model, without using the gateway's code.

The model of a request is a list of `Expected`, in the order of the plan. Each is found in the request to the model in
its role and place, or a header explains why it is missing or different.
"""

from dataclasses import dataclass, field

from tests.fuzz.plans import (
    CONVERTED_PICTURES,
    MARK,
    AssistantTurn,
    Call,
    Foreign,
    Note,
    Picture,
    Piece,
    Plan,
    Said,
    Turn,
    Upload,
    UserTurn,
)
from tests.fuzz.rendering import results_of

# The codes of x-repaired that explain a kind of damage.
UNREADABLE = frozenset({"unreadable-file"})
FOREIGN = frozenset({"part-as-text", "item-left-out"})
CUT_CALL = frozenset({"tool-arguments"})
ROUNDS = frozenset({"missing-result", "orphan-result", "repeated-result", "repeated-call", "tool-call-id"})


@dataclass(frozen=True)
class Expected:
    """A text that has to reach the model.

    `regions` are the roles under which it may stand, and `rank` counts changes of the speaker (None for any place).
    With `is_exact` a block is equal to it; otherwise one contains it. `excuses` are codes: one of them explains that it
    is missing, or that only its mark is there. Within a rank, only texts with `has_place` keep their order.
    """

    text: str
    regions: frozenset[str]
    rank: int | None = None
    is_exact: bool = True
    excuses: frozenset[str] = frozenset()
    has_place: bool = True

    @property
    def mark(self) -> str:
        """Return the part of the text that occurs nowhere else."""
        found = MARK.search(self.text)
        return found[0] if found else self.text


@dataclass
class Model:
    """Everything that a request to the model must have.

    `named` lists groups of codes, each with its reason: a header has to name one of each. `refusals` are the fields
    about which a 400 may be.
    """

    texts: list[Expected] = field(default_factory=list)
    named: list[tuple[frozenset[str], object]] = field(default_factory=list)
    refusals: set[str] = field(default_factory=set)
    images: int = 0


def expect(plan: Plan) -> Model:
    """Return the model of a plan."""
    model = Model()
    model.refusals |= {name for parameter in plan.parameters for name in parameter.refusals}
    model.refusals |= {"model"} if plan.model[1] == "" else set()
    model.texts += [
        Expected(_well_formed(text), frozenset({"system"}), is_exact=False) for text in plan.system
    ]
    reader = _Reader(plan, model)
    for index, turn in enumerate(plan.turns):
        reader.read(turn, index)
    return model


class _Reader:
    def __init__(self, plan: Plan, model: Model) -> None:
        self._plan = plan
        self._model = model
        self._rank = 0
        self._is_leading = True
        self._side = ""

    def read(self, turn: Turn, index: int) -> None:
        """Add what a turn says. The newest messages are those after the last answer, so also its results."""
        if isinstance(turn, Note):
            self._model.texts.append(self._note(turn))
            return
        self._is_leading = False
        if isinstance(turn, AssistantTurn):
            self._enter("assistant")
            self._answer(turn, is_newest=index == self._plan.newest - 1)
        else:
            self._enter("user")
            self._say(turn, is_newest=index >= self._plan.newest)

    def _enter(self, side: str) -> None:
        self._rank += side != self._side
        self._side = side

    def _note(self, note: Note) -> Expected:
        if self._is_leading:
            return Expected(note.text, frozenset({"system"}), is_exact=False)
        regions = frozenset({"user", "system turn"})
        return Expected(note.text, regions, self._rank, is_exact=False, has_place=False)

    def _say(self, turn: UserTurn, is_newest: bool) -> None:
        speaker = turn.speaker if self._plan.dialect == "chat" else None  # the others have no field for it
        if speaker:
            excuses = frozenset({"name"})
            self._add(speaker, "user", is_exact=False, excuses=excuses, has_place=False)
        for piece in turn.pieces:
            self._piece(piece, "user", is_newest, is_exact=not speaker)

    def _answer(self, turn: AssistantTurn, is_newest: bool) -> None:
        for piece in turn.pieces:
            self._piece(piece, "assistant", False)
        for call in turn.calls:
            excuses = CUT_CALL if call.is_cut else frozenset[str]()
            self._add(call.text, "assistant", excuses=excuses, has_place=False)
            self._name_round(call)
        if results_of(turn):
            self._enter("user")
        for _, pieces in results_of(turn):
            for piece in pieces:
                excuses = ROUNDS if _is_damaged(turn) else frozenset[str]()
                self._piece(piece, "user", is_newest, has_place=False, excuses=excuses)
        if turn.orphans:
            self._model.named.append((ROUNDS, turn.orphans))

    def _name_round(self, call: Call) -> None:
        if call.is_cut:
            self._model.named.append((CUT_CALL, call))
        if len(call.results) != 1 or not call.id:
            self._model.named.append((ROUNDS, call))

    def _piece(
        self,
        piece: Piece,
        region: str,
        is_newest: bool,
        is_exact: bool = True,
        has_place: bool = True,
        excuses: frozenset[str] = frozenset(),
    ) -> None:
        if isinstance(piece, Foreign):
            self._model.texts.append(
                Expected(piece.text, frozenset({"user", "assistant"}), None, False, FOREIGN, False)
            )
            self._refuse(is_newest)
        elif isinstance(piece, Said):
            text = _well_formed(piece.text)
            self._add(text, region, is_exact=is_exact, has_place=has_place, excuses=excuses)
        elif piece.is_bad:
            self._model.named.append((UNREADABLE, piece))
            self._refuse(is_newest)
        else:
            self._file(piece, region, has_place, excuses)

    def _file(self, piece: Picture | Upload, region: str, has_place: bool, excuses: frozenset[str]) -> None:
        if isinstance(piece, Picture):
            self._model.images += not excuses
            if piece.kind in CONVERTED_PICTURES:
                self._model.named.append((frozenset({"image-scaled"}), piece))
                return
            if piece.kind == "gif":
                self._model.named.append((frozenset({"image-type"}), piece))
            self._add(_sent(piece), region, has_place=has_place, excuses=excuses)
        else:
            if piece.kind == "latin-1":
                self._model.named.append((frozenset({"text-decoded"}), piece))
            self._add(_sent(piece), region, has_place=has_place, excuses=excuses)

    def _refuse(self, is_newest: bool) -> None:
        if is_newest:
            self._model.refusals.add("input" if self._plan.dialect == "responses" else "messages")

    def _add(
        self,
        text: str,
        *regions: str,
        is_exact: bool = True,
        has_place: bool = True,
        excuses: frozenset[str] = frozenset(),
    ) -> None:
        expected = Expected(text, frozenset(regions), self._rank, is_exact, excuses, has_place)
        self._model.texts.append(expected)


def _is_damaged(turn: AssistantTurn) -> bool:
    """Return whether some result of a turn has no call of its own."""
    ids = [call.id for call in turn.calls]
    has_own = all(len(call.results) == 1 and call.id for call in turn.calls)
    return bool(turn.orphans) or not has_own or len(set(ids)) < len(ids)


def _sent(piece: Picture | Upload) -> str:
    """Return the string that holds the file in the model's request."""
    if isinstance(piece, Picture):
        return piece.url if piece.kind == "url" else piece.data
    if piece.kind == "latin-1":
        return f"Übergröße für {piece.text}, straße"
    return piece.data if piece.kind == "pdf" else piece.text


def _well_formed(text: str) -> str:
    """Return a text with lone halves of surrogate pairs replaced, as no JSON parser keeps them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
