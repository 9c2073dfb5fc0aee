"""GET /health: answers without touching anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lib import __version__
from tests.functions.conftest import Client

ROOT = Path(__file__).resolve().parent.parent.parent


def test_it_says_ok_and_the_version(visitor: Client) -> None:
    reply = visitor.get("/health")
    assert reply.status_code == 200
    assert reply.json() == {"status": "ok", "version": __version__}


def test_it_answers_head_without_a_body(visitor: Client) -> None:
    reply = visitor.request("HEAD", "/health")
    assert (reply.status_code, reply.content) == (200, b"")


def test_it_heeds_no_key_and_no_database(visitor: Client) -> None:
    assert visitor.get("/health", headers={"X-API-Key": "wrong", "Authorization": "Bearer other"}).ok


def test_it_refuses_another_method_and_says_which_it_takes(visitor: Client) -> None:
    reply = visitor.post("/health")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, HEAD"
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["status"] == 405


def test_a_process_that_answered_it_holds_no_heavy_module(tmp_path: Path) -> None:
    """Start-up stays lean: heavy modules load with the first request that needs them."""
    heavy = [
        "numpy", "PIL", "onnxruntime", "peewee", "playhouse", "msgspec", "limits", "prometheus_client",
        "pillow_heif", "psycopg2", "lib.store", "lib.photos", "lib.classifier", "lib.diversity", "lib.web",
    ]  # fmt: skip
    script = (
        "import json, sys, functions\n"
        "app = functions.create_app()\n"
        "assert app.test_client().get('/health').status_code == 200\n"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))\n"
    )
    environ = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "PYTHONPATH": str(ROOT)}
    environ["SECRET_KEY"] = "a secret that is only for tests, 32+"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, env=environ
    )
    assert json.loads(shown.stdout.splitlines()[-1]) == []
    assert not (tmp_path / "none.db").exists()
