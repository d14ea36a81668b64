"""The page of alerts in the dashboard: its log, and the test of the channels."""

from contextlib import closing

from gateway.alerts.alert import Alert
from gateway.api.http.context import services_of
from tests.support.api_client import Api
from tests.support.apps import MakeApp
from tests.support.hook_server import HookServer

HTML = {"accept": "text/html"}


def test_page_has_the_log_and_tests_the_channels(make_app: MakeApp) -> None:
    with closing(HookServer(500)) as hook:
        app = make_app(alert_slack_url=f"http://{hook.address}/T1/secret")
        alert = Alert("disk", "disk/1", "The disk <is> full", "91 % of `/data` is used.")
        services_of(app).alerting.log.open(alert, ["slack"])
        api = Api.of_app(app)
        page = api.get("/dashboard/alerts", headers=HTML).text
        assert "The disk &lt;is&gt; full" in page
        assert "pending" in page
        answer = api.post("/dashboard/alerts/test", headers=HTML)
        assert answer.status_code == 303
        shown = api.get(answer.headers["location"], headers=HTML).text
        assert "slack <span" in shown
        assert "HTTP 500" in shown
        assert "secret" not in shown
    assert len(hook.received) == 1


def test_page_without_channels_says_how_to_set_one(make_app: MakeApp) -> None:
    app = make_app()
    page = Api.of_app(app).get("/dashboard/alerts", headers=HTML).text
    assert "ALERT_SLACK_URL" in page
    assert "There are no alerts." in page
    assert "Send a test" not in page
