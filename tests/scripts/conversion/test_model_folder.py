"""A model folder is put in place whole, or nothing has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.conversion import Refused, folder


def contents(where: Path) -> dict[str, str]:
    return {str(path.relative_to(where)): path.read_text() for path in where.rglob("*") if path.is_file()}


def write(
    output: Path,
    text: str,
    *,
    replace: bool = False,
    fail: type[BaseException] | None = None,
    before_the_end: Callable[[], None] = lambda: None,
) -> None:
    with folder.staged(output, replace=replace) as made:
        (made / "a").write_text(text)
        before_the_end()
        if fail is not None:
            raise fail


def test_a_new_folder_appears_with_everything_in_it(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "model"
    with folder.staged(output, replace=False) as made:
        (made / "a").write_text("new")
        assert not output.exists()
    assert contents(tmp_path) == {"deep/model/a": "new"}


@pytest.mark.parametrize("error", [Refused, KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    output = tmp_path / "model"
    with pytest.raises(error):
        write(output, "half", fail=error)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    with folder.staged(output, replace=False) as made:  # an empty one may be there
        (made / "labels.csv").write_text("old")
    with pytest.raises(Refused, match="--replace"), folder.staged(output, replace=False):
        pytest.fail("must not begin")
    with pytest.raises(Refused):
        write(output, "half", replace=True, fail=Refused)
    assert contents(tmp_path) == {"model/labels.csv": "old"}
    with folder.staged(output, replace=True) as made:
        (made / "b").write_text("new")
        folder.describe(made, {}, ["b"], "card")
    with folder.staged(output, replace=True) as made:  # what model.json lists is of the model
        (made / "model.onnx").write_text("newest")
    assert contents(tmp_path) == {"model/model.onnx": "newest"}


@pytest.mark.parametrize("other", ["weeds.pth", "photos/a.jpg", "labels.csv/a.jpg"])
def test_other_things_are_never_replaced(tmp_path: Path, other: str) -> None:
    """The checkpoint itself, for instance, or all of a person's photos."""
    output = tmp_path / "model"
    (output / other).parent.mkdir(parents=True, exist_ok=True)
    (output / other).write_text("theirs")
    (output / "model.json").write_text("{}")
    with pytest.raises(Refused, match=f"other things than a model: {Path(other).parts[0]}"):
        write(output, "new", replace=True)
    assert contents(output) == {other: "theirs", "model.json": "{}"}


def test_what_came_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "model"

    def meanwhile() -> None:
        output.mkdir()
        (output / "theirs").write_text("theirs")

    with pytest.raises(Refused, match="not empty"):
        write(output, "new", before_the_end=meanwhile)
    assert contents(tmp_path) == {"model/theirs": "theirs"}


def test_a_file_or_a_link_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("file", "link"):
        with pytest.raises(Refused, match="something else than a folder"):
            folder.check(tmp_path / name, replace=True)


def test_the_card_lists_the_digest_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    folder.describe(tmp_path, {"name": "é"}, ["model.onnx"], "# card\n")
    read = json.loads((tmp_path / "model.json").read_text("utf-8"))
    assert read == {"name": "é", "sha256": {"model.onnx": hashlib.sha256(b"graph").hexdigest()}}
    assert (tmp_path / "MODEL_CARD.md").read_text() == "# card\n"


def test_a_disk_without_room_is_told_before_the_work(tmp_path: Path) -> None:
    folder.room(tmp_path / "not" / "yet", 1)
    with pytest.raises(Refused, match="GiB are needed"):
        folder.room(tmp_path / "not" / "yet", 2**60)
