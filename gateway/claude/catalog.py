"""The models: what `models.json` describes, merged with what the CLI itself reports.

The CLI's catalogue (ModelInfo of `sdk.d.ts`) comes with every process that gets warm, so a new CLI brings its new
models by itself, and short names such as "opus" mean what the CLI means by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.errors import ModelNotFound, ModelNotSupported
from gateway.turn import CACHE_READ_FACTOR, Model

SHIPPED = Path(__file__).with_name("models.json")

UNDESCRIBED_EFFORTS = ("low", "medium", "high")  # the CLI drops what the model does not take

_PRICE = re.compile(r"\$([\d.]+)/\$([\d.]+) per Mtok")


class ModelCatalog:
    """All known models. Raises ValueError from the constructor when the file is not usable."""

    def __init__(self, path: Path | None = None, default: str | None = None) -> None:
        data = _load(path or SHIPPED)
        self._models = {entry["id"]: _described(entry) for entry in data["models"]}
        self._models |= _usual_fallbacks(data["models"], self._models)
        self._aliases: dict[str, str] = {alias: m.id for m in self._models.values() for alias in m.aliases}
        self._aliases |= data.get("aliases", {})
        self._aliases_are_fixed = path is not None  # an operator's file has the last word
        self._default = default or data.get("default_model") or "default"
        self._cache_read_factors: dict[str, float] = data.get("cache_read_factors", {})
        self._reported: tuple[Mapping[str, Any], ...] = ()

    def merge(self, reported: Iterable[Mapping[str, Any]]) -> None:
        """Take over the CLI's own catalogue. Costs nothing when it is the one already known."""
        fresh = tuple(reported)
        if fresh == self._reported:
            return
        self._reported = fresh
        for entry in sorted(fresh, key=lambda entry: bool(entry["value"] == "default")):
            model_id = entry.get("resolvedModel") or entry["value"]
            if entry["value"] not in self._aliases or not self._aliases_are_fixed:
                self._aliases[entry["value"]] = model_id
            if self._target(model_id) not in self._models:
                factor = self._cache_read_factors.get(model_id, CACHE_READ_FACTOR)
                self._models[model_id] = replace(_reported(model_id, entry), cache_read_factor=factor)

    def resolve(self, name: str | None) -> Model:
        """The model a client means; None is the default. Any `claude-*` name is worth a try.

        Raises ModelNotSupported with the list of names.
        """
        wanted = self._target(name or self._default)
        if wanted in self._models:
            return self._models[wanted]
        if wanted == "default" or wanted.startswith("claude-") or "claude" in wanted.rpartition("/")[2]:
            return Model(id=wanted, name=wanted, efforts=UNDESCRIBED_EFFORTS, described=False)
        known = ", ".join(sorted({*self._models, *self._aliases}))
        raise ModelNotSupported(f"The model '{name}' is not supported. Known models: {known}.", param="model")

    def find(self, name: str) -> Model:
        """A listed model by id or alias; raises ModelNotFound."""
        model = self._models.get(self._target(name))
        if model is None:
            raise ModelNotFound(f"The model '{name}' does not exist.", param="model")
        return model

    def all(self) -> list[Model]:
        """The listed models, each with every alias that leads to it."""
        aliases: dict[str, list[str]] = {}
        for alias in self._aliases:
            aliases.setdefault(self._target(alias), []).append(alias)
        return [replace(m, aliases=tuple(sorted(aliases.get(m.id, ())))) for m in self._models.values()]

    def candidates(self, model: Model) -> list[Model]:
        """Return the model and, in case the CLI refuses it, its configured fallbacks."""
        return [model, *(self.resolve(name) for name in model.fallbacks)]

    def remember_no_sampling(self, model: Model) -> None:
        """The API refused sampling parameters of a model nobody described: do not send them again."""
        self._models[model.id] = replace(model, sampling="none", thinking_off=False)

    def _target(self, name: str) -> str:
        for _ in range(4):  # an alias may lead to an alias; a loop ends somewhere
            if name not in self._aliases or self._aliases[name] == name:
                break
            name = self._aliases[name]
        return name


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("models"), list):
        raise ValueError(f"{path}: an object with a list `models` is expected")
    return data


def _described(entry: Mapping[str, Any]) -> Model:
    known = {
        name: entry[name] for name in Model.__dataclass_fields__ if name in entry and name != "described"
    }
    for name in ("efforts", "aliases", "fallbacks"):
        known[name] = tuple(known.get(name, ()))
    return Model(**{"name": entry["id"], **known})


def _usual_fallbacks(entries: Iterable[Mapping[str, Any]], models: Mapping[str, Model]) -> dict[str, Model]:
    """Opus 4.6 as it is without `fallbacks` of its own: the newest Opus 4.5 there is takes its place."""
    successors = sorted(name for name in models if name.startswith("claude-opus-4-5"))[-1:]
    return {
        entry["id"]: replace(models[entry["id"]], fallbacks=tuple(successors))
        for entry in entries
        if entry["id"].startswith("claude-opus-4-6") and "fallbacks" not in entry
    }


def _reported(model_id: str, entry: Mapping[str, Any]) -> Model:
    price = _PRICE.search(entry.get("description", ""))
    return Model(
        id=model_id,
        name=entry.get("displayName", model_id) if entry["value"] == "default" else _marketing_name(entry),
        description=entry.get("description", ""),
        input_cost_per_1k=float(price[1]) / 1000 if price else None,
        output_cost_per_1k=float(price[2]) / 1000 if price else None,
        thinking="adaptive" if entry.get("supportsAdaptiveThinking") else "budget",
        thinking_off=bool(entry.get("supportsThinkingOff", True)),
        # Models that always think refuse sampling parameters; of the others it is tried, and remembered.
        sampling="one" if entry.get("supportsThinkingOff", True) else "none",
        efforts=tuple(entry.get("supportedEffortLevels", ())),
    )


def _marketing_name(entry: Mapping[str, Any]) -> str:
    """ "Opus 5.5" of "Opus 5.5 · Best for everyday, complex tasks · $4/$20 per Mtok"."""
    return str(entry.get("description", "")).partition(" · ")[0] or str(
        entry.get("displayName", entry["value"])
    )
