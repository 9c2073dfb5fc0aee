"""scripts/recompute_metrics.py as cron runs it: over everybody, or a part, alone, and safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lib import analysis
from lib.recomputation import JOB
from lib.store import job_lock
from lib.store.models import DiversityMetrics
from scripts import recompute_metrics
from tests.functions.conftest import make_photo
from tests.scripts.job_runs import DAY, Site, ended

SCRIPT = "recompute_metrics.py"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Site:
    """Two people: one with a photo on each of two days, one with a photo on one; no day is computed yet."""
    site = Site(database_url, tmp_path)
    site.add_photo(make_photo(1), "hanako")
    site.add_photo(make_photo(2), "hanako", DAY + timedelta(1))
    site.add_photo(make_photo(3), "taro")
    return site


@pytest.fixture
def run(run_main: Callable[..., Run], site: Site) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs the script's main on the site; exit code, summary, stderr."""
    main = run_main(recompute_metrics.main)

    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        code, out, err = main(*arguments, DATABASE_URL=site.url)
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return call


def counted(**values: Any) -> dict[str, Any]:
    nothing = {"days": 0, "computed": 0, "unchanged": 0, "removed": 0, "failed": 0, "complete": True}
    return nothing | values


def test_it_computes_everybody_s_days_once(run: Any, site: Site) -> None:
    assert run() == (0, counted(days=3, computed=3), "")
    assert run() == (0, counted(days=3, unchanged=3), "")
    with site.store() as store:
        for name, days in (("hanako", 2), ("taro", 1)):
            user = store.user(name)
            assert user is not None
            assert len(store.for_user(user.id).days()) == days
        store.db.run(DiversityMetrics.update(computed_at=None))
        assert len(store.stale_days()) == 3
    assert run()[1]["computed"] == 3


def test_it_can_be_held_to_a_part(run: Any, site: Site) -> None:
    later = (DAY + timedelta(1)).isoformat()
    assert run("--user", "taro")[1] == counted(days=1, computed=1)
    assert run("--since", later)[1] == counted(days=1, computed=1)
    assert run("--until", DAY.isoformat())[1] == counted(days=2, computed=1, unchanged=1)
    with site.store() as store:
        user = store.user("hanako")
        assert user is not None
        (session,) = store.for_user(user.id).sessions()
    assert run("--session", str(session.id))[1]["days"] == 2
    assert run("--session", str(session.id), "--user", "hanako")[1]["days"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--user", "nobody"), "--user"),
        (("--session", "99"), "--session"),
        (("--since", "2025-08-24", "--until", "2025-08-23"), "--until"),
    ],
)
def test_what_is_not_there_is_2(run: Any, arguments: tuple[str, ...], says: str) -> None:
    code, summary, err = run(*arguments)
    assert (code, summary.get("days", 0)) == (2, 0)
    assert says in err


def test_a_session_of_somebody_else_is_not_there(run: Any, site: Site) -> None:
    with site.store() as store:
        user = store.user("hanako")
        assert user is not None
        (session,) = store.for_user(user.id).sessions()
    assert run("--user", "taro", "--session", str(session.id))[0] == 2


def test_a_day_that_fails_makes_it_3(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    analyse = analysis.analyse_day

    def failing(day: Any, *rest: Any) -> Any:
        if day == DAY:
            raise ZeroDivisionError
        return analyse(day, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(analysis, "analyse_day", failing)
        assert run()[:2] == (3, counted(days=3, computed=1, failed=2))
    assert run()[:2] == (0, counted(days=3, computed=2, unchanged=1))


def test_a_lost_database_leaves_the_counts_so_far(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    analyse = analysis.analyse_day

    def failing(day: Any, *rest: Any) -> Any:
        if day != DAY:
            raise job_lock.unavailable("The database does not answer.")
        return analyse(day, *rest)

    monkeypatch.setattr(analysis, "analyse_day", failing)
    code, summary, err = run()
    assert (code, summary) == (1, counted(days=1, computed=1, complete=False))
    assert err == "The database does not answer.\n"


def test_while_another_run_is_at_work_it_is_4(run: Any, site: Site) -> None:
    with job_lock.held(site.url, JOB):
        code, summary, err = run()
    assert (code, summary, err) == (4, {"complete": False}, "")


def test_a_run_that_lost_its_lock_ends(
    run_main: Callable[..., Run], postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(postgres_url, tmp_path)
    for days in range(2):
        site.add_photo(make_photo(days), day=DAY + timedelta(days))
    analyse = analysis.analyse_day

    def and_the_lock_goes(*arguments: Any) -> Any:
        with site.store() as store:
            lost = "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
            store.db.database.execute_sql(f"{lost} AND classid = {job_lock._SPACE}").fetchall()
        return analyse(*arguments)

    monkeypatch.setattr(analysis, "analyse_day", and_the_lock_goes)
    code, out, err = run_main(recompute_metrics.main)(DATABASE_URL=postgres_url)
    assert code == 1
    assert json.loads(out) == counted(days=1, computed=1, complete=False)
    assert err.splitlines()[-1].endswith("run it again to go on.")


def test_two_at_once_do_the_work_once(site: Site) -> None:
    runs = [ended(process) for process in [site.start(SCRIPT) for _ in range(3)]]
    assert {done.code for done in runs} <= {0, 4}
    assert sum(done.summary.get("computed", 0) for done in runs) == 3
    assert site.run(SCRIPT).summary == counted(days=3, unchanged=3)


def test_it_tells_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        recompute_metrics.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for word in ("--user", "--session", "--since", "--until", "Exit codes"):
        assert word in text
