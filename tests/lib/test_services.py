"""What the functions of one process share: opened once, and looked for work at most once a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lib import classifier, services
from lib.auth import VISITOR, Identity
from lib.config import load
from lib.problems import Problem
from lib.services import LOOK_EVERY, Services
from lib.store.database import DatabaseStore
from lib.store.records import User

SECRET = "a secret that is only for tests, 32+"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Services]:
    def made(**environ: str) -> Services:
        here = {
            "SECRET_KEY": SECRET,
            "DATA_DIR": str(tmp_path / "data"),
            "OUTPUT_DIR": str(tmp_path / "output"),
        }
        return Services(load(here | environ))

    return made


@pytest.fixture
def with_database(make: Callable[..., Services], sqlite_url: str) -> Iterator[Services]:
    found = make(DATABASE_URL=sqlite_url)
    yield found
    found.database.close()


class TestOpening:
    @pytest.mark.parametrize("name", ["database", "files", "sample", "photos", "backlog", "browser", "rates"])
    def test_each_is_opened_once_even_by_many_at_once(
        self, make: Callable[..., Services], sqlite_url: str, name: str
    ) -> None:
        shared = make(DATABASE_URL=sqlite_url, RATE_LIMIT="5/day")
        together = threading.Barrier(6)
        found: list[Any] = []

        def ask() -> None:
            together.wait(10)
            found.append(getattr(shared, name))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(found) == 6
        assert len({id(each) for each in found}) == 1
        assert found[0] is not None

    def test_file_mode_has_no_database_and_says_what_to_set(self, make: Callable[..., Services]) -> None:
        shared = make()
        for name in ("database", "backlog"):
            with pytest.raises(Problem) as caught:
                getattr(shared, name)
            assert (caught.value.status, caught.value.kind) == (503, "file-mode")
            assert "DATABASE_URL" in caught.value.detail
        with shared.connection():
            pass

    def test_without_a_limit_nothing_is_counted(self, make: Callable[..., Services]) -> None:
        assert make().rates is None

    def test_the_browser_is_that_of_the_settings(self, make: Callable[..., Services]) -> None:
        assert not make().browser.secure
        assert make(PRODUCTION="true").browser.secure
        cookie = make().browser.write({"a": 1})
        assert make().browser.read(cookie) == {"a": 1}

    def test_a_request_has_one_connection(self, with_database: Services) -> None:
        with with_database.connection():
            with_database.database.ping()


class TestReadStore:
    def test_a_visitor_reads_the_sample(self, with_database: Services) -> None:
        assert with_database.read_store(VISITOR) is with_database.sample

    def test_a_user_reads_their_own_even_when_there_is_nothing(self, with_database: Services) -> None:
        store = with_database.read_store(Identity(User(7, "grower", "g@example.org", True)))
        assert not store.sample
        assert store.days() == []

    def test_file_mode_reads_its_files_when_there_are_any(
        self, make: Callable[..., Services], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = make()
        assert shared.read_store(VISITOR) is shared.sample
        monkeypatch.setattr(type(shared.files), "days", lambda self: ["a day"])
        assert shared.read_store(VISITOR) is shared.files

    def test_database_mode_never_shows_files(
        self, with_database: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(with_database.files), "days", lambda self: ["a day"])
        assert with_database.read_store(VISITOR) is with_database.sample


class TestModel:
    def test_the_backlog_goes_behind_people_and_an_idle_model_may_go(
        self, make: Callable[..., Services], sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(classifier.RESIDENT, "idle_seconds", None)
        shared = make(DATABASE_URL=sqlite_url, MODEL_IDLE_SECONDS="77")
        assert shared.backlog._recogniser._background is True
        assert shared.recogniser._background is False
        assert classifier.RESIDENT.idle_seconds == 77
        never = make(MODEL_IDLE_SECONDS="0")
        assert never.recogniser.model_dir == shared.recogniser.model_dir
        assert classifier.RESIDENT.idle_seconds is None
        shared.database.close()


class TestWaitingWork:
    @pytest.fixture
    def started(self, with_database: Services, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """A line for each time that the backlog was started."""
        lines: list[str] = []
        monkeypatch.setattr(with_database.backlog, "start", lambda: lines.append("started"))
        return lines

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """The time, to be set."""
        now = [1000.0]
        monkeypatch.setattr(services.time, "monotonic", lambda: now[0])
        return now

    def test_nothing_waits_nothing_starts(
        self, with_database: Services, started: list[str], clock: list[float]
    ) -> None:
        with_database.look_for_waiting_work()
        assert started == []

    @pytest.mark.parametrize("waiting", ["unprocessed", "stale_days"])
    def test_it_looks_once_a_minute(
        self, with_database: Services, started: list[str], clock: list[float],
        monkeypatch: pytest.MonkeyPatch, waiting: str,
    ) -> None:  # fmt: skip
        monkeypatch.setattr(DatabaseStore, waiting, lambda self, limit: ["something"])
        with_database.look_for_waiting_work()
        with_database.look_for_waiting_work()
        assert started == ["started"]
        clock[0] += LOOK_EVERY - 1
        with_database.look_for_waiting_work()
        assert started == ["started"]
        clock[0] += 1
        with_database.look_for_waiting_work()
        assert started == ["started"] * 2

    def test_it_looks_at_once_when_the_model_changed_that_photos_wait_for(
        self, make: Callable[..., Services], sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "model"
        shared = make(DATABASE_URL=sqlite_url, MODEL_DIR=str(folder))
        looks: list[int] = []
        waits = ["a photo"]
        monkeypatch.setattr(DatabaseStore, "unprocessed", lambda self, limit: looks.append(1) or waits)
        monkeypatch.setattr(shared.backlog, "start", lambda: None)
        shared.look_for_waiting_work()
        shared.look_for_waiting_work()
        assert len(looks) == 1
        folder.mkdir()
        shared.look_for_waiting_work()
        shared.look_for_waiting_work()
        assert len(looks) == 2
        waits.clear()
        (folder / "model.json").write_text("{}")
        shared.look_for_waiting_work()
        (folder / "model.json").unlink()
        shared.look_for_waiting_work()
        assert len(looks) == 3  # nothing waits any more: once a minute is enough
        shared.database.close()

    def test_it_looks_at_once_when_a_photo_was_left_waiting(
        self, with_database: Services, started: list[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_database.look_for_waiting_work()
        monkeypatch.setattr(DatabaseStore, "unprocessed", lambda self, limit: ["something"])
        roused: list[int] = []
        monkeypatch.setattr(with_database.backlog, "rouse", lambda: roused.append(1))
        with_database.work_waits()
        with_database.look_for_waiting_work()
        with_database.look_for_waiting_work()
        assert started == ["started"]
        assert roused == [1]  # though the last run may have been in vain

    def test_a_clock_that_jumped_back_does_not_stop_it(
        self, with_database: Services, started: list[str], clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(DatabaseStore, "unprocessed", lambda self, limit: ["something"])
        with_database.look_for_waiting_work()
        clock[0] -= 500
        with_database.look_for_waiting_work()
        assert started == ["started"] * 2
