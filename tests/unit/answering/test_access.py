"""Rights: what a caller may see and use."""

import pytest

from gateway.answering.caller import derive_owner_id
from gateway.answering.model_access import resolve_model
from gateway.answering.project_access import (
    find_changeable_project,
    find_project,
    require_unlimited,
    visible_owner,
)
from gateway.claude.catalog import ModelCatalog
from gateway.errors import (
    AdminRequired,
    ModelNotAllowed,
    ModelNotSupported,
    ProjectNotAllowed,
    ProjectNotFound,
)
from gateway.store.database import Store
from gateway.store.projects import Projects
from tests.unit.answering.fakes import caller

ADMIN = caller("boss", is_admin=True)
ALICE = caller("alice", is_admin=False)
WITHOUT_KEYS = caller("")
LIMITED = caller("bob", allowed_projects=("p",))


def test_an_admin_sees_everything_of_all_owners() -> None:
    assert (ADMIN.sees_everything, ADMIN.visible_owner) == (True, None)
    ADMIN.require_admin()


def test_a_key_sees_its_own() -> None:
    assert (ALICE.sees_everything, ALICE.visible_owner) == (False, "alice")
    with pytest.raises(AdminRequired):
        ALICE.require_admin()


def test_without_keys_callers_see_all_figures_but_only_their_own_sessions() -> None:
    assert (WITHOUT_KEYS.sees_everything, WITHOUT_KEYS.visible_owner) == (True, "")
    assert (WITHOUT_KEYS.key_id, WITHOUT_KEYS.key_name) == (None, None)


def test_the_owner_is_the_key_or_a_digest_of_the_credential() -> None:
    assert derive_owner_id(ALICE.identity, "secret") == "alice"
    assert derive_owner_id(None, "") == ""
    digest = derive_owner_id(None, "secret")
    assert digest == derive_owner_id(None, "secret") != derive_owner_id(None, "other")
    assert "secret" not in digest


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("haiku", ("haiku",)),
        ("claude-haiku-4-5-20251001", ("haiku",)),
        ("haiku", ("gone", "claude-haiku-4-5-20251001")),
        ("opus", None),
    ],
)
def test_a_key_may_use_its_models_by_any_of_their_names(name: str, allowed: tuple[str, ...] | None) -> None:
    catalog = ModelCatalog()
    assert resolve_model(name, caller(allowed_models=allowed), catalog) == catalog.resolve(name)


@pytest.mark.parametrize("allowed", [("haiku",), ("no-such-model",), ()])
def test_a_key_may_use_no_other_models(allowed: tuple[str, ...]) -> None:
    with pytest.raises(ModelNotAllowed, match=", ".join(allowed) or "none"):
        resolve_model("opus", caller(allowed_models=allowed), ModelCatalog())
    with pytest.raises(ModelNotSupported):
        resolve_model("no-such-model", caller(allowed_models=allowed), ModelCatalog())


@pytest.fixture
def projects(store: Store) -> Projects:
    projects = Projects(store)
    projects.create("p", "alice", "p", "Hers")
    projects.create("q", "boss", "q", "His")
    return projects


def test_a_key_works_in_its_own_projects(projects: Projects) -> None:
    assert find_project("p", ALICE, projects).id == "p"
    assert find_changeable_project("p", ALICE, projects).id == "p"
    with pytest.raises(ProjectNotFound):
        find_project("q", ALICE, projects)
    assert find_project("q", ADMIN, projects).owner == "boss"


def test_a_key_for_certain_projects_works_in_these_and_changes_none(projects: Projects) -> None:
    assert visible_owner(LIMITED) is None
    assert find_project("p", LIMITED, projects).owner == "alice"
    with pytest.raises(ProjectNotFound):
        find_project("q", LIMITED, projects)
    with pytest.raises(ProjectNotAllowed):
        find_changeable_project("p", LIMITED, projects)
    with pytest.raises(ProjectNotAllowed):
        require_unlimited(LIMITED)


@pytest.mark.parametrize(
    ("allowed", "is_wide"),
    [(None, True), (("opus",), False), (("opus[1m]",), True), (("opus", "opus[1m]"), True)],
)
def test_a_limited_key_gets_a_wide_context_only_if_it_may_use_it(
    allowed: tuple[str, ...] | None, is_wide: bool
) -> None:
    limited = caller(allowed_models=allowed)
    model = resolve_model("opus", limited, ModelCatalog(), wants_width=True)
    assert model.id.endswith("[1m]") is is_wide
