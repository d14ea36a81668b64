"""`claude-gateway alerts`: list the alerts, or test their channels, for example `alerts test`."""

import sys

import click

from gateway.alerts.channels import build_channels
from gateway.answering.alerting.alerting import open_log, send_test
from gateway.command_line.stores import open_store
from gateway.command_line.tables import format_table
from gateway.settings import load


@click.group("alerts")
def command() -> None:
    """List the alerts, or test the channels that send them."""


@command.command("list")
@click.option("--count", type=click.IntRange(1, 100), default=20, show_default=True, help="Number of alerts.")
def list_alerts(count: int) -> None:
    """List the newest alerts with their deliveries."""
    with open_store() as store:
        found, _ = open_log(load(), store).list_page(1, count)
    rows = [
        (
            f"{alert['created_at']:%Y-%m-%d %H:%M}Z",
            alert["kind"],
            ", ".join(f"{one['channel']} {one['state']}" for one in alert["deliveries"]) or "-",
            alert["title"],
        )
        for alert in found
    ]
    click.echo(
        format_table([("TIME", "KIND", "SENT OVER", "ALERT"), *rows]) if rows else "There are no alerts."
    )


@command.command("test")
def test_channels() -> None:
    """Send a test over each channel of the settings."""
    settings = load()
    channels = build_channels(settings)
    if not channels:
        raise click.ClickException("The settings name no channel. See ALERT_WEBHOOK_URL and docs/alerts.md.")
    with open_store() as store:
        results = send_test(open_log(settings, store), channels)
    for result in results:
        click.echo(f"{result['channel']}: {result['error'] or 'sent'}")
    sys.exit(any(result["error"] for result in results))
