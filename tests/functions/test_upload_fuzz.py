"""Whatever bytes are sent as a photo: no 5xx, no leaked file, no growth in memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pillow_heif
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from tests.functions.conftest import Server

# Threads, their arenas and the model come once; a leak of even one decoded photo a request would be far over.
MOST_GROWTH = 40 * 1024 * 1024  # bytes
EXAMPLES = 150


def real_images() -> list[bytes]:
    pillow_heif.register_heif_opener()
    picture = Image.effect_noise((40, 30), 90).resize((400, 300), Image.Resampling.BICUBIC).convert("RGB")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:06:01 10:00:00"
    found = []
    for kind, options in (
        ("JPEG", {"exif": exif}),
        ("JPEG", {"progressive": True, "quality": 70}),
        ("PNG", {}),
        ("WEBP", {"quality": 60}),
        ("HEIF", {}),
        ("MPO", {}),
    ):
        out = BytesIO()
        picture.save(out, kind, **options)
        found.append(out.getvalue())
    return found


REAL = real_images()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real photo with some of its bytes changed, cut, doubled or put elsewhere."""
    data = bytearray(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 6))):
        # The start holds the structure; the rest is mostly pixels.
        at = draw(st.one_of(st.integers(0, min(700, len(data) - 1)), st.integers(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "set", "cut", "drop", "double", "insert"])):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                data[at : at + 4] = draw(
                    st.sampled_from([b"\xff\xff\xff\xff", b"\x00" * 4, b"\x7f\xff\xff\xff"])
                )
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + draw(st.integers(1, 200))]
            case "double":
                data[at:at] = data[at : at + 300]
            case "insert":
                data[at:at] = draw(st.binary(max_size=40))
        if not data:
            data = bytearray(b"\x00")
    return bytes(data)


def worker_memory(server: Server) -> int:
    """Resident bytes of gunicorn's worker."""
    pid = server.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{worker}/statm").read_text().split()
    return int(fields[1]) * 4096


def files_of(server: Server, session: int | None) -> set[str]:
    folder = server.data_dir / "photos" / str(session)
    return {path.relative_to(server.data_dir).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_no_bytes_break_the_upload(server: Server, photo: Callable[..., bytes]) -> None:
    user = server.user()
    session = user.upload(("first.jpg", photo(0))).json()["session_id"]
    for data in REAL:  # the model and every decoder are in memory before the measuring begins
        assert user.upload(("real", data)).status_code == 201
    random_bytes = st.binary(min_size=0, max_size=3000)
    headed = st.builds(
        lambda head, rest: head + rest,
        st.sampled_from(
            [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\x27\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic"]
        ),
        random_bytes,
    )

    def check(files: list[bytes]) -> None:
        reply = user.upload(*[(f"{i}.jpg", data) for i, data in enumerate(files)], date="2025-06-01")
        assert reply.status_code < 500, reply.text
        body = reply.json()
        assert len(body["results"]) == len(files)
        for result in body["results"]:
            assert (result["status"] == "rejected") == (result["image"] is None)
            if result["status"] == "rejected":
                assert 400 <= result["problem"]["status"] < 500
                assert result["problem"]["errors"][0]["reason"]

    def send(number: int) -> None:
        quiet = settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        files = st.lists(st.one_of(mutated(), headed, random_bytes), min_size=1, max_size=3)
        seed(number)(quiet(given(files)(check)))()

    send(1)
    before = worker_memory(server)
    send(2)
    assert worker_memory(server) - before < MOST_GROWTH

    images, cursor = [], ""
    while cursor is not None:
        page = user.get("/api/images", params={"limit": 200, "cursor": cursor}).json()
        images += page["images"]
        cursor = page["next_cursor"]
    on_disk = files_of(server, session)
    assert len(on_disk) == len(images)
    for image in random.Random(0).sample(images, min(20, len(images))):
        assert user.get(f"/api/images/{image['id']}/file").ok
