"""A missing or broken model folder: photos are kept, it is said why, everything else works, and it heals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.functions.conftest import Client, Server, start_server
from tests.functions.models import metrics, unprocessed, until
from tests.lib.classifier.conftest import digest, write_folder, write_onnx

Photo = Callable[..., bytes]
DAY = "2025-06-01"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of the server, which each test breaks in its own way."""
    return tmp_path_factory.mktemp("trouble") / "model"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    """One server for all of them: it is never restarted."""
    place = tmp_path_factory.mktemp("trouble-server")
    write_folder(folder)
    running = start_server(place, f"sqlite:///{place}/weeds.db", MODEL_DIR=str(folder))
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace"), running.log.read_text(errors="replace")


@pytest.fixture
def user(server: Server, folder: Path) -> Iterator[Client]:
    """Somebody whose server has a sound model, before and after the test."""
    mend(folder)
    yield server.user()
    mend(folder)


def mend(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
    write_folder(folder)


def redigest(folder: Path) -> None:
    """The digests as the files are now, as a careless hand would make them."""
    card = json.loads((folder / "model.json").read_text())
    card["sha256"] = {name: digest(folder / name) for name in card["sha256"]}
    (folder / "model.json").write_text(json.dumps(card))


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def link_to_itself(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.name)


def without_card(folder: Path) -> None:
    (folder / "model.json").unlink()


def unreadable_card(folder: Path) -> None:
    """Not even root reads a folder as a file."""
    (folder / "model.json").unlink()
    (folder / "model.json").mkdir()


def half_a_card(folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(path.read_bytes()[:100])


def poor_card(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"temperature": 0}))


def unreadable_labels(folder: Path) -> None:
    """Nor does anybody read a link that leads to itself."""
    (folder / "labels.csv").unlink()
    (folder / "labels.csv").symlink_to("labels.csv")


def without_weights(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def other_weights(folder: Path) -> None:
    write_onnx(folder / "model.onnx", embedding=False)


def half_a_copy(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-30])


def truncated_before_its_digest(folder: Path) -> None:
    half_a_copy(folder)
    redigest(folder)


def no_graph_at_all(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"\x00" * 4096)
    redigest(folder)


def wrong_shape(folder: Path) -> None:
    write_onnx(folder / "model.onnx", size=48)
    redigest(folder)


