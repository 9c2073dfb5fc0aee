"""GET /ready: names everything that is not in order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.functions.conftest import ROOT, Client, Server


def test_a_sound_machine_is_ready(visitor: Client) -> None:
    reply = visitor.get("/ready")
    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "status": "ready", "checks": ["functions", "disk", "database", "migrations", "model"], "warnings": [],
    }  # fmt: skip


def test_a_machine_in_file_mode_is_ready(file_server: Server) -> None:
    assert file_server.visitor().get("/ready").json()["checks"] == ["functions", "disk", "files"]


def test_a_broken_output_file_is_a_warning_that_names_it(make_server: Callable[..., Server]) -> None:
    server = make_server(database=False)
    folder = server.folder / "output" / "json"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daily_summary_2025-06-01.json").write_text("{")
    reply = server.visitor().get("/ready")
    assert reply.status_code == 200
    assert any("daily_summary_2025-06-01.json" in warning for warning in reply.json()["warnings"])


def test_a_missing_model_is_a_warning(make_server: Callable[..., Server], tmp_path: Path) -> None:
    reply = make_server(MODEL_DIR=str(tmp_path / "none")).visitor().get("/ready")
    assert (reply.status_code, reply.json()["status"]) == (200, "ready")
    assert reply.json()["warnings"] == [
        "model: the model folder does not exist (MODEL_DIR). Photos are kept and classified when it is mended."
    ]


def test_missing_migrations_are_named(make_server: Callable[..., Server]) -> None:
    server = make_server()
    migrate = [
        sys.executable,
        str(ROOT / "scripts" / "migrate.py"),
        "--database-url",
        str(server.database_url),
    ]
    subprocess.run([*migrate, "down", "zero"], check=True, cwd=ROOT, capture_output=True)
    reply = server.visitor().get("/ready")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]
    assert any(failure.startswith("migrations: ") for failure in reply.json()["failures"])
    assert server.visitor().get("/health").ok


def test_a_database_that_is_gone_is_named(make_server: Callable[..., Server]) -> None:
    server = make_server(database=False, DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:9/none")
    client = server.visitor()
    reply = client.get("/ready")
    assert reply.status_code == 503
    assert any(failure.startswith("database: ") for failure in reply.json()["failures"])
    assert "nothing" not in reply.text
    assert client.get("/health").ok
    # With a key, a read needs the database: it says so, and when to come back.
    read = client.get("/api/sessions", headers={"X-API-Key": "k" * 43})
    assert (read.status_code, read.headers["Content-Type"]) == (503, "application/problem+json")
    assert read.headers["Retry-After"]


def test_a_disk_that_cannot_be_written_is_named(make_server: Callable[..., Server], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    reply = make_server(DATA_DIR=str(blocked)).visitor().get("/ready")
    assert (reply.status_code, reply.json()["failures"]) == (503, ["disk: DATA_DIR is not writable"])
