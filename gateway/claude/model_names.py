"""Read the many forms in which clients write the name of a Claude model.

Other providers, routers and SDKs have forms of their own: prefixes, regions, versions with dots, dates behind `@`.

>>> parse_name("anthropic/claude-sonnet-4.5", frozenset({"sonnet"}))
ModelName(family='sonnet', version=(4, 5), date='')
>>> parse_name("us.anthropic.claude-sonnet-4-5-20250929-v1:0", frozenset({"sonnet"}))
ModelName(family='sonnet', version=(4, 5), date='20250929')
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

#: The suffix for a context window of a million tokens. The CLI turns it into the beta header that the model needs.
WIDE = "[1m]"
WIDE_WINDOW = 1_000_000  # tokens
#: The newest version whose ids have the version before the family.
LAST_VERSION_FIRST = 3

_PLAIN = re.compile(r"[\w.@: -]+", re.ASCII)
_REVISION = re.compile(r"[-_]v\d+(:\d+)?(?=$|@)")  # of a model at Bedrock or Vertex AI
_WORDS = re.compile(r"[a-z]+|\d+")
_DATE = re.compile(r"20\d{6}")
_CLOUD = re.compile(r"\banthropic\.|^arn:|claude[^@]*@")
# Words that do not change which model is meant: vendors, regions of Bedrock, and variants of routers.
_NOISE = frozenset({
    "claude", "anthropic", "latest", "default", "v", "us", "gov", "eu", "apac", "jp", "au", "ca", "global", "bedrock",
    "vertex", "free", "beta", "thinking", "online", "nitro", "extended", "self", "moderated",
})  # fmt: skip


class ModelName(NamedTuple):
    """The model that a name stands for. The version is empty, and the date "", if the name has none."""

    family: str
    version: tuple[int, ...]
    date: str

    def matches(self, known: ModelName) -> bool:
        """Return True if this name may stand for the model with the name `known`."""
        is_dated = bool(self.date and known.date)
        is_version = not self.version or self.version == known.version
        return self.family == known.family and is_version and (not is_dated or self.date == known.date)


def canonical_id(name: ModelName) -> str:
    """Return the id that Anthropic's API has for such a model.

    >>> canonical_id(ModelName("opus", (7, 1), "")), canonical_id(ModelName("haiku", (3, 5), "20241022"))
    ('claude-opus-7-1', 'claude-3-5-haiku-20241022')
    """
    version = [str(part) for part in name.version]
    is_old = bool(name.version) and name.version[0] <= LAST_VERSION_FIRST
    parts = [*version, name.family] if is_old else [name.family, *version]
    return "-".join(["claude", *parts, *([name.date] if name.date else [])])


def find_families(ids: Iterable[str]) -> frozenset[str]:
    """Return the families of models with these ids: "sonnet" for `claude-sonnet-4-5`."""
    words = (word for name in ids if "claude" in name for word in _WORDS.findall(name))
    return frozenset(word for word in words if len(word) > 1 and not word.isdigit()) - _NOISE


@lru_cache(maxsize=1024)
def parse_name(name: str, families: frozenset[str]) -> ModelName | None:
    """Return the model that `name` stands for, or None if a part of the name is not understood."""
    text = name.strip().lower().rpartition("/")[2]
    if not _PLAIN.fullmatch(text):
        return None
    words = _WORDS.findall(_REVISION.sub("", text).replace("_", "-"))
    family = [word for word in words if word in families]
    numbers = [word for word in words if word.isdigit()]
    dates = [number for number in numbers if _DATE.fullmatch(number)]
    counted = [number for number in numbers if number not in dates]
    others = set(words) - families - _NOISE - set(numbers)
    # Python refuses to convert thousands of digits.
    if len(family) != 1 or len(dates) > 1 or others or any(len(number.lstrip("0")) > 2 for number in counted):
        return None
    version = tuple(int(number[-2:]) for number in counted)
    return ModelName(family[0], version[:-1] if version[1:] == (0,) else version, "".join(dates))


def split_wide(name: str) -> tuple[str, str]:
    """Return the name without the suffix for a wide context window, and the suffix or ""."""
    is_wide = name.lower().endswith(WIDE)
    return (name[: -len(WIDE)], WIDE) if is_wide else (name, "")


def is_cloud_name(name: str) -> bool:
    """Return True for the ids that Amazon Bedrock and Google Vertex AI have for models."""
    return bool(_CLOUD.search(name.lower()))
