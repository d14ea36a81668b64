"""No part of the services keeps an old value of a live setting.

Services that take changed settings over must have the same values in all their parts as services that start with them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from gateway.answering.live_settings import LIVE
from gateway.answering.services import Services, build_services
from gateway.observe import logs
from gateway.settings import Settings

#: Parts that keep the settings of the start, because they read only fixed ones.
FIXED = ("LiveSettings.configured", "Launcher._settings", "BatchCallers._settings", "AccountReload._settings")
SCALARS = (bool, int, float, str, type(None), Settings)
CHANGED: dict[type, Callable[[Any], Any]] = {
    int: lambda value: value + 1 if value < 19 else value - 1,
    float: lambda value: value + 0.5,
}
OTHERS = {
    "max_key_share_percent": 50,
    "default_model": "opus",
    "model_patterns": ("gpt-*=haiku",),
    "log_level": "ERROR",
    "alert_kinds": ("disk",),
    "alert_budget_percents": ("50",),
    "alert_window_percents": ("60",),
}


def change_all(settings: Settings) -> Settings:
    """Return the settings with another value of each live one."""
    values: dict[str, Any] = {
        name: OTHERS[name] if name in OTHERS else CHANGED[type(value)](value)
        for name, value in ((one.name, getattr(settings, one.name)) for one in LIVE.values())
    }
    changed = replace(settings, **values)
    assert all(getattr(changed, name) != getattr(settings, name) for name in values)
    return changed


def list_values(part: Any, path: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Yield the values in a part and in its own parts, each with its path."""
    if isinstance(part, SCALARS):
        yield path, part
        return
    if not isinstance(part, tuple | timedelta):
        if id(part) in seen:
            return
        seen.add(id(part))
    for name, inner in list_parts(part).items():
        yield from list_values(inner, f"{path}.{name}" if path else name, seen)


def list_parts(part: Any) -> dict[str, Any]:
    """Return what an object consists of; nothing for objects of libraries."""
    if isinstance(part, Mapping):
        return {str(name): inner for name, inner in part.items()}
    if isinstance(part, list | tuple | set | frozenset):
        return {str(index): inner for index, inner in enumerate(part)}
    if isinstance(part, partial):
        return {"func": part.func, "args": part.args, "keywords": part.keywords}
    if isinstance(part, MethodType):
        return {"self": part.__self__}
    if isinstance(part, FunctionType):
        cells = [cell.cell_contents for cell in part.__closure__ or ()]
        return dict(zip(part.__code__.co_freevars, cells, strict=True))
    if isinstance(part, timedelta):
        return {"seconds": part.total_seconds()}
    if not type(part).__module__.startswith("gateway."):
        return {}
    slots = [name for kind in type(part).__mro__ for name in getattr(kind, "__slots__", ())]
    found = {name: getattr(part, name) for name in slots if hasattr(part, name)}
    found |= getattr(part, "__dict__", {})
    return {f"{type(part).__name__}.{name}": inner for name, inner in found.items()}


def values_of(services: Services) -> dict[str, object]:
    """Return all values in the services, except of times, which differ anyway."""
    found = dict(list_values(services, "", set()))
    return {path: value for path, value in found.items() if not path.endswith("_at")}


def test_services_that_take_settings_over_are_like_services_that_start_with_them(database_url: str) -> None:
    settings = Settings(database_url=database_url, require_auth=True, max_processes=12, keep_seconds=100.0)
    changed = change_all(settings)
    taking, starting, before = made = [build_services(one) for one in (settings, changed, settings)]
    taking.live_settings.current = changed
    taking.apply(changed)
    logs.set_level("INFO")
    old, new, found = map(values_of, (before, starting, taking))
    dependent = {path for path in new if path in old and new[path] != old[path] and not path.endswith(FIXED)}
    assert len(dependent) > 30
    assert {path: found.get(path) for path in dependent if found.get(path) != new[path]} == {}
    for services in made:
        services.store.close()
