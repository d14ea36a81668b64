"""The simulation of users, the settings that it leads to, and `claude-gateway size`."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from gateway.command_line.group import main
from gateway.settings import DECLARED
from gateway.sizing.advice import TooSmall, recommend
from gateway.sizing.model import Figures, Habits, Machine, Plan
from gateway.sizing.report import SETTINGS
from gateway.sizing.simulation import simulate

FIGURES = Figures.load()
HABITS = Habits(users=10)
MACHINE = Machine(cores=2, memory=8_000_000_000)
AMPLE = Plan(max_concurrent_sessions=20, max_processes=100, warm_processes=4)


def test_same_input_leads_to_the_same_outcome() -> None:
    one, other = (simulate(FIGURES, HABITS, MACHINE, AMPLE, 300) for _ in range(2))
    assert one == other
    assert one.answers > 0


def test_quiet_gateway_adds_the_measured_time() -> None:
    outcome = simulate(FIGURES, Habits(users=1), MACHINE, AMPLE, 3600)
    assert outcome.hit_rate == 1
    assert max(outcome.hits) == pytest.approx(FIGURES.follow_up_seconds)
    assert sorted(outcome.new)[len(outcome.new) // 2] == pytest.approx(FIGURES.new_seconds)


def test_questions_arrive_as_often_as_the_habits_say() -> None:
    outcome = simulate(FIGURES, Habits(users=50), MACHINE, replace(AMPLE, max_processes=500), 1800)
    assert outcome.answers / 30 == pytest.approx(Habits(users=50).turns_per_minute, rel=0.1)


@pytest.mark.parametrize("plan", [replace(AMPLE, keep_seconds=5.0), replace(AMPLE, max_processes=6)])
def test_follow_ups_miss_a_process_that_was_not_kept(plan: Plan) -> None:
    outcome = simulate(FIGURES, HABITS, MACHINE, plan, 600)
    assert outcome.hit_rate < 0.5
    assert outcome.starts > simulate(FIGURES, HABITS, MACHINE, AMPLE, 600).starts


def test_requests_are_refused_when_the_queue_is_full() -> None:
    plan = Plan(max_concurrent_sessions=1, max_processes=3, warm_processes=1, max_queued_requests=1)
    assert simulate(FIGURES, Habits(users=40), MACHINE, plan, 300).refused > 0


def test_more_cores_shorten_the_waits_of_a_busy_machine() -> None:
    habits = Habits(users=60, think_seconds=5, turns=1, pause_seconds=20)
    few, many = (simulate(FIGURES, habits, Machine(cores, 1), AMPLE, 300) for cores in (1, 4))
    assert few.cpu_share(1) > 0.95
    assert sum(many.new) / len(many.new) < sum(few.new) / len(few.new) / 2


def test_recommended_settings_fit_the_memory_and_the_users() -> None:
    small = recommend(FIGURES, HABITS, Machine(2, 2_000_000_000))
    large = recommend(FIGURES, HABITS, Machine(2, 16_000_000_000))
    assert small.plan.max_processes * FIGURES.process_mb < 2000
    assert small.is_short_of_memory
    assert not large.is_short_of_memory
    assert large.outcome.hit_rate > small.outcome.hit_rate
    assert large.plan.max_concurrent_sessions >= large.outcome.peak_running


def test_users_are_spread_over_as_many_machines_as_they_need() -> None:
    advice = recommend(FIGURES, Habits(users=40), Machine(2, 2_500_000_000))
    assert advice.machines > 1
    assert advice.machines * advice.users >= 40
    assert advice.outcome.refused == 0


def test_machine_without_memory_is_refused() -> None:
    with pytest.raises(TooSmall, match=r"0.5 GB are too little: not even 3 processes fit\."):
        recommend(FIGURES, HABITS, Machine(2, 500_000_000))


def test_command_prints_a_settings_file() -> None:
    result = CliRunner().invoke(main, ["size", "--users", "10", "--memory", "8"])
    assert result.exit_code == 0, result.output
    settings = dict(line.split("=") for line in result.output.splitlines() if not line.startswith("#"))
    assert list(settings) == [name.upper() for name in SETTINGS]
    assert all(int(value) > 0 for value in settings.values())
    assert "# 1 machine with 8 GB and 2 cores, for 10 users" in result.output


def test_recommended_settings_exist() -> None:
    assert {*SETTINGS} <= {field.name for field in DECLARED}
