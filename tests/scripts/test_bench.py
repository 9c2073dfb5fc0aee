"""The benchmark measures a real server: it starts and ends, is weighed, and its photos are what they claim."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from PIL import Image

from scripts import bench
from scripts.benchmarks import imports, make_photos, startup
from scripts.benchmarks.server import Peak, Server


def test_it_finds_no_heavy_module_after_health(capsys: pytest.CaptureFixture[str]):
    found = imports.measure()
    assert found["heavy_held"] == []
    assert not {"numpy", "PIL", "onnxruntime", "psycopg2"} & set(found["compiled_packages_mapped"])
    assert "none" in imports.describe(found)


def test_it_weighs_the_master_and_its_worker(tmp_path: Path):
    with Server(tmp_path) as server, Peak(server) as peak:
        assert len(server.processes()) == 2
        now = server.memory()
        assert 0 < now.pss <= now.rss
    assert peak.samples > 0
    assert peak.highest.rss > 0
    assert server.process is None


def test_it_prepares_a_user_whose_key_opens_the_server(tmp_path: Path):
    server = Server(tmp_path).prepare()
    assert len(server.key) == 43
    with server:
        photo = tmp_path / "not_a_photo.jpg"
        photo.write_bytes(b"text")
        # Refused for what it is, not for the key: a measurement must not go on with photos that were not taken.
        with pytest.raises(RuntimeError, match=r"upload answered 4(15|22)"):
            server.upload([photo])


def test_it_says_when_a_server_ends_at_once(tmp_path: Path):
    with pytest.raises(RuntimeError, match="the server ended"):
        Server(tmp_path, command=[sys.executable, "-c", "raise SystemExit(1)"]).start()


def test_it_starts_both_in_turn_as_often_as_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(startup, "compile_all", lambda: None)
    found = startup.measure(2)
    assert found["runs"] == 2
    # Every start got its own first 200, of the process that was started for it.
    assert 0 < found["bare_flask_range_ms"][0] <= found["bare_flask_ms"] <= found["bare_flask_range_ms"][1]
    assert found["ratio"] == pytest.approx(found["ours_ms"] / found["bare_flask_ms"], rel=0.01)


def test_it_makes_distinct_photos_of_twelve_megapixels(
    photos_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["make_photos", str(photos_dir), str(tmp_path), "2"])
    make_photos.main()
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == ["photo_000.jpg", "photo_001.jpg"]
    for path in paths:
        assert 1024 * 1024 < path.stat().st_size <= make_photos.LARGEST
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (4000, 3000))
            taken = image.getexif().get_ifd(make_photos.EXIF_FOLDER)[make_photos.DATE_TIME_ORIGINAL]
            assert taken.startswith("2025:08:24 ")
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 2


@pytest.mark.parametrize("words", [["speed"], ["startup", "--runs", "many"], []])
def test_it_refuses_what_it_does_not_measure(words: list[str]):
    with pytest.raises(SystemExit) as ended:
        bench.main(words)
    assert ended.value.code == 2
