"""One model in memory: loaded once, again when its folder changes, and dropped when nobody asks it."""

from __future__ import annotations

import gc
import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from lib.classifier.model import Classifier
from lib.classifier.refusals import MODEL_RETRY, Busy, ModelUnavailable
from lib.classifier.resident import FolderState, Resident
from lib.classifier.waiting import WaitingLine
from lib.memory import Room
from tests.lib.classifier.conftest import TAXA, MakeFolder, write_folder
from tests.lib.classifier.lines import Clock, occupied

ENDS_WITHIN = 60  # seconds; a thread that was told to end needs none, but machines are slow
BLUE = Image.new("RGB", (64, 64), (0, 0, 255))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resident(clock: Clock) -> Iterator[Resident]:
    """A resident with a clock of its own, and memory that is short."""
    made = Resident(WaitingLine(clock=clock), clock, short=lambda: True)
    yield made
    made.unload()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were read with all their digests."""
    from lib.classifier import folder

    real, seen = folder.read, list[Path]()

    def counted(path: Path) -> folder.Card:
        seen.append(path)
        return real(path)

    monkeypatch.setattr("lib.classifier.folder.read", counted)
    return seen


def names(resident: Resident, folder: Path) -> str:
    return resident.get(folder).classify(BLUE).label


class TestLoading:
    def test_once_for_all_photos(
        self, resident: Resident, make_folder: MakeFolder, reads: list[Path]
    ) -> None:
        folder = make_folder()
        assert resident.loaded() is None
        first = resident.get(folder)
        assert resident.get(folder) is first is resident.loaded()
        assert (resident.loads, resident.failures, len(reads)) == (1, 0, 1)
        assert resident.load_seconds > 0

    def test_it_runs_on_as_many_threads_as_told(self, resident: Resident, make_folder: MakeFolder) -> None:
        resident.threads = 3
        options = resident.get(make_folder())._session.get_session_options()
        assert options.intra_op_num_threads == 3

    def test_a_changed_folder_is_loaded_again(self, resident: Resident, make_folder: MakeFolder) -> None:
        folder = make_folder(version="1")
        assert names(resident, folder) == "Caerulea sola"
        first = weakref.ref(resident.get(folder))
        other = [*TAXA[:3], ("Azurea nova", "Azurea", "Coloraceae")]
        shutil.rmtree(folder)
        write_folder(folder, taxa=other, version="2")
        assert names(resident, folder) == "Azurea nova"
        gc.collect()
        assert first() is None
        assert (resident.loads, resident.unloads) == (2, {"idle": 0, "replaced": 1})

    def test_memory_is_handed_back_before_the_next_model_needs_it(
        self, resident: Resident, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there: list[Classifier | None] = []
        monkeypatch.setattr("lib.memory.hand_back", lambda: there.append(resident.loaded()))
        resident.get(make_folder("a"))
        assert there == []
        resident.get(make_folder("b"))
        assert there == [None]

    def test_never_two_models_in_memory(
        self, resident: Resident, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, other = make_folder("a"), make_folder("b", version="2")
        first = weakref.ref(resident.get(folder))
        there = []

        class Watched(Classifier):
            def __init__(
                self, path: Path, line: WaitingLine | None = None, threads: int | None = None
            ) -> None:
                there.append(first())
                super().__init__(path, line, threads)

        monkeypatch.setattr("lib.classifier.model.Classifier", Watched)
        assert resident.get(other).version == "2"
        assert there == [None]

    def test_a_link_that_is_set_to_another_folder_is_followed(
        self, resident: Resident, make_folder: MakeFolder, tmp_path: Path
    ) -> None:
        make_folder("v1", version="1")
        make_folder("v2", version="2")
        link = tmp_path / "current"
        link.symlink_to("v1")
        assert resident.get(link).version == "1"
        new = tmp_path / "new"
        new.symlink_to("v2")
        new.replace(link)
        assert resident.get(link).version == "2"

    def test_loading_takes_a_turn(self, resident: Resident, make_folder: MakeFolder) -> None:
        folder = make_folder()
        resident.line.places = 0
        with occupied(resident.line), pytest.raises(Busy):
            resident.get(folder)
        assert resident.get(folder).name == "mean-colour"

    def test_a_model_in_memory_needs_no_turn_to_be_found(
        self, resident: Resident, make_folder: MakeFolder
    ) -> None:
        folder = make_folder()
        first = resident.get(folder)
        resident.line.places = 0
        with occupied(resident.line):
            assert resident.get(folder) is first


def missing(folder: Path) -> None:
    shutil.rmtree(folder)


def no_card(folder: Path) -> None:
    (folder / "model.json").unlink()


def card_is_a_folder(folder: Path) -> None:
    (folder / "model.json").unlink()
    (folder / "model.json").mkdir()


def card_is_no_json(folder: Path) -> None:
    (folder / "model.json").write_text('{"name": ')


def card_is_not_text(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"\xff\xfe\x00")


def other_weights(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.write(b"\x00\x01\x02\x03")


def no_weights(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def truncated(folder: Path) -> None:
    """Cut short before its digest was taken."""
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-20])
    redigest(folder)


def fewer_labels(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    redigest(folder)


def other_size(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().replace("[32, 32]", "[24, 24]"))


def redigest(folder: Path) -> None:
    from tests.lib.classifier.conftest import digest

    card = json.loads((folder / "model.json").read_text())
    card["sha256"] = {name: digest(folder / name) for name in card["sha256"]}
    (folder / "model.json").write_text(json.dumps(card))


BREAKS: dict[str, tuple[Callable[[Path], None], str, bool]] = {
    # how; what the reason says; whether it shows without loading
    "missing": (missing, "the model folder does not exist (MODEL_DIR).", True),
    "no card": (no_card, "the model folder has no readable model.json.", True),
    "card is a folder": (card_is_a_folder, "the model folder has no readable model.json.", True),
    "card is no JSON": (card_is_no_json, "model.json is not valid JSON.", True),
    "card is not text": (card_is_not_text, "model.json is not valid JSON.", True),
    "other weights": (other_weights, "model.onnx is not the file", True),
    "no weights": (no_weights, "model.onnx is missing from the model folder.", True),
    "truncated": (truncated, "model.onnx is not an ONNX graph.", True),
    "fewer labels": (fewer_labels, "model.onnx does not give 1 x 3 logits", False),
    "other size": (other_size, "model.onnx does not run on an image", False),
}


@pytest.fixture(params=BREAKS)
def broken(request: pytest.FixtureRequest, make_folder: MakeFolder) -> tuple[Path, str, bool]:
    """A folder that was sound and is not any more, the reason, and whether it shows without loading."""
    folder = make_folder()
    how, reason, shows = BREAKS[request.param]
    how(folder)
    return folder, reason, shows


class TestBroken:
    def test_it_says_why_and_names_no_path(
        self, resident: Resident, broken: tuple[Path, str, bool], tmp_path: Path
    ) -> None:
        folder, reason, shows = broken
        before = resident.trouble(folder)
        assert (before is not None) is shows
        with pytest.raises(ModelUnavailable) as refused:
            resident.get(folder)
        assert refused.value.reason.startswith(reason)
        assert str(tmp_path) not in refused.value.reason
        assert resident.loaded() is None
        assert resident.trouble(folder) == refused.value.reason
        if shows:
            assert before == refused.value.reason

    def test_it_is_not_tried_for_every_photo(
        self, resident: Resident, broken: tuple[Path, str, bool], clock: Clock, reads: list[Path]
    ) -> None:
        folder, _, _ = broken
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                resident.get(folder)
        assert (len(reads), resident.failures) == (1, 1)
        clock.now += MODEL_RETRY
        with pytest.raises(ModelUnavailable):
            resident.get(folder)
        assert len(reads) == 2

    def test_a_clock_that_jumped_back_is_no_reason_not_to_try(
        self, resident: Resident, make_folder: MakeFolder, clock: Clock, reads: list[Path]
    ) -> None:
        folder = make_folder(name="")
        for _ in range(2):
            with pytest.raises(ModelUnavailable):
                resident.get(folder)
            clock.now -= 500
        assert len(reads) == 2

    def test_it_is_tried_at_once_when_it_was_mended(
        self, resident: Resident, broken: tuple[Path, str, bool]
    ) -> None:
        folder, _, _ = broken
        with pytest.raises(ModelUnavailable):
            resident.get(folder)
        shutil.rmtree(folder, ignore_errors=True)
        write_folder(folder)
        assert names(resident, folder) == "Caerulea sola"
        assert resident.trouble(folder) is None

    def test_a_model_in_memory_does_not_outlive_its_folder(
        self, resident: Resident, make_folder: MakeFolder
    ) -> None:
        folder = make_folder()
        resident.get(folder)
        other_weights(folder)
        with pytest.raises(ModelUnavailable, match="sha256 differs"):
            resident.get(folder)
        assert resident.loaded() is None

    def test_a_folder_that_may_not_be_read_is_said_to_be_so(
        self, resident: Resident, make_folder: MakeFolder, tmp_path: Path
    ) -> None:
        folder = make_folder("closed/model")
        with somebody_else(tmp_path, folder.parent):
            assert resident.trouble(folder) == "the model folder cannot be read."
            with pytest.raises(ModelUnavailable, match="cannot be read"):
                resident.get(folder)
        assert names(resident, folder) == "Caerulea sola"

    def test_a_file_that_may_not_be_read_is_named(
        self, resident: Resident, make_folder: MakeFolder, tmp_path: Path
    ) -> None:
        folder = make_folder()
        refused = pytest.raises(ModelUnavailable, match=r"model\.onnx in the model folder cannot be read")
        with somebody_else(tmp_path, folder / "model.onnx"), refused:
            resident.get(folder)
        assert names(resident, folder) == "Caerulea sola"

    def test_what_nobody_foresaw_is_in_the_log_alone(
        self,
        resident: Resident,
        make_folder: MakeFolder,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError("bad luck at /etc/secret")

        monkeypatch.setattr("lib.classifier.model.Classifier", fails)
        with pytest.raises(ModelUnavailable) as refused:
            resident.get(make_folder())
        assert refused.value.reason == "the model cannot be loaded; the log of the server says why."
        assert "/etc/secret" in caplog.text


@contextmanager
def somebody_else(above: Path, closed: Path) -> Iterator[None]:
    """Nobody but root may read `closed`, and the tests are not root meanwhile."""
    mode = closed.stat().st_mode
    opened = [
        each for each in (above, *above.parents) if each.stat().st_uid == os.getuid() and each != Path("/")
    ]
    modes = {each: each.stat().st_mode for each in opened}
    for each in opened:
        each.chmod(modes[each] | 0o711)
    closed.chmod(0)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        closed.chmod(mode)
        for each, before in modes.items():
            each.chmod(before)


class TestMemory:
    def resident(self, left: int) -> Resident:
        rooms = [Room("meminfo", 2**40, 2**39), Room("cgroup2", 2**29, left)]
        return Resident(short=lambda: False, rooms=lambda: rooms)

    def test_a_model_that_cannot_fit_is_refused_before_it_kills_the_process(
        self, make_folder: MakeFolder, reads: list[Path]
    ) -> None:
        folder = make_folder()
        size = (folder / "model.onnx").stat().st_size
        with pytest.raises(ModelUnavailable, match="needs more than 1 MB of memory, and 0 MB are left"):
            self.resident(size - 1).get(folder)
        assert reads == []
        assert names(self.resident(size), folder) == "Caerulea sola"

    def test_it_is_tried_again_when_others_gave_memory_back(
        self, make_folder: MakeFolder, clock: Clock
    ) -> None:
        folder, rooms = make_folder(), [Room("meminfo", 2**30, 5)]
        resident = Resident(WaitingLine(clock=clock), clock, rooms=lambda: rooms)
        with pytest.raises(ModelUnavailable):
            resident.get(folder)
        rooms[0] = Room("meminfo", 2**30, 2**29)
        clock.now += MODEL_RETRY
        assert names(resident, folder) == "Caerulea sola"


class TestTrouble:
    def test_a_sound_folder_is_read_once_and_not_loaded(
        self, resident: Resident, make_folder: MakeFolder, reads: list[Path]
    ) -> None:
        folder = make_folder()
        assert [resident.trouble(folder) for _ in range(3)] == [None] * 3
        assert len(reads) == 1
        assert resident.loaded() is None

    def test_a_broken_folder_is_read_once(
        self, resident: Resident, make_folder: MakeFolder, reads: list[Path]
    ) -> None:
        folder = make_folder(name="")
        assert {resident.trouble(folder) for _ in range(3)} == {"model.json: name is missing or not usable."}
        assert len(reads) == 1

    def test_what_is_known_already_is_told_without_reading(
        self, resident: Resident, make_folder: MakeFolder, reads: list[Path]
    ) -> None:
        folder = make_folder(name="")
        assert resident.known_trouble(folder) is None
        assert reads == []
        assert resident.trouble(folder) == resident.known_trouble(folder) is not None
        assert len(reads) == 1
        write_folder(folder)
        assert resident.known_trouble(folder) is None

    def test_a_change_is_seen(self, resident: Resident, make_folder: MakeFolder) -> None:
        folder = make_folder()
        resident.get(folder)
        assert resident.trouble(folder) is None
        no_card(folder)
        assert resident.trouble(folder) == "the model folder has no readable model.json."


class TestState:
    def test_it_changes_with_whatever_may_change_the_model(self, make_folder: MakeFolder) -> None:
        folder = make_folder()
        states = [FolderState.of(folder)]
        assert FolderState.of(folder) == states[0]
        steps: list[Callable[[], object]] = [
            lambda: (folder / "model.onnx").write_bytes(b"other"),
            lambda: (folder / "model.onnx.data").write_bytes(b""),
            lambda: (folder / "labels.csv").unlink(),
            lambda: (folder / "labels.csv").symlink_to("nowhere"),
            lambda: os.utime(folder / "model.json", (1, 1)),
            lambda: (folder / "model.json").chmod(0o600),
            lambda: shutil.rmtree(folder),
            lambda: folder.write_text("a file"),
        ]
        for step in steps:
            step()
            states.append(FolderState.of(folder))
        assert len(set(states)) == len(steps) + 1

    def test_hidden_files_are_none_of_the_models(self, make_folder: MakeFolder) -> None:
        folder = make_folder()
        before = FolderState.of(folder)
        (folder / ".DS_Store").write_bytes(b"x")
        assert FolderState.of(folder) == before

    def test_a_link_to_itself_is_a_missing_folder(self, resident: Resident, tmp_path: Path) -> None:
        link = tmp_path / "loop"
        link.symlink_to("loop")
        assert resident.trouble(link) is not None
        with pytest.raises(ModelUnavailable):
            resident.get(link)


class TestIdle:
    def test_without_a_time_no_thread_watches(self, resident: Resident, make_folder: MakeFolder) -> None:
        resident.get(make_folder())
        assert watching() == []

    def test_a_thread_watches_only_while_a_model_is_loaded(
        self, resident: Resident, make_folder: MakeFolder
    ) -> None:
        resident.idle_seconds = 3600
        with pytest.raises(ModelUnavailable):
            resident.get(make_folder("bad", name=""))
        assert watching() == []
        resident.get(make_folder("a"))
        (first,) = watching()
        resident.get(make_folder("b"))
        first.join(ENDS_WITHIN)
        (second,) = watching()
        assert second is not first
        resident.unload()
        second.join(ENDS_WITHIN)
        assert watching() == []

    def test_the_model_goes_by_itself_and_comes_back(
        self, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The real thread over the real clock, which it asks after a hundredth of a second."""
        folder = make_folder()
        backs: list[int] = []
        monkeypatch.setattr("lib.memory.hand_back", lambda: backs.append(1))
        resident = Resident(short=lambda: True)
        resident.idle_seconds = 0.01
        model = weakref.ref(resident.get(folder))
        for thread in watching():
            thread.join()
        assert resident.loaded() is None
        gc.collect()
        assert model() is None
        assert resident.unloads == {"idle": 1, "replaced": 0}
        assert backs == [1]
        assert names(resident, folder) == "Caerulea sola"
        for thread in watching():
            thread.join()
        assert resident.loads == 2

    def test_a_model_that_was_asked_meanwhile_stays(
        self, resident: Resident, make_folder: MakeFolder, clock: Clock
    ) -> None:
        folder = make_folder()
        resident.idle_seconds = 300
        resident.get(folder)
        clock.now += 200
        names(resident, folder)
        clock.now += 200
        assert look(resident) == 100
        assert resident.loaded() is not None
        clock.now += 100
        assert look(resident) is None
        assert resident.loaded() is None

    def test_a_model_stays_while_there_is_memory(self, make_folder: MakeFolder, clock: Clock) -> None:
        resident = Resident(WaitingLine(clock=clock), clock, short=lambda: False)
        resident.idle_seconds = 300
        resident.get(make_folder())
        clock.now += 1000
        assert look(resident) == 300
        assert resident.loaded() is not None
        resident.unload()

    def test_a_model_with_a_photo_in_hand_stays(
        self, resident: Resident, make_folder: MakeFolder, clock: Clock
    ) -> None:
        resident.idle_seconds = 300
        resident.get(make_folder())
        clock.now += 1000
        with occupied(resident.line):
            assert look(resident) == 300
        assert resident.loaded() is not None

    def test_a_clock_that_jumped_does_no_harm(
        self, resident: Resident, make_folder: MakeFolder, clock: Clock
    ) -> None:
        folder = make_folder()
        resident.idle_seconds = 300
        resident.get(folder)
        clock.now -= 10_000
        assert look(resident) == 300
        clock.now += 300
        assert look(resident) is None  # the time before the jump is forgotten, the time since counts
        clock.now += 1e9
        assert names(resident, folder) == "Caerulea sola"

    def test_a_look_after_the_end_drops_nothing_new(
        self, resident: Resident, make_folder: MakeFolder, clock: Clock
    ) -> None:
        resident.idle_seconds = 300
        resident.get(make_folder("a"))
        old = resident._watch
        assert old is not None
        resident.get(make_folder("b"))
        clock.now += 1000
        assert old.look() is None
        assert resident.loaded() is not None


def watching() -> list[threading.Thread]:
    """The threads that watch a model since the test began."""
    return [each for each in threading.enumerate() if each.name == "model-idle" and each not in _before]


_before: list[threading.Thread] = []


@pytest.fixture(autouse=True)
def _watches_of_earlier_tests() -> None:
    _before[:] = threading.enumerate()


def look(resident: Resident) -> float | None:
    """What the thread does when it wakes, here and now."""
    assert resident._watch is not None
    return resident._watch.look()
