"""The catalog of models: the descriptions in `models.json`, merged with the CLI's own catalog.

Each CLI process reports its catalog (ModelInfo in `sdk.d.ts`) when it becomes warm. So a new CLI brings its new models
automatically, and short names such as "opus" mean the same as in the CLI.

>>> ModelCatalog().resolve("haiku").id
'claude-haiku-4-5-20251001'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.claude.cli.protocol import ModelInfo
from gateway.errors import ModelNotFound, ModelNotSupported
from gateway.turn import CACHE_READ_FACTOR, Model

SHIPPED = Path(__file__).with_name("models.json")

UNDESCRIBED_EFFORTS = ("low", "medium", "high")  # the CLI drops the effort if the model does not accept it

_PRICE = re.compile(r"\$([\d.]+)/\$([\d.]+) per Mtok")


class ModelCatalog:
    """All known models.

    `path` is a file of the operator's that replaces `models.json`; `default` is the name of the default model. Raises
    ValueError if the file cannot be used.
    """

    def __init__(self, path: Path | None = None, default: str | None = None) -> None:
        data = _load(path or SHIPPED)
        self._models = {entry["id"]: _parse_entry(entry) for entry in data["models"]}
        self._models |= _default_fallbacks(data["models"], self._models)
        self._aliases: dict[str, str] = {
            alias: model.id for model in self._models.values() for alias in model.aliases
        }
        self._aliases |= data.get("aliases", {})
        self._has_fixed_aliases = path is not None  # the CLI must not override an operator's file
        self._default = default or data.get("default_model") or "default"
        self._cache_read_factors: dict[str, float] = data.get("cache_read_factors", {})
        self._reported: tuple[ModelInfo, ...] = ()

    def merge(self, reported: Iterable[ModelInfo]) -> None:
        """Add the CLI's own catalog. This costs next to nothing if the same catalog was merged before."""
        catalog = tuple(reported)
        if catalog == self._reported:
            return
        self._reported = catalog
        for entry in sorted(catalog, key=lambda entry: bool(entry["value"] == "default")):
            model_id = entry.get("resolvedModel") or entry["value"]
            if entry["value"] not in self._aliases or not self._has_fixed_aliases:
                self._aliases[entry["value"]] = model_id
            if self._follow_aliases(model_id) not in self._models:
                factor = self._cache_read_factors.get(model_id, CACHE_READ_FACTOR)
                self._models[model_id] = replace(_parse_reported(model_id, entry), cache_read_factor=factor)

    def resolve(self, name: str | None) -> Model:
        """Return the model that a client's name stands for. None stands for the default model.

        Any `claude-*` name is passed to the CLI, even if it is not in the catalog. Raises ModelNotSupported with the
        list of known names for all others.
        """
        model_id = self._follow_aliases(name or self._default)
        if model_id in self._models:
            return self._models[model_id]
        is_claude = model_id.startswith("claude-") or "claude" in model_id.rpartition("/")[2]
        if is_claude or model_id == "default":
            return Model(id=model_id, name=model_id, efforts=UNDESCRIBED_EFFORTS, described=False)
        known = ", ".join(sorted({*self._models, *self._aliases}))
        raise ModelNotSupported(f"The model '{name}' is not supported. Known models: {known}.", param="model")

    def find(self, name: str) -> Model:
        """Return the listed model with this id or alias. Raises ModelNotFound."""
        model = self._models.get(self._follow_aliases(name))
        if model is None:
            raise ModelNotFound(f"The model '{name}' does not exist.", param="model")
        return model

    def all(self) -> list[Model]:
        """Return the listed models, each with all of its aliases."""
        aliases: dict[str, list[str]] = {}
        for alias in self._aliases:
            aliases.setdefault(self._follow_aliases(alias), []).append(alias)
        return [replace(m, aliases=tuple(sorted(aliases.get(m.id, ())))) for m in self._models.values()]

    def candidates(self, model: Model) -> list[Model]:
        """Return the model and the fallbacks that are tried if the CLI refuses it."""
        return [model, *(self.resolve(name) for name in model.fallbacks)]

    def remember_no_sampling(self, model: Model) -> None:
        """Send no more sampling parameters to a model, because the API has rejected them."""
        self._models[model.id] = replace(model, sampling="none", thinking_off=False)

    def _follow_aliases(self, name: str) -> str:
        for _ in range(4):  # an alias may point to another alias; the bound breaks loops
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


def _parse_entry(entry: Mapping[str, Any]) -> Model:
    known = {
        name: entry[name] for name in Model.__dataclass_fields__ if name in entry and name != "described"
    }
    for name in ("efforts", "aliases", "fallbacks"):
        known[name] = tuple(known.get(name, ()))
    return Model(**{"name": entry["id"], **known})


def _default_fallbacks(entries: Iterable[Mapping[str, Any]], models: Mapping[str, Model]) -> dict[str, Model]:
    """Return the models of Opus 4.6 without `fallbacks`, with the newest Opus 4.5 as their fallback."""
    successors = sorted(name for name in models if name.startswith("claude-opus-4-5"))[-1:]
    return {
        entry["id"]: replace(models[entry["id"]], fallbacks=tuple(successors))
        for entry in entries
        if entry["id"].startswith("claude-opus-4-6") and "fallbacks" not in entry
    }


def _parse_reported(model_id: str, entry: ModelInfo) -> Model:
    price = _PRICE.search(entry.get("description", ""))
    return Model(
        id=model_id,
        name=entry.get("displayName", model_id) if entry["value"] == "default" else _marketing_name(entry),
        description=entry.get("description", ""),
        input_cost_per_1k=float(price[1]) / 1000 if price else None,
        output_cost_per_1k=float(price[2]) / 1000 if price else None,
        thinking="adaptive" if entry.get("supportsAdaptiveThinking") else "budget",
        thinking_off=bool(entry.get("supportsThinkingOff", True)),
        # Models that always think reject sampling parameters. Other models are tried, and a rejection is remembered.
        sampling="one" if entry.get("supportsThinkingOff", True) else "none",
        efforts=tuple(entry.get("supportedEffortLevels", ())),
    )


def _marketing_name(entry: ModelInfo) -> str:
    """Return "Opus 5.5" for "Opus 5.5 · Best for everyday, complex tasks · $4/$20 per Mtok"."""
    return str(entry.get("description", "")).partition(" · ")[0] or str(
        entry.get("displayName", entry["value"])
    )
