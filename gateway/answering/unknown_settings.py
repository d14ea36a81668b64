"""Name unknown variables that look like settings, such as `REQUIRE_AUHT`."""

import re

from gateway.claude.cli.launch import PASSED_ON
from gateway.observe.tracing import PREFIX
from gateway.setting_sources import find_sources
from gateway.settings import NAMES, Settings


def find_unknown_settings(settings: Settings) -> list[str]:
    """Return a sentence for each, with its place and the nearest name.

    Variables of the CLI and of OpenTelemetry are no mistakes.
    """
    others = re.compile(rf"{PASSED_ON.pattern}|{PREFIX}\w+")
    return find_sources(settings.environ).find_unknown(NAMES, others.fullmatch)
