"""The catalog of models: the descriptions in `models.json`, merged with the CLI's own catalog.

Each CLI process reports its catalog (ModelInfo in `sdk.d.ts`) when it becomes warm. So a new CLI brings its new models
automatically, and short names such as "opus" mean the same as in the CLI.

>>> ModelCatalog().resolve("haiku").id
'claude-haiku-4-5-20251001'
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gateway.claude.cli.protocol import ModelInfo
from gateway.claude.model_names import (
    WIDE,
    WIDE_WINDOW,
    canonical_id,
    find_families,
    is_cloud_name,
    parse_name,
    split_wide,
)
from gateway.errors import ModelNotFound, ModelNotSupported
from gateway.json_schema import OutputSchema
from gateway.lenient_json import dumps
from gateway.turn import Model

SHIPPED = Path(__file__).with_name("models.json")

LIFECYCLES = ("active", "deprecated", "retired")

MAX_REJECTED_FORMATS = 1000
UNDESCRIBED_EFFORTS = ("low", "medium", "high")  # the CLI drops the effort if the model does not accept it

_PRICE = re.compile(r"\$([\d.]+)/\$([\d.]+) per Mtok")
_LONG_PRICE = re.compile(r"\$([\d.]+)/\$([\d.]+) for prompts over (\d+)k")


class ModelCatalog:
    """All known models.

    `path` is a file of the operator's that replaces `models.json`, `default` the name of the default model, and
    `patterns` the operator's models for other names, such as `gpt-*=haiku`. Raises ValueError if the file cannot be
    used.
    """

    def __init__(
        self, path: Path | None = None, default: str | None = None, patterns: Iterable[str] = ()
    ) -> None:
        data = _load(path or SHIPPED)
        self._models = {entry["id"]: _parse_entry(entry) for entry in data["models"]}
        self._models |= _default_fallbacks(data["models"], self._models)
        self._aliases: dict[str, str] = {
            alias: model.id for model in self._models.values() for alias in model.aliases
        }
        self._aliases |= data.get("aliases", {})
        self._has_fixed_aliases = path is not None  # the CLI must not override an operator's file
        self._file_default: str = data.get("default_model") or "default"
        self.configure(default, patterns)
        self._unreported: dict[str, dict[str, Any]] = data.get("unreported", {})
        self._reported: tuple[ModelInfo, ...] = ()
        self._rejected_formats: set[tuple[str, bytes]] = set()
        self._rejected_setups: set[bytes] = set()
        self._note_ids([])

    def configure(self, default: str | None, patterns: Iterable[str]) -> None:
        """Change the name of the default model, and the models for other names."""
        self._default = default or self._file_default
        self._patterns = [_split_pattern(one) for one in patterns]

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
                facts = self._unreported.get(model_id, {})
                self._models[model_id] = replace(_parse_reported(model_id, entry), **facts)
        self._note_ids(entry.get("resolvedModel") or entry["value"] for entry in catalog)

    def _note_ids(self, cli_ids: Iterable[str]) -> None:
        """Remember the ids of the CLI's catalog, and what follows from all ids."""
        self._cli_ids = dict.fromkeys(cli_ids)
        self._is_cloud = any(map(is_cloud_name, self._cli_ids))
        self._families = find_families(self._models)

    def resolve(self, name: str | None) -> Model:
        """Return the model that a client's name stands for. None stands for the default model.

        A name that is not in the catalog, in any form that `model_names` reads, is compared with the operator's
        patterns. `claude-*` names that are not listed are passed to the CLI. Raises ModelNotSupported with the list of
        known names for all others.
        """
        given = name or self._default
        model = self._find_model(given) or self._find_by_pattern(given) or self._guess_model(given)
        if model is not None:
            return model
        known = ", ".join(sorted({*self._models, *self._aliases}))
        raise ModelNotSupported(f"The model '{name}' is not supported. Known models: {known}.", param="model")

    def find(self, name: str) -> Model:
        """Return the listed model that a name stands for. Raises ModelNotFound."""
        model = self._find_model(name)
        if model is None:
            raise ModelNotFound(f"The model '{name}' does not exist.", param="model")
        return model

    def all(self) -> list[Model]:
        """Return the listed models, each with all of its aliases.

        The models of the CLI's catalog come first, and those that Anthropic retires come last.
        """
        aliases: dict[str, list[str]] = {}
        for alias in self._aliases:
            aliases.setdefault(self._follow_aliases(alias), []).append(alias)
        listed = [replace(m, aliases=tuple(sorted(aliases.get(m.id, ())))) for m in self._models.values()]
        positions = {model_id: position for position, model_id in enumerate(self._cli_ids)}
        return sorted(
            listed, key=lambda m: (LIFECYCLES.index(lifecycle(m)), positions.get(m.id, len(positions)))
        )

    def candidates(self, model: Model) -> list[Model]:
        """Return the model and the fallbacks that are tried if the CLI refuses it."""
        return [model, *(self.resolve(name) for name in model.fallbacks)]

    def widen(self, model: Model) -> Model:
        """Return the model with a context window of a million tokens, if it needs a beta for it and has one."""
        has_beta = model.wide_context or not model.described
        if not has_beta or model.id.endswith(WIDE):
            return model
        return replace(model, id=f"{model.id}{WIDE}", context_window=WIDE_WINDOW)

    def remember_no_sampling(self, model: Model) -> None:
        """Send no more sampling parameters to a model, because the API has rejected them."""
        self._models[model.id] = replace(model, sampling="none", thinking_off=False)

    def remember_no_forced_tools(self, model: Model) -> None:
        """Force a model to call tools no more, because the API has rejected it."""
        self._models[model.id] = replace(model, forced_tools=False)

    def remember_no_service_tier(self, model: Model) -> None:
        """Send no more service tier to a model, because the API has rejected it."""
        self._models[model.id] = replace(model, service_tiers=False)

    def remember_no_format(self, model: Model, schema: OutputSchema | None = None) -> None:
        """Note that the API has rejected structured output for a model, with any schema or only with this one."""
        if len(self._rejected_formats) >= MAX_REJECTED_FORMATS:
            self._rejected_formats.clear()
        self._rejected_formats.add((model.id, b"" if schema is None else _digest_schema(schema)))

    def remember_no_strict(self, setup: bytes) -> None:
        """Note that the API has rejected the strict tools of this set-up, for example as too complex in sum."""
        if len(self._rejected_setups) >= MAX_REJECTED_FORMATS:
            self._rejected_setups.clear()
        self._rejected_setups.add(setup)

    def rejects_strict(self, setup: bytes) -> bool:
        """Return True if the API has rejected the strict tools of this set-up before."""
        return setup in self._rejected_setups

    def rejects_format(self, model: Model, schema: OutputSchema) -> bool:
        """Return True if the API has rejected structured output for the model and the schema before."""
        rejected = self._rejected_formats
        return bool(rejected) and not rejected.isdisjoint(
            {(model.id, b""), (model.id, _digest_schema(schema))}
        )

    def _find_model(self, name: str) -> Model | None:
        """Return the listed model that `name` stands for in any form, or None."""
        listed = self._find_listed(name)
        if listed is not None:
            return listed
        narrow, wide = split_wide(name.strip())
        model = self._find_listed(narrow) or self._find_listed(_last_part(narrow)) or self._match_name(narrow)
        if model is None or not wide:
            return model
        return replace(model, id=f"{model.id}{wide}", context_window=WIDE_WINDOW)

    def _find_listed(self, name: str) -> Model | None:
        return self._models.get(self._follow_aliases(name))

    def _match_name(self, name: str) -> Model | None:
        """Return the newest listed model whose id says the same as `name` in another form."""
        wanted = parse_name(name, self._families)
        if wanted is None:
            return None
        if not (wanted.version or wanted.date) and wanted.family in self._aliases:
            return self._find_listed(wanted.family)
        parsed = ((model, parse_name(model.id, self._families)) for model in self._models.values())
        matches = [(one, model) for model, one in parsed if one and wanted.matches(one)]
        if not matches:
            return None
        model = max(
            matches, key=lambda match: (match[1].id in self._cli_ids, match[0].version, match[0].date)
        )[1]
        # A cloud serves models in more regions than the CLI lists.
        return replace(model, id=name) if self._is_cloud and is_cloud_name(name) else model

    def _find_by_pattern(self, name: str) -> Model | None:
        """Return the model to which the operator maps `name`. Raises ModelNotSupported if there is no such model."""
        names = {name.lower(), _last_part(name)}
        for pattern, target in self._patterns:
            if any(fnmatchcase(one, pattern.lower()) for one in names):
                model = self._find_model(target) or self._guess_model(target)
                if model is None:
                    problem = f"MODEL_PATTERNS maps '{name}' to '{target}', which is not a known model."
                    raise ModelNotSupported(problem, param="model")
                return model
        return None

    def _guess_model(self, name: str) -> Model | None:
        """Return a model that the CLI may know although it is not listed."""
        narrow, wide = split_wide(name.strip())
        wanted = parse_name(narrow, self._families)
        if narrow == "default" or (self._is_cloud and is_cloud_name(narrow)):
            model_id = narrow
        elif wanted is not None and "claude" in narrow.lower():
            model_id = canonical_id(wanted)
        elif narrow.startswith("claude-"):
            model_id = narrow
        else:
            return None
        model_id += wide
        # The CLI knows whether the model has fast mode.
        return Model(id=model_id, name=model_id, efforts=UNDESCRIBED_EFFORTS, fast_mode=True, described=False)

    def _follow_aliases(self, name: str) -> str:
        for _ in range(4):  # an alias may point to another alias; the bound breaks loops
            if name not in self._aliases or self._aliases[name] == name:
                break
            name = self._aliases[name]
        return name


