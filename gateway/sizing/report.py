"""Describe recommended settings for a person."""

from gateway.sizing.model import Advice, Machine, percentile

KEPT_SHARE = 0.98  # below, more memory makes a difference that people notice
SETTINGS = (
    "max_concurrent_sessions",
    "max_processes",
    "warm_processes",
    "max_queued_requests",
)


def describe_advice(advice: Advice, machine: Machine) -> str:
    """Return the settings, in the form of a settings file, and what they lead to as comments."""
    each = "" if advice.machines == 1 else " each"
    count = "1 machine" if advice.machines == 1 else f"{advice.machines} machines"
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    lines = [
        f"# {count} with {machine.memory / 1e9:g} GB and {cores}, for {advice.users:,} users{each}",
        *(f"{name.upper()}={getattr(advice.plan, name)}" for name in SETTINGS),
        "# Simulated use:",
        *(f"#   {title:<38}{value}" for title, value in _describe_outcome(advice, machine)),
    ]
    if advice.is_short_of_memory and advice.outcome.hit_rate < KEPT_SHARE:
        lines += [
            f"# {advice.wanted_processes} processes would keep every conversation until KEEP_SECONDS are over:",
            "# with more memory, more follow-up questions find their process.",
        ]
    return "\n".join(lines)


def _describe_outcome(advice: Advice, machine: Machine) -> list[tuple[str, str]]:
    outcome = advice.outcome
    per_minute = outcome.answers / outcome.seconds * 60
    return [
        ("answers per minute", f"{per_minute:.0f}"),
        ("answers at the same time, at most", f"{outcome.peak_running}"),
        ("added to the first token, new", _describe_waits(outcome.new)),
        ("added to the first token, follow-up", _describe_waits([*outcome.hits, *outcome.misses])),
        ("follow-ups that find their process", f"{outcome.hit_rate:.0%}"),
        ("CPU", f"{outcome.cpu_share(machine.cores):.0%} of all cores"),
    ]


def _describe_waits(waits: list[float]) -> str:
    return f"{percentile(waits, 0.5) * 1000:.0f} ms (95 %: {percentile(waits, 0.95) * 1000:.0f} ms)"
