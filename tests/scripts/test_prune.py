"""scripts/prune.py: what goes by itself, what only when asked; a dry run says the same and removes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lib import analysis
from lib.store import job_lock
from lib.store.models import ImageData
from lib.store.records import Prediction
from scripts import prune
from tests.functions.conftest import make_photo
from tests.scripts.job_runs import DAY, Site

Run = Callable[..., tuple[int, str, str]]
NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=400)


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Site:
    """A person with a confirmed photo, a near-duplicate of it, thumbnails, an export and an old answer; all old."""
    site = Site(database_url, tmp_path)
    same = {"fingerprint": "0f" * 32}
    best = site.add_photo(make_photo(1), quality_score=0.9, **same)
    spare = site.add_photo(make_photo(2), quality_score=0.4, **same)
    guess = [{"species": "Poa annua", "confidence": 0.9}]
    said = Prediction("starter", 0.1, OLD, guess, "Poa annua", 0.9, 0.9, 0.1)
    with site.store() as store:
        user = store.user("hanako")
        assert user is not None
        mine = store.for_user(user.id)
        for photo in (best, spare):
            mine.save_prediction(photo.id, said, "Poa annua", "species")
            site.files.thumbnail(photo.path, 160)
        mine.confirm_photo(best.id, NOW)
        analysis.recompute(mine, best.session_id, [DAY])
        store.db.run(ImageData.update(created_at=OLD))
        mine.idempotent("new", "digest", NOW)
        mine.idempotent("old", "digest", OLD)
    export = tmp_path / "output" / "json" / "daily_summary_2025-08-24.json"
    export.parent.mkdir(parents=True)
    export.write_text("{}")
    for path in (export, *(tmp_path / "data" / "thumbnails").rglob("*.jpg")):
        if path.is_file():
            os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    return site


@pytest.fixture
def run(run_main: Callable[..., Run], site: Site) -> Callable[..., tuple[int, dict[str, Any], str]]:
    main = run_main(prune.main)

    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        settings = {"DATA_DIR": str(site.folder / "data"), "OUTPUT_DIR": str(site.folder / "output")}
        code, out, err = main(*arguments, DATABASE_URL=site.url, **settings)
        return code, json.loads(out.splitlines()[-1]) if out else {}, err

    return call


def there(site: Site) -> dict[str, int]:
    def count(folder: str) -> int:
        return len([path for path in (site.folder / folder).rglob("*") if path.is_file()])

    with site.store() as store:
        rows = len(list(store.photo_paths()))
        answers = store.expired_requests(NOW + timedelta(days=30))
    return {
        "thumbnails": count("data/thumbnails"),
        "exports": count("output"),
        "photos": count("data/photos"),
        "rows": rows,
        "answers": answers,
    }


EVERYTHING = {"thumbnails": 2, "exports": 1, "photos": 2, "rows": 2, "answers": 2}
ALL = ("--exports-older-than", "365", "--duplicates-older-than", "365")


def test_by_itself_only_what_is_made_again_goes(run: Any, site: Site) -> None:
    code, summary, err = run()
    assert (code, err) == (0, "")
    assert summary["thumbnails"]["count"] == 2
    assert summary["answers"] == {"count": 1}
    assert summary.keys() == {"dry_run", "thumbnails", "answers", "complete"}
    assert there(site) == EVERYTHING | {"thumbnails": 0, "answers": 1}
    assert run()[1]["thumbnails"] == {"count": 0, "bytes": 0}


def test_a_dry_run_says_what_would_go_and_removes_nothing(run: Any, site: Site) -> None:
    code, dry, _ = run(*ALL, "--dry-run")
    assert (code, there(site)) == (0, EVERYTHING)
    _, done, _ = run(*ALL)
    assert dry == done | {"dry_run": True}
    assert done["photos"]["count"] == 1
    assert done["photos"]["bytes"] == len(make_photo(2))
    assert done["exports"] == {"count": 1, "bytes": 2}
    assert there(site) == {"thumbnails": 0, "exports": 0, "photos": 1, "rows": 1, "answers": 1}
    with site.store() as store:
        user = store.user("hanako")
        assert user is not None
        (kept,) = store.for_user(user.id).day_photos(None, DAY)
        assert kept.label_source == "human"
        assert store.stale_days() == []


def test_what_is_younger_stays(run: Any, site: Site) -> None:
    options = (
        "--thumbnails-older-than",
        "500",
        "--exports-older-than",
        "500",
        "--duplicates-older-than",
        "500",
    )
    assert run(*options)[0] == 0
    assert there(site) == EVERYTHING | {"answers": 1}
    assert run("--thumbnails-older-than", "99999999999")[0] == 0


def test_the_results_of_analyze_folder_are_no_exports(run: Any, site: Site) -> None:
    (site.folder / "output" / ".cache" / "analyze_folder").mkdir(parents=True)
    code, summary, err = run(*ALL)
    assert code == 3
    assert "analyze_folder" in err
    assert "exports" not in summary
    assert there(site)["exports"] == 1


def test_while_another_run_is_at_work_it_is_4(run: Any, site: Site) -> None:
    with job_lock.held(site.url, prune.JOB):
        assert run(*ALL)[0] == 4
    assert there(site) == EVERYTHING


def test_asked_to_stop_it_leaves_the_rest(run: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    from lib.photos.storage import PhotoFiles

    def and_a_signal_comes(*_: Any, **__: Any) -> tuple[int, int]:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0, 0

    monkeypatch.setattr(PhotoFiles, "forget_thumbnails", and_a_signal_comes)
    code, summary, _ = run(*ALL)
    assert (code, summary["complete"]) == (143, False)
    assert there(site) == EVERYTHING


def test_a_disk_that_refuses_makes_it_1(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lib.photos.storage import PhotoFiles

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", "/data/thumbnails")

    monkeypatch.setattr(PhotoFiles, "forget_thumbnails", refuse)
    code, summary, err = run()
    assert (code, summary["complete"]) == (1, False)
    assert err == "Stopped: Permission denied: /data/thumbnails\n"


def test_it_tells_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        prune.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for word in (
        "--dry-run",
        "--thumbnails-older-than",
        "--exports-older-than",
        "--duplicates-older-than",
        "Exit",
    ):
        assert word in text
