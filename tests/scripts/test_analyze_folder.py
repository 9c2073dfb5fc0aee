"""scripts/analyze_folder.py as a person runs it: from any folder, with its exit codes and its last lines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from lib.config import STARTER_MODEL

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "analyze_folder.py"
SETTINGS = (
    "DATA_DIR",
    "OUTPUT_DIR",
    "MODEL_DIR",
    "REGION_SPECIES",
    "SITE_TIMEZONE",
    "LOG_LEVEL",
    "PRODUCTION",
)


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    day = tmp_path / "photos" / "2025-08-24"
    day.mkdir(parents=True)
    for seed in (1, 2):
        (day / f"{seed}.jpg").write_bytes(picture(seed))
    return day.parent


def run(cwd: Path, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], cwd=cwd, env=environ, capture_output=True, text=True
    )


def test_it_writes_the_days_and_counts_them(data: Path, tmp_path: Path) -> None:
    done = run(tmp_path, data, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    words, counts = done.stdout.splitlines()
    assert "1 days, 2 photos (2 classified, 0 as before, 0 repeated), 0 refused" in words
    assert json.loads(counts) == {
        "days": 1, "photos": 2, "classified": 2, "cached": 0, "duplicates": 0, "written": 20, "removed": 0,
        "refused": 0, "misdated": 0,
    }  # fmt: skip
    assert (tmp_path / "out" / "json" / "daily_summary_2025-08-24.json").is_file()
    again = run(tmp_path, data, "--output", tmp_path / "out")
    assert json.loads(again.stdout.splitlines()[-1])["written"] == 0


def test_the_environment_says_where_when_the_command_does_not(data: Path, tmp_path: Path) -> None:
    done = run(tmp_path, DATA_DIR=str(data), OUTPUT_DIR=str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere" / "json" / "daily_summary_2025-08-24.json").is_file()


def test_a_list_of_species_comes_from_the_command_or_the_environment(data: Path, tmp_path: Path) -> None:
    crops = tmp_path / "crops.txt"
    crops.write_text("Zea mays\nTriticum aestivum  # winter wheat\n")

    def named(where: str) -> set[str]:
        kept = json.loads((tmp_path / where / ".cache/analyze_folder/2025-08-24.json").read_bytes())
        said = [facts["prediction"] for facts in kept["photos"].values()]
        assert all(each["masked"] == (each["region"] is not None) for each in said)
        return {each["species"] for one in said for each in one["predictions"]}

    assert run(tmp_path, data, "--output", tmp_path / "a", "--region", "crops.txt").returncode == 0
    assert named("a") == {"Zea mays", "Triticum aestivum"}
    assert run(tmp_path, data, "--output", tmp_path / "b", REGION_SPECIES=str(crops)).returncode == 0
    assert named("b") == named("a")
    free = run(tmp_path, data, "--output", tmp_path / "c", "--region", "none", REGION_SPECIES=str(crops))
    assert free.returncode == 0
    assert len(named("c")) > 2


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "cannot be read"), ("# nothing\n", "names no species"), ("weeds\n", "line 1")]
)
def test_a_list_that_cannot_be_used_makes_it_2(
    data: Path, tmp_path: Path, text: str | None, reason: str
) -> None:
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    done = run(tmp_path, data, "--output", tmp_path / "out", "--region", "list.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--region: ")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_refused_files_are_named_and_make_it_3(data: Path, tmp_path: Path) -> None:
    (data / "2025-08-24" / "notes.jpg").write_text("rain all day")
    (data / "plans").mkdir()
    done = run(tmp_path, data, "--output", tmp_path / "out")
    assert done.returncode == 3
    assert "refused 2025-08-24/notes.jpg: " in done.stderr
    assert "passed over plans" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["refused"] == 1


def test_photos_of_other_days_are_noted(data: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:08:20 12:00:00"
    for seed in range(7):
        noise = np.random.default_rng(seed + 50).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST)
        image.save(data / "2025-08-24" / f"other{seed}.jpg", exif=exif)
    done = run(tmp_path, data, "--output", tmp_path / "out")
    assert done.returncode == 0
    assert "other0.jpg was taken on 2025-08-20; it counts for the day of its folder" in done.stderr
    assert "so were 2 more" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("nowhere",), {}, "there is no folder nowhere"),
        (("--timezone", "Mars/Olympus"), {}, "--timezone"),
        (("--tea",), {}, "unrecognized"),
        ((), {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
    ],
)
def test_wrong_arguments_and_settings_are_2(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    done = run(tmp_path, *arguments, **settings)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_model_it_is_1(data: Path, tmp_path: Path) -> None:
    done = run(tmp_path, data, "--output", tmp_path / "out", "--model", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr.startswith("No model: ")


def test_an_output_that_cannot_be_written_is_1(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    done = run(tmp_path, data, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("Stopped: ")
    assert "Traceback" not in done.stderr


def test_it_tells_how_to_use_it(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for word in ("DATA_DIR", "--output", "--model", "--timezone", "Exit codes"):
        assert word in done.stdout


def test_it_can_be_interrupted_and_run_again(data: Path, tmp_path: Path) -> None:
    """The model's card is a pipe that nobody writes to: there the run waits, until it is interrupted."""
    model = tmp_path / "model"
    shutil.copytree(STARTER_MODEL, model)
    card = model / "model.json"
    card.unlink()
    os.mkfifo(card)
    process = subprocess.Popen(
        [sys.executable, SCRIPT, data, "--output", tmp_path / "out", "--model", model],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Should the script end before it comes to the pipe, opening the other end keeps this test from waiting.
    ended = Thread(target=lambda: (process.wait(), os.close(os.open(card, os.O_RDONLY | os.O_NONBLOCK))))
    ended.start()
    with card.open("wb"):  # opens when the script has come to it
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    ended.join()
    assert process.returncode == 130
    assert errors == "Stopped; what was done is kept. Run it again to go on.\n"
    assert run(tmp_path, data, "--output", tmp_path / "out").returncode == 0
