"""process_backlog --engine dask with real workers: the same rows as without, whatever dies on the way."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scripts import process_backlog
from scripts.benchmarks.rows import differences, rows
from tests.conftest import _postgres_database
from tests.functions.conftest import make_photo
from tests.object_store import Bucket
from tests.scripts.job_runs import DAY, ROOT, HeldPhoto, Site, descendants, ended, wait_until_free

SCRIPT = "process_backlog.py"
DASK = ("--engine", "dask")
PHOTOS = 26
Run = Callable[..., tuple[int, str, str]]


def fill(site: Site, photos_dir: Path) -> None:
    """Real photos of three days and two people; one of these has a list and a place, and a file that is none."""
    paths = sorted(photos_dir.glob("*/*.jpg"))
    for number, path in enumerate(paths[:: len(paths) // PHOTOS][:PHOTOS]):
        name = ("hanako", "taro")[number % 2]
        site.add_photo(path.read_bytes(), name, DAY + timedelta(days=number // 10))
    site.add_photo(b"this is no photo", "taro")
    with site.store() as store:
        taro = store.user("taro")
        assert taro is not None
        mine = store.for_user(taro.id)
        session = mine.default_session("Asia/Tokyo")
        mine.update_session(
            session.id, region_species=["Stellaria media", "Zea mays"], latitude=43.0, longitude=141.3
        )


def copy_of(site: Site, folder: Path) -> Site:
    """The same photos and rows once more."""
    shutil.copytree(site.folder / "data", folder / "data")
    shutil.copyfile(site.url.removeprefix("sqlite:///"), folder / "weeds.db")
    return Site(f"sqlite:///{folder}/weeds.db", folder)


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Site:
    return Site(sqlite_url, tmp_path)


@pytest.fixture
def few(site: Site) -> list[HeldPhoto]:
    """So many photos that one worker has not all of them in hand, and the third of them."""
    photos = [site.add_photo(make_photo(seed), day=DAY + timedelta(days=seed // 9)) for seed in range(1, 25)]
    return [HeldPhoto(site.files.root / photos[2].path)]


@pytest.fixture
def other_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    yield from _postgres_database(postgres_server, postgres_template)


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    return run_main(process_backlog.main)


def test_the_rows_are_those_of_the_plain_run(site: Site, photos_dir: Path, tmp_path: Path) -> None:
    fill(site, photos_dir)
    plain = copy_of(site, tmp_path / "plain")
    before = plain.run(SCRIPT)
    done = site.run(SCRIPT, *DASK, "--workers", "2", "--batch", "7")
    # What a worker logs of a photo that is none stands where the plain run has it.
    assert "cannot be classified" in done.err
    assert before.summary == {key: value for key, value in done.summary.items() if key != "workers_lost"} | {
        "days_recomputed": before.summary["days_recomputed"]
    }
    assert (done.code, done.summary["classified"], done.summary["failed"]) == (0, PHOTOS, 1)
    assert done.summary["workers_lost"] == 0
    assert differences(site.url, plain.url) == 0
    made = rows(site.url)
    assert (len(made["predictions"]), len(made["days"])) == (PHOTOS, 6)
    assert len({prediction["label"] for prediction in made["photos"]}) > 3
    assert {prediction["masked"] for prediction in made["predictions"]} == {0, 1}


def test_the_rows_are_those_of_the_plain_run_in_postgresql_with_photos_in_a_bucket(
    postgres_url: str,
    other_postgres_url: str,
    bucket: Bucket,
    photos_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, plain = Site(postgres_url, tmp_path / "dask"), Site(other_postgres_url, tmp_path / "plain")
    for each in (site, plain):
        each.folder.mkdir()
        fill(each, photos_dir)
    for path in site.files.root.glob("photos/*/*/*"):
        bucket.add(str(path.relative_to(site.files.root)), path.read_bytes())
    shutil.rmtree(site.files.root)
    assert plain.run(SCRIPT).code == 0
    for name, value in bucket.environ().items():
        monkeypatch.setenv(name, value)
    done = site.run(SCRIPT, *DASK, "--workers", "1")
    assert (done.code, done.summary["classified"], done.summary["failed"]) == (0, PHOTOS, 1)
    assert differences(site.url, plain.url) == 0
    for secret in (bucket.environ()["AWS_SECRET_ACCESS_KEY"], bucket.environ()["AWS_ACCESS_KEY_ID"]):
        assert secret not in done.out + done.err


def test_a_worker_that_is_killed_halfway_costs_no_row(site: Site, photos_dir: Path, tmp_path: Path) -> None:
    fill(site, photos_dir)
    plain = copy_of(site, tmp_path / "plain")
    assert plain.run(SCRIPT).code == 0
    with site.store() as store:
        halfway = store.unprocessed(100)[PHOTOS // 2][1]
    held = HeldPhoto(site.files.root / halfway.path)
    process = site.start(SCRIPT, *DASK, "--workers", "2")
    held.kill_reader(process)
    done = ended(process)
    assert (done.code, done.summary["workers_lost"]) == (0, 1)
    assert done.summary["classified"] == PHOTOS
    assert differences(site.url, plain.url) == 0


def test_a_photo_that_kills_every_worker_is_left_waiting_and_the_others_are_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [site.add_photo(make_photo(seed)) for seed in range(1, 7)]
    held = HeldPhoto(site.files.root / photos[2].path)
    # Else it would take eight of them.
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    process = site.start(SCRIPT, *DASK, "--workers", "1")
    for _ in range(2):
        held.kill_reader(process, put_back=False)
    done = ended(process)
    assert (done.code, done.summary["classified"], done.summary["waiting"]) == (3, 5, 1)
    assert done.summary["workers_lost"] == 2
    assert done.err == f"whoever asks the model about photo {photos[2].id} dies of it; it is left waiting\n"
    held.put_back()
    assert site.run(SCRIPT).summary["classified"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_it_ends_after_what_is_in_hand_although_its_workers_were_asked_too(
    site: Site, few: list[HeldPhoto], number: signal.Signals, code: int
) -> None:
    process = site.start(SCRIPT, *DASK, "--workers", "1", start_new_session=True)
    with few[0].read_by(process):
        os.killpg(process.pid, number)  # as a terminal and a service manager do
    done = ended(process)
    assert (done.code, done.err) == (code, "Stopped; what was done is kept. Run it again to go on.\n")
    assert done.summary["workers_lost"] == 0
    assert 16 <= done.summary["classified"] < 24
    assert done.summary["classified"] + done.summary["waiting"] == 24
    with site.store() as store:
        assert store.stale_days() == []
    again = site.run(SCRIPT)
    assert (again.code, again.summary["classified"]) == (0, done.summary["waiting"])


def test_a_run_that_is_killed_takes_its_workers_along_and_the_next_goes_on(
    site: Site, few: list[HeldPhoto]
) -> None:
    process = site.start(SCRIPT, *DASK, "--workers", "2")
    with few[0].read_by(process):
        second = site.run(SCRIPT, *DASK)
        assert second.code == 4
        workers = [os.pidfd_open(pid) for pid in descendants(process.pid)]
        assert len(workers) >= 2
        process.kill()
        process.wait()
        for worker in workers:
            select.select([worker], [], [])  # until it ended
            os.close(worker)
    wait_until_free(site.url, process_backlog.JOB)
    done = site.run(SCRIPT, *DASK, "--workers", "1")
    assert (done.code, done.summary["waiting"]) == (0, 0)
    assert all(photo["is_processed"] for photo in rows(site.url)["photos"])


def test_a_model_that_is_missing_lets_every_photo_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_photo(make_photo(1))
    monkeypatch.setenv("MODEL_DIR", str(site.folder / "none"))
    done = site.run(SCRIPT, *DASK, "--workers", "1")
    assert (done.code, done.summary["classified"], done.summary["waiting"]) == (3, 0, 1)


class Cluster:
    """A scheduler and a worker as the README has them, each a process of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self._folder = folder
        self._environ = os.environ | {"PYTHONPATH": str(ROOT)} | environ
        self._processes: list[subprocess.Popen[str]] = []
        scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        assert scheduler.stderr is not None
        for line in scheduler.stderr:
            if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
                self.address = found[1]
                break

    def start_worker(self) -> None:
        self._start("worker", self.address, "--nthreads", "1", "--no-dashboard")

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.communicate()

    def _start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dask", *words]
        process = subprocess.Popen(
            command, cwd=self._folder, env=self._environ, stderr=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        return process


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    made = Cluster(site.folder, DATA_DIR=str(site.folder / "data"))
    yield made
    made.stop()


def test_the_workers_of_a_scheduler_have_their_own_settings(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add_photo(make_photo(1))
    cluster.start_worker()
    other = site.folder / "model"
    shutil.copytree(ROOT / "lib" / "classifier" / "starter", other)
    (other / "model.json").write_text((other / "model.json").read_text() + " ")
    monkeypatch.setenv("MODEL_DIR", str(other))
    refused = site.run(SCRIPT, *DASK, "--scheduler", cluster.address)
    assert (refused.code, refused.summary["classified"]) == (1, 0)
    assert refused.err.startswith("A worker cannot work: it has another model or list of species than this")
    monkeypatch.setenv("MODEL_DIR", "")
    done = site.run(SCRIPT, *DASK, "--scheduler", cluster.address)
    assert (done.code, done.err, done.summary["classified"]) == (0, "", 1)


def test_a_worker_whose_settings_are_wrong_says_so(site: Site) -> None:
    photo = site.add_photo(make_photo(1))
    cluster = Cluster(site.folder, LOG_LEVEL="LOUD")
    cluster.start_worker()
    refused = site.run(SCRIPT, *DASK, "--scheduler", cluster.address)
    cluster.stop()
    assert (refused.code, refused.summary["classified"]) == (1, 0)
    assert refused.err.startswith("A worker cannot work: LOG_LEVEL: must be one of")
    with site.store() as store:
        assert [waits.id for _, waits in store.unprocessed(2)] == [photo.id]


def test_it_says_that_a_scheduler_has_no_workers_or_does_not_answer(
    run: Run, site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask
    import distributed  # noqa: F401  (its settings come with it)

    from scripts.benchmarks.server import free_port

    site.add_photo(make_photo(1))
    monkeypatch.setattr("scripts.scale.cluster.WORKERS_SECONDS", 1)
    for address in (cluster.address, f"tcp://127.0.0.1:{free_port()}"):
        with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
            code, _, err = run(*DASK, "--scheduler", address, DATABASE_URL=site.url)
        assert code == 1
        assert err == f"The scheduler at {address} does not answer, or has no workers.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workers", "2"), "go with --engine dask"),
        (("--batch", "2"), "go with --engine dask"),
        (("--scheduler", "tcp://127.0.0.1:1"), "go with --engine dask"),
        ((*DASK, "--workers", "0"), "1 or more"),
        ((*DASK, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "their own machines"),
        (("--engine", "spark"), "invalid choice"),
    ],
)
def test_it_refuses_what_does_not_go_together(
    arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        process_backlog.main(list(arguments))
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


def test_an_address_that_is_none_is_refused(run: Run, site: Site) -> None:
    code, _, err = run(*DASK, "--scheduler", "nowhere://x", DATABASE_URL=site.url)
    assert code == 2
    assert err.startswith("--scheduler: 'nowhere://x' is not an address")


def test_without_its_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process_backlog, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as refused:
        process_backlog.main([*DASK])
    assert refused.value.code == 2
    assert "pip install -r requirements-scale.txt" in capsys.readouterr().err


def test_the_plain_engine_imports_none_of_its_packages(site: Site) -> None:
    site.add_photo(make_photo(1))
    probe = (
        "import sys; from scripts import process_backlog; code = process_backlog.main([]);"
        "sys.exit(code or 10 * len({'dask', 'distributed'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=site.folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "DATABASE_URL": site.url, "DATA_DIR": str(site.folder / "data")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
