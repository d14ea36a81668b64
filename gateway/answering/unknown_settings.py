"""Name unknown variables that look like settings, such as `REQUIRE_AUHT`."""

from gateway.claude.cli.launch import PASSED_ON
from gateway.setting_sources import find_sources
from gateway.settings import NAMES, Settings


def find_unknown_settings(settings: Settings) -> list[str]:
    """Return a sentence for each, with its place and the nearest name. Variables of the CLI are no mistakes."""
    return find_sources(settings.environ).find_unknown(NAMES, PASSED_ON.fullmatch)
