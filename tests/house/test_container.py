"""The image, compose, Fly and gunicorn settings: read as the tools read them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECRET = "k" * 43


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions as (name, argument), continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def only(name: str) -> str:
    values = [argument for instruction, argument in last_stage() if instruction == name]
    assert len(values) == 1
    return values[0]


def test_it_copies_only_what_exists_and_what_the_build_may_see():
    shown = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name, argument in instructions():
        if name == "COPY" and not argument.startswith("--from="):
            for source in argument.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in shown, source


def test_it_hides_everything_from_the_build_that_it_does_not_name():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    assert not [rule for rule in rules if rule.startswith("!") and (".env" in rule or "data" in rule)]


def test_it_builds_in_stages_and_leaves_the_tools_behind():
    bases = [argument for name, argument in instructions() if name == "FROM"]
    assert len(bases) == 2
    assert all(base.startswith("python:3.13-slim") for base in bases)
    runs = " ".join(argument for name, argument in last_stage() if name == "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc|make)\b", runs)
    assert any("compileall" in argument for name, argument in instructions() if name == "RUN")


def test_it_runs_without_rights():
    user = only("USER")
    assert user.split(":")[0].isdigit()
    assert int(user.split(":")[0]) > 0
    names = [name for name, _ in last_stage()]
    assert names.index("USER") < names.index("CMD")


def test_it_starts_in_exec_form():
    command = json.loads(only("CMD"))
    assert command[0] == "python"
    assert (ROOT / command[1]).is_file()


def test_it_checks_its_health_with_python_alone():
    _, _, command = only("HEALTHCHECK").partition("CMD ")
    words = json.loads(command)
    assert words[:2] == ["python", "-c"]
    compile(words[2], "healthcheck", "exec")
    assert "/health" in words[2]


def test_it_puts_the_data_on_volumes_that_its_user_owns():
    settings = dict(re.findall(r"(\w+)=(\S+)", only("ENV")))
    volumes = json.loads(only("VOLUME"))
    made = " ".join(argument for name, argument in last_stage() if name == "RUN")
    for name in ("DATA_DIR", "OUTPUT_DIR"):
        assert any(settings[name].startswith(volume) for volume in volumes)
    assert settings["DATABASE_URL"].startswith("sqlite:////data/")
    for volume in volumes:
        assert re.search(rf"chown -R \S+ .*{volume}\b", made)


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_it_starts_the_web_after_the_database_and_its_migration(compose: dict):
    services = compose["services"]
    assert services["web"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert services["migrate"]["command"] == ["python", "scripts/migrate.py", "up"]
    assert services["database"]["image"] == "postgres:18"
    assert services["database"]["healthcheck"]["test"][0] == "CMD"


def test_it_names_every_volume_and_holds_no_secret(compose: dict):
    used = {
        mount.split(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", [])
    }
    assert used == set(compose["volumes"])
    environment = compose["services"]["web"]["environment"]
    assert environment["SECRET_KEY"].startswith("${SECRET_KEY:?")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]


def test_it_sets_only_settings_that_exist(compose: dict):
    known = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    image = set(dict(re.findall(r"(\w+)=(\S+)", only("ENV"))))
    image -= {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MALLOC_ARENA_MAX"}
    for name, names in (
        ("compose.yaml", set(compose["services"]["web"]["environment"])),
        ("fly.toml", set(fly["env"]) - {"FORWARDED_ALLOW_IPS"}),
        ("Dockerfile", image),
    ):
        assert names <= known, name


def test_it_runs_on_fly_as_designed():
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    assert fly["vm"] == [{"memory": "512mb", "cpu_kind": "shared", "cpus": 1}]
    assert (fly["kill_signal"], fly["kill_timeout"]) == ("SIGTERM", 30)
    service = fly["http_service"]
    assert service["auto_stop_machines"] == "suspend"
    assert service["auto_start_machines"] is True
    assert service["min_machines_running"] == 0
    assert str(service["internal_port"]) == fly["env"]["PORT"]
    assert "swap_size_mb" not in fly  # excludes suspending
    assert [(check["path"], check["interval"]) for check in service["checks"]] == [("/health", "30s")]
    assert set(service["concurrency"]) == {"type", "soft_limit", "hard_limit"}
    assert fly["deploy"]["release_command"] == "python scripts/migrate.py up"
    assert fly["metrics"]["port"] == int(fly["env"]["METRICS_PORT"])


def test_it_keeps_everything_on_the_one_volume_that_a_fly_machine_has():
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    (mount,) = fly["mounts"]
    assert fly["env"]["DATABASE_URL"].startswith(f"sqlite:///{mount['destination']}/")
    for name in ("DATA_DIR", "OUTPUT_DIR"):
        assert fly["env"][name].startswith(mount["destination"] + "/")


def gunicorn(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", *arguments],
        cwd=ROOT,
        env=os.environ | {"SECRET_KEY": SECRET} | environment,
        text=True,
        capture_output=True,
        check=False,
    )


def test_it_gives_gunicorn_settings_that_it_accepts():
    done = gunicorn("--print-config", PORT="18123", METRICS_PORT="18124", LOG_LEVEL="warning")
    assert done.returncode == 0, done.stderr
    shown = dict(re.findall(r"^(\w+)\s*=\s*(.*)$", done.stdout, re.MULTILINE))
    assert shown["bind"] == "['0.0.0.0:18123', '0.0.0.0:18124']"
    assert shown["wsgi_app"] == "functions:create_app()"
    assert (shown["workers"], shown["threads"], shown["graceful_timeout"]) == ("1", "8", "25")
    assert shown["worker_class"] == "<Worker()>"  # threads, of lib/serving.py
    assert shown["sendfile"] == "False"
    assert (shown["accesslog"], shown["preload_app"], shown["control_socket_disable"]) == (
        "None",
        "False",
        "True",
    )


def test_it_ends_gunicorn_within_flys_patience():
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    done = gunicorn("--print-config")
    graceful = re.search(r"^graceful_timeout\s*=\s*(\d+)$", done.stdout, re.MULTILINE)
    assert graceful
    assert int(graceful[1]) < fly["kill_timeout"]


def test_it_refuses_bad_settings_with_one_line_each():
    done = gunicorn(SECRET_KEY="short", PORT="99999", LOG_LEVEL="loud")
    assert done.returncode != 0
    lines = [line.strip() for line in done.stderr.splitlines()]
    for name in ("SECRET_KEY:", "PORT:", "LOG_LEVEL:"):
        assert sum(line.startswith(name) for line in lines) == 1
    assert "Traceback" not in done.stderr


def test_it_refuses_a_function_that_does_not_exist():
    done = gunicorn("--check-config", FUNCTIONS="calendar,callendar")
    assert done.returncode != 0
    assert "FUNCTIONS: unknown name 'callendar'" in done.stderr
    assert "Traceback" not in done.stderr
    assert gunicorn("--check-config", FUNCTIONS="calendar").returncode == 0