def a_label_too_few(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    redigest(folder)


def labels_without_a_column(folder: Path) -> None:
    path = folder / "labels.csv"
    path.write_text(path.read_text().replace("genus", "kin"))
    redigest(folder)


# How it is broken, what is said of it, and whether that can be said before a photo was sent.
BREAKS: dict[str, tuple[Callable[[Path], None], str, bool]] = {
    "missing": (gone, "the model folder does not exist (MODEL_DIR).", True),
    "a file": (a_file, "the model folder does not exist (MODEL_DIR).", True),
    "a link to itself": (link_to_itself, "", True),
    "no card": (without_card, "the model folder has no readable model.json.", True),
    "an unreadable card": (unreadable_card, "the model folder has no readable model.json.", True),
    "half a card": (half_a_card, "model.json is not valid JSON.", True),
    "a poor card": (poor_card, "model.json: temperature is missing or not usable.", True),
    "unreadable labels": (unreadable_labels, "labels.csv in the model folder cannot be read.", True),
    "no weights": (without_weights, "model.onnx is missing from the model folder.", True),
    "other weights": (other_weights, "model.onnx is not the file that model.json was written for", True),
    "half a copy": (half_a_copy, "model.onnx is not the file that model.json was written for", True),
    "truncated": (truncated_before_its_digest, "model.onnx is not an ONNX graph.", True),
    "no graph": (no_graph_at_all, "model.onnx cannot be loaded", False),
    "wrong shape": (wrong_shape, "model.onnx does not run on an image of model.json's input_size.", False),
    "a label too few": (a_label_too_few, "model.onnx does not give 1 x 3 logits", False),
    "labels without a column": (labels_without_a_column, "labels.csv has no column genus.", False),
}


@pytest.mark.parametrize(
    ("case", "used"), [(case, False) for case in BREAKS] + [("missing", True), ("wrong shape", True)]
)
def test_photos_are_kept_and_it_is_said_why(
    case: str, used: bool, server: Server, user: Client, folder: Path, photo: Photo
) -> None:
    """Broken before its first photo, or while it is in memory."""
    how, reason, foreseeable = BREAKS[case]
    if used:
        assert user.upload(("before.jpg", photo(1)), date=DAY).json()["results"][0]["image"]["is_processed"]
    how(folder)
    if foreseeable:
        told = user.get("/api/status").json()["model"]
        assert told["available"] is False
        assert told["reason"].startswith(reason)

    failures = metrics(user)["load_failures_total"]
    reply = user.upload(("a.jpg", photo(2)), ("b.jpg", photo(3)), date=DAY)
    assert reply.status_code == 201
    assert reply.headers["Retry-After"] == "60"
    for result in reply.json()["results"]:
        problem = result["problem"]
        assert (result["status"], result["image"]["is_processed"]) == ("created", False)
        assert (problem["status"], problem["title"]) == (503, "Not classified yet")
        assert problem["type"].endswith("#not-yet-classified")
        assert (problem["cause"], problem["retry_after"]) == ("model-unavailable", 60)
        assert reason in problem["detail"]
        assert problem["detail"].startswith(
            "The photo is kept. It is classified when the model of this server"
        )
    # It is tried once, not for every photo, and not again when its verdict is known already.
    assert user.upload(("c.jpg", photo(4)), date=DAY).status_code == 201
    assert metrics(user)["load_failures_total"] == failures + (0 if foreseeable else 1)

    ready = user.get("/ready")
    assert ready.status_code == 200
    (warning,) = ready.json()["warnings"]
    assert warning.startswith(f"model: {reason}")
    status = user.get("/api/status").json()["model"]
    assert (status["available"], warning) == (
        False, f"model: {status['reason']} Photos are kept and classified when it is mended.",
    )  # fmt: skip
    for told in (reply.text, ready.text, json.dumps(status)):
        assert str(folder.parent) not in told
        assert "Errno" not in told

    # Everything else works: files, days, a person's own names, pages.
    image = reply.json()["results"][0]["image"]
    assert user.get(f"/api/images/{image['id']}/file").content == photo(2)
    assert user.get(f"/api/images/{image['id']}/file?width=160").ok
    assert user.patch(f"/api/images/{image['id']}", json={"label": "Stellaria media"}).ok
    assert user.get(f"/api/daily/{DAY}").ok
    assert user.get("/api/species-dashboard").json()["total_species"] >= 1
    for page in ("/", "/calendar", "/upload", "/docs", "/health"):
        assert user.get(page).status_code == 200, page

    # Mended, it is found without a restart, and what waits is done after the next request, whatever it is.
    mend(folder)
    assert user.get("/api/status").json()["model"]["available"] is True
    assert user.get("/ready").json()["warnings"] == []
    until(user, lambda: unprocessed(user) == [])
    renamed = user.get(f"/api/images/{image['id']}").json()
    assert (renamed["label"], renamed["label_source"]) == ("Stellaria media", "human")
    assert user.upload(("d.jpg", photo(5)), date=DAY).json()["results"][0]["image"]["is_processed"] is True


def test_a_model_that_is_replaced_names_the_next_photo(user: Client, folder: Path) -> None:
    from io import BytesIO

    def blue(shade: int) -> bytes:
        out = BytesIO()
        Image.new("RGB", (320, 240), (0, 0, shade)).save(out, "JPEG")
        return out.getvalue()

    first = user.upload(("a.jpg", blue(255)), date=DAY).json()
    assert (first["results"][0]["image"]["label"], first["model"]["version"]) == ("Caerulea sola", "1")
    # As a person replaces it: the new folder beside the old one, then two renames.
    other = write_folder(
        folder.with_name("new"),
        taxa=[(f"Nova {name}", "Nova", "Novaceae") for name in ("prima", "alia", "tertia", "azurea")],
        version="2",
    )
    folder.rename(folder.with_name("old"))
    other.rename(folder)
    second = user.upload(("b.jpg", blue(250)), date=DAY).json()
    assert (second["results"][0]["image"]["label"], second["model"]["version"]) == ("Nova azurea", "2")
    assert user.get("/api/status").json()["model"]["version"] == "2"
    # The first photo keeps its name: the model was asked about it once.
    images = user.get("/api/images").json()["images"]
    assert {image["label"] for image in images} == {"Caerulea sola", "Nova azurea"}
    shutil.rmtree(folder.with_name("old"))


def test_the_same_request_again_tells_what_became_of_the_photos(
    user: Client, folder: Path, photo: Photo
) -> None:
    """An answer that only promised is not the one that an Idempotency-Key brings back."""
    key = {"Idempotency-Key": "one-walk"}
    without_weights(folder)
    first = user.upload(("a.jpg", photo(1)), headers=key)
    assert (first.status_code, first.json()["results"][0]["image"]["is_processed"]) == (201, False)
    mend(folder)
    second = user.upload(("a.jpg", photo(1)), headers=key)
    assert second.status_code == 200
    result = second.json()["results"][0]
    assert (result["status"], result["image"]["is_processed"], result["problem"]) == ("duplicate", True, None)
    assert second.json()["results"][0]["image"]["id"] == first.json()["results"][0]["image"]["id"]
    third = user.upload(("a.jpg", photo(1)), headers=key)
    assert (third.json(), third.headers["Idempotent-Replayed"]) == (second.json(), "true")
