"""Numbers, money and times in a few characters, as filters of templates.

>>> format_number(1_234_567)
'1.23M'
"""

from datetime import datetime, timezone

NO_VALUE = "\u2013"


def percent_of(value: float, total: float) -> float:
    """Return `value` in percent of `total`, at most 100."""
    return round(min(100.0, 100 * value / total), 2) if total > 0 else 0.0


def format_number(number: float) -> str:
    """Format a number: up to 9999 in full, then as 12.3k, 1.23M and so on."""
    if number < 10_000:
        return f"{number:,.0f}"
    power = next(power for power in (1, 2, 3, 4) if number < 999.5 * 1000**power or power == 4)
    value = number / 1000**power
    return (f"{value:.3g}" if value < 999.5 else f"{value:,.0f}") + " kMGT"[power]


def format_dollars(amount: float) -> str:
    """Format a sum of USD in cents."""
    return "<$0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"


def format_price(amount: float | None) -> str:
    """Format the cost of one answer, in hundredths of a cent."""
    if amount is None:
        return NO_VALUE
    return "<$0.0001" if 0 < amount < 0.0001 else f"${amount:,.4f}"


def format_percent(share: float) -> str:
    """Format a fraction: 0 %, 0.4 %, 12 %."""
    percent = 100 * share
    return f"{percent:.1f} %" if 0 < percent < 1 else f"{percent:.0f} %"


def format_seconds(number: float | None) -> str:
    """Format a duration: 35 ms, 1.4 s, 12 s, 3 min 20 s, 2 h 5 min, 4 d 2 h."""
    if number is None:
        return NO_VALUE
    if number < 1:
        return f"{1000 * number:.0f} ms"
    if number < 9.95:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_distance(moment: datetime | None, now: datetime) -> str:
    """Format how far a time is from now, to the minute: in 2 h 5 min, 35 min ago, just now."""
    if moment is None:
        return NO_VALUE
    seconds = (moment - now).total_seconds()
    minutes = int(abs(seconds)) // 60
    words = format_seconds(60 * minutes) if minutes >= 60 else f"{max(1, minutes)} min"
    if seconds > 0:
        return f"in {words}"
    return f"{words} ago" if minutes else "just now"


def format_moment(moment: datetime | None) -> str:
    """Format a time in UTC, to the minute: 27 Nov 2026 14:05."""
    return f"{moment.astimezone(timezone.utc):%d %b %Y %H:%M}" if moment else NO_VALUE


def format_second(moment: datetime | None) -> str:
    """Format a time in UTC, to the second: 2026-11-27 14:05:12."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}" if moment else NO_VALUE


FILTERS = (
    percent_of,
    format_number,
    format_dollars,
    format_price,
    format_percent,
    format_seconds,
    format_distance,
    format_moment,
    format_second,
)
