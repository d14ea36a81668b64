"""Regular expressions that Python, JavaScript and the API's structured output read in the same way.

>>> is_simple_pattern(r"^\\d{4}-[A-Z]+$"), is_simple_pattern(r"(?=a)b")
(True, False)
"""

import re

from gateway.json_schema.keywords import is_regex

MAX_REPEATS = 100

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
# Escapes that mean the same everywhere, also in JavaScript's strict Unicode mode, which ajv uses.
_ESCAPABLE = frozenset("dws^$\\.*+?()[]{}|/")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def is_simple_pattern(pattern: str) -> bool:
    """Return True if a pattern has no lookaround, back reference, word boundary or large count.

    Structured output rejects those, by the section "Pattern support (regex)" of its documentation.
    """
    if not is_regex(pattern) or any(escape not in _ESCAPABLE for escape in _ESCAPE.findall(pattern)):
        return False
    plain = _ESCAPE.sub("", pattern)
    counts = [int(number[:9]) for low_high in _COUNT.findall(plain) for number in low_high if number]
    has_other_braces = "{" in _COUNT.sub("", plain) or "}" in _COUNT.sub("", plain)
    return "(?" not in plain and not has_other_braces and all(count <= MAX_REPEATS for count in counts)