def lifecycle(model: Model) -> str:
    """Return the stage of a model, as Anthropic's API names it: one of LIFECYCLES."""
    if not model.retires_at:
        return "active"
    return "retired" if model.retires_at <= datetime.now(timezone.utc).date().isoformat() else "deprecated"


def _split_pattern(text: str) -> tuple[str, str]:
    """Return the pattern and the model of `gpt-*=haiku`."""
    pattern, _, model = text.partition("=")
    return pattern.strip(), model.strip()


def _last_part(name: str) -> str:
    """Return the name without the providers before it: "sonnet" for `openai/Sonnet`."""
    return name.lower().rpartition("/")[2]


def _digest_schema(schema: OutputSchema) -> bytes:
    return hashlib.blake2b(dumps(schema.format), digest_size=16).digest()


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
    long = _LONG_PRICE.search(entry.get("description", ""))
    return Model(
        id=model_id,
        name=entry.get("displayName", model_id) if entry["value"] == "default" else _marketing_name(entry),
        description=entry.get("description", ""),
        input_cost_per_1k=float(price[1]) / 1000 if price else None,
        output_cost_per_1k=float(price[2]) / 1000 if price else None,
        long_prompt_rates=(int(long[3]) * 1000, float(long[1]) / 1000, float(long[2]) / 1000)
        if long
        else None,
        thinking="adaptive" if entry.get("supportsAdaptiveThinking") else "budget",
        thinking_off=bool(entry.get("supportsThinkingOff", True)),
        # Models that always think reject sampling parameters and, since Fable 5.1, forced calls of tools. Others are
        # tried, and a rejection is remembered.
        sampling="one" if entry.get("supportsThinkingOff", True) else "none",
        forced_tools=bool(entry.get("supportsThinkingOff", True)),
        fast_mode=bool(entry.get("supportsFastMode")),
        efforts=tuple(entry.get("supportedEffortLevels", ())),
    )


def _marketing_name(entry: ModelInfo) -> str:
    """Return "Opus 5.5" for "Opus 5.5 · Best for everyday, complex tasks · $4/$20 per Mtok"."""
    return str(entry.get("description", "")).partition(" · ")[0] or str(
        entry.get("displayName", entry["value"])
    )
