"""A model that answers once, for answers after which the CLI would continue the turn on its own."""

import contextlib
from collections.abc import Iterator

from tests.standin import Reply, StandIn, hang
from tests.support.gateway import Gateway, wait_for
from tests.support.sockets import are_reaped, cli_pids


@contextlib.contextmanager
def single_answer(gateway: Gateway, standin: StandIn, reply: Reply) -> Iterator[None]:
    """Answer one request within the block, and assert that the CLI process that sent it ends without a second answer.

    The gateway ends the process as soon as the client's answer is complete. A process that is quicker may have sent
    its next request by then; the stand-in never answers that one, and it has to be aborted.
    """
    standin.default(hang(-1))
    standin.reply(reply, times=1)
    gateway.await_warm(1)
    before = cli_pids(gateway)
    yield
    wait_for(lambda: any(are_reaped(pid) for pid in before))
    standin.wait_for(lambda: all(record.aborted for record in standin.messages[1:]))
    assert standin.messages[0].status == 200
