"""The dashboard's page of settings: a form per live setting, mistakes beside their inputs, and who may change."""

import re

import pytest
from flask import Flask

from gateway.answering.live_settings import LIVE
from gateway.api.http.context import services_of
from gateway.settings import NAMES
from gateway.store.keys import Keys
from tests.support.api_client import Api
from tests.support.apps import MakeApi
from tests.support.dashboard import HTML, csrf_token, dashboard_page, sign_in

SCRIPT = "<script>alert(1)</script>'\""
PAGE = "/settings"


@pytest.fixture
def browser(app: Flask, keys: Keys) -> Api:
    """Return the browser of an administrator who has signed in."""
    signed_in = Api.of_app(app)
    sign_in(signed_in, keys.create(f"boss {SCRIPT}", is_admin=True)[1])
    return signed_in


def input_of(page: str, name: str) -> str:
    """Return the input of a setting."""
    found = re.search(rf'<(?:input|select) id="{name}"[^>]*>', page)
    assert found
    return found[0]


def test_page_has_an_input_for_each_live_setting_and_names_the_fixed_ones(browser: Api) -> None:
    page = dashboard_page(browser, PAGE)
    assert set(re.findall(r'<(?:input|select) id="([A-Z_]+)"', page)) == set(LIVE)
    live, fixed = page.split("Needs a restart")
    assert set(re.findall(r'<tr id="row-([A-Z_]+)"', live)) == set(LIVE)
    assert set(re.findall(r'<tr id="row-([A-Z_]+)"', fixed)) == NAMES - set(LIVE)
    assert 'aria-describedby="KEEP_SECONDS-about KEEP_SECONDS-hint"' in input_of(page, "KEEP_SECONDS")
    assert 'inputmode="numeric"' in input_of(page, "WARM_PROCESSES")
    assert "<option selected>INFO</option>" in page
    assert "Number: 0 or more. Default: <code>300</code>." in page


def test_setting_is_changed_and_reset_with_its_form(app: Flask, browser: Api) -> None:
    settings, sent = services_of(app).live_settings, {"csrf_token": csrf_token(browser)}
    saved = browser.post(f"/dashboard{PAGE}/KEEP_SECONDS", data={"value": " 60 ", **sent})
    assert (saved.status_code, settings.current.keep_seconds) == (303, 60)
    shown = browser.get(saved.headers["Location"], headers=HTML).text
    assert 'role="status">Saved.' in shown
    assert 'value="60"' in input_of(shown, "KEEP_SECONDS")
    assert "instead of <code>300</code>" in shown
    assert "<script>alert" not in shown
    again = browser.post(f"/dashboard{PAGE}/KEEP_SECONDS", data={"value": "60", **sent})
    assert "said=unchanged" in again.headers["Location"]
    reset = browser.post(f"/dashboard{PAGE}/KEEP_SECONDS/reset", data=sent)
    assert (reset.status_code, settings.current) == (303, settings.configured)
    assert "/KEEP_SECONDS/reset" not in dashboard_page(browser, PAGE)


def test_mistake_is_named_beside_its_input(app: Flask, browser: Api) -> None:
    sent = {"csrf_token": csrf_token(browser), "value": f"soon {SCRIPT}"}
    answer = browser.post(f"/dashboard{PAGE}/KEEP_SECONDS", data=sent, headers=HTML)
    assert (answer.status_code, answer.text.count('aria-invalid="true"')) == (400, 1)
    assert 'aria-describedby="KEEP_SECONDS-problem ' in input_of(answer.text, "KEEP_SECONDS")
    assert 'id="KEEP_SECONDS-problem">KEEP_SECONDS=soon ' in answer.text
    assert 'value="soon ' in answer.text
    assert "<script>alert" not in answer.text
    assert services_of(app).live_settings.changes == {}


@pytest.mark.parametrize(("name", "status"), [("PORT", 400), ("REQUIRE_AUTH", 400), ("NOTHING", 404)])
def test_fixed_and_unknown_settings_have_no_form(app: Flask, browser: Api, name: str, status: int) -> None:
    sent = {"csrf_token": csrf_token(browser), "value": "1"}
    assert browser.post(f"/dashboard{PAGE}/{name}", data=sent, headers=HTML).status_code == status
    assert browser.post(f"/dashboard{PAGE}/{name}/reset", data=sent, headers=HTML).status_code == status
    assert services_of(app).live_settings.changes == {}


def test_forms_of_other_sites_change_nothing(app: Flask, browser: Api) -> None:
    for path in ("", "/reset"):
        answer = browser.post(f"/dashboard{PAGE}/KEEP_SECONDS{path}", data={"value": "60"})
        assert answer.status_code == 403
    assert services_of(app).live_settings.changes == {}


def test_other_machines_see_the_settings_of_an_open_gateway_without_forms(make_api: MakeApi) -> None:
    api = make_api(trusted_proxies=1)
    page = dashboard_page(api, PAGE, x_forwarded_for="192.0.2.7")
    assert "An administrator on this machine may change these." in page
    assert 'name="value"' not in page
    assert 'name="value"' in dashboard_page(api, PAGE, x_forwarded_for="127.0.0.1")
