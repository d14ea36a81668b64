"""Agents for the terminal, as they come out of the box, run whole jobs through the gateway and the real CLI."""

import hashlib
from pathlib import Path

import pytest

from tests.clients.catalog import all_clients
from tests.clients.client import Client, Desk
from tests.clients.conftest import Note
from tests.clients.scenarios import FILE, OLD_LINE, SCENARIOS, Trial
from tests.standin import StandIn
from tests.support.gateway import Gateway

CASES = [
    pytest.param(
        client,
        name,
        id=f"{client.name}-{name}",
        marks=[pytest.mark.xfail(reason=client.known_failures[name])]
        if name in client.known_failures
        else [],
    )
    for client in all_clients()
    for name in SCENARIOS
]


@pytest.mark.clients
@pytest.mark.timeout(900)  # the first run installs the client
@pytest.mark.parametrize(("client", "name"), CASES)
def test_client_works_as_it_comes_out_of_the_box(
    client: Client,
    name: str,
    keeping_gateway: Gateway,
    standin: StandIn,
    tmp_path: Path,
    matrix_cell: Note,
) -> None:
    matrix_cell(client.recipe.title, client.version, client.recipe.dialect, name)
    if name in client.exceptions:
        pytest.skip(client.exceptions[name])
    keeping_gateway.await_warm(1)
    key = hashlib.sha256(f"{client.name} {name}".encode()).hexdigest()
    desk = Desk(client, tmp_path, keeping_gateway.url, key)
    desk.write(FILE, f"{OLD_LINE}\n")
    desk.commit()

    try:
        SCENARIOS[name](Trial(desk, standin))
    finally:
        desk.close()

    assert not standin.script_errors
    assert {record.status for record in standin.messages} <= {200}
