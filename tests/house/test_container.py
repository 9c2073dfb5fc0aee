"""The image, compose, Fly and gunicorn settings: read as the tools read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lib import config
from tests.house.compose import SCALED, SECRETS, Missing, composed, environment
from tests.object_store import Bucket, Door

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
    bases = [argument.partition(" AS ") for name, argument in instructions() if name == "FROM"]
    assert [(base, stage) for base, _, stage in bases] == [
        ("postgres:18-trixie", "postgres"),
        ("python:3.13-slim-trixie", "build"),
        ("python:3.13-slim-trixie", ""),
    ]
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


def test_its_postgresql_programs_are_as_new_as_the_server_of_compose():
    (image,) = [
        argument.partition(" AS ")[0]
        for name, argument in instructions()
        if argument.endswith(" AS postgres")
    ]
    assert composed(SECRETS)["services"]["database"]["image"] == image
    assert "/opt/postgresql/bin" in dict(re.findall(r"(\w+)=(\S+)", only("ENV")))["PATH"].split(":")
    last = last_stage()
    assert ("COPY", "--from=postgres /opt/postgresql /opt/postgresql") in last
    assert any("pg_dump --version" in argument for name, argument in last if name == "RUN")


@pytest.fixture
def programs(postgres_programs: Path, tmp_path: Path) -> Path:
    """What the image's first stage makes, run here over other programs: the folder that is on the image's path."""
    (script,) = [
        argument for name, argument in instructions() if name == "RUN" and "/usr/lib/postgresql" in argument
    ]
    place = tmp_path / "opt"
    place.mkdir()
    given = script.replace("/usr/lib/postgresql/$PG_MAJOR/bin", str(postgres_programs))
    assert given != script
    subprocess.run(["/bin/sh", "-c", given], cwd=place, check=True)
    return place / "bin"


def test_its_postgresql_programs_find_their_libraries_and_back_a_database_up(
    programs: Path, postgres_url: str, tmp_path: Path
):
    assert sorted(path.name for path in programs.iterdir()) == ["pg_dump", "pg_restore"]
    libraries = {path.name for path in (programs.parent / "lib").iterdir()}
    assert [name for name in libraries if name.startswith("libpq")]
    assert not [name for name in libraries if name.startswith(("libc.so", "libm.so", "ld-linux"))]
    done = subprocess.run(
        [sys.executable, "scripts/backup.py", str(tmp_path / "backups"), "--verify"],
        cwd=ROOT,
        env=os.environ
        | {
            "PATH": f"{programs}:/usr/bin:/bin",
            "DATABASE_URL": postgres_url,
            "DATA_DIR": str(tmp_path / "data"),
        },
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verified"] is True


def test_compose_starts_the_web_after_the_database_and_its_migration():
    services = composed(SECRETS)["services"]
    assert set(services) == {"database", "migrate", "web"}
    assert services["web"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }
    assert services["migrate"]["command"] == ["python", "scripts/migrate.py", "up"]
    assert services["database"]["image"].startswith("postgres:18")
    assert services["database"]["healthcheck"]["test"][0] == "CMD"


def test_compose_scales_to_two_machines_and_what_they_share():
    services = composed(SCALED, "scale")["services"]
    assert set(services) - set(composed(SCALED)["services"]) == {
        "web-2",
        "proxy",
        "limits",
        "store",
        "bucket",
    }
    first, second = services["web"], services["web-2"]
    assert environment(first, SCALED) == environment(second, SCALED)
    assert {name: first[name] for name in ("image", "depends_on", "mem_limit", "stop_grace_period")} == {
        name: second[name] for name in ("image", "depends_on", "mem_limit", "stop_grace_period")
    }
    # Nobody is let in before both are there and the bucket too.
    assert services["proxy"]["depends_on"] == {
        "bucket": {"condition": "service_completed_successfully"},
        "web": {"condition": "service_healthy"},
        "web-2": {"condition": "service_healthy"},
    }
    assert services["bucket"]["depends_on"] == {"store": {"condition": "service_healthy"}}
    # And nothing that starts without the profile waits for something that then does not start.
    plain = composed(SECRETS)["services"]
    assert {name for service in plain.values() for name in service.get("depends_on", {})} <= set(plain)


def test_compose_publishes_each_port_once_and_none_beside_the_proxy():
    plain = composed(SECRETS | {"PORT": "9000"})["services"]
    assert [service["ports"] for service in plain.values() if "ports" in service] == [["9000:8000"]]
    scaled = composed(SCALED, "scale")["services"]
    ports = {name: service["ports"] for name, service in scaled.items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:8000:8000"], "proxy": ["80:80", "443:443"]}


@pytest.mark.parametrize("name", ["SECRET_KEY", "POSTGRES_PASSWORD"])
def test_compose_does_not_start_without(name: str):
    with pytest.raises(Missing, match=rf"{name}: set {name} in \.env"):
        composed({key: value for key, value in SCALED.items() if key != name}, "scale")


def test_compose_needs_no_secret_of_the_scaled_set_without_it():
    # Compose fills in all of the file, also what does not start: one more required variable would stop everybody.
    assert composed(SECRETS)["services"]


def test_compose_names_every_volume_and_holds_no_secret():
    document = composed(SCALED, "scale")
    used = {
        mount.split(":")[0]
        for service in document["services"].values()
        for mount in service.get("volumes", [])
        if not mount.startswith("./")
    }
    assert used == set(document["volumes"])
    mounted = [mount.split(":")[0] for mount in document["services"]["proxy"]["volumes"] if mount[0] == "."]
    assert mounted
    assert all((ROOT / path).is_file() for path in mounted)
    secret = re.compile(r"SECRET|PASSWORD")
    for dotenv, fillings in (
        (SCALED, set(SCALED.values())),
        ({**SCALED, "STORE_PASSWORD": "x" * 40}, {"x" * 40}),
    ):
        for service in composed(dotenv, "scale")["services"].values():
            for name, value in service.get("environment", {}).items():
                assert not secret.search(name) or value in set(dotenv.values()) | {""}, name
        assert fillings <= set(dotenv.values())


def served(dotenv: dict[str, str], *profiles: str) -> config.Settings:
    """The settings of the first machine."""
    return config.load(environment(composed(dotenv, *profiles)["services"]["web"], dotenv))


def test_compose_gives_settings_that_the_server_takes():
    plain = served(SECRETS)
    assert (plain.object_store, plain.rate_limit_storage) == (None, "memory://")
    # What .env says counts, unless the set's own stands against it.
    own = {"PHOTO_STORE": "s3://mine", "AWS_ACCESS_KEY_ID": "AKIDMINE", "AWS_SECRET_ACCESS_KEY": "of-mine"}
    mine = served(SECRETS | own).object_store
    assert mine is not None
    assert (mine.bucket, mine.access_key_id, mine.secret_access_key) == ("mine", "AKIDMINE", "of-mine")
    # A .env that lists every setting, as copied from .env.example, does not keep the machines apart.
    everything = {
        name: value
        for name, _, value in (
            line.partition("=")
            for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")
        )
    }
    for dotenv in (SCALED, everything | SCALED):
        scaled = served(dotenv, "scale")
        assert scaled.object_store == config.ObjectStore(
            "weeds", "photos", "http://store:9000", "us-east-1", "weeds", SCALED["STORE_PASSWORD"]
        )
        assert scaled.rate_limit_storage == "redis://limits:6379"


def test_compose_makes_the_store_with_the_key_that_the_machines_use():
    for dotenv in (SCALED, SCALED | {"AWS_ACCESS_KEY_ID": "AKIDMINE", "AWS_SECRET_ACCESS_KEY": "of-mine"}):
        services = composed(dotenv, "scale")["services"]
        web, store, bucket = (services[name]["environment"] for name in ("web", "store", "bucket"))
        key = (web["AWS_ACCESS_KEY_ID"], web["AWS_SECRET_ACCESS_KEY"])
        assert (
            key
            == (store["RUSTFS_ACCESS_KEY"], store["RUSTFS_SECRET_KEY"])
            == (bucket["KEY"], bucket["SECRET"])
        )
        assert key[1] == dotenv["STORE_PASSWORD"]


def test_compose_bounds_memory_and_gives_time_to_finish():
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    services = composed(SCALED, "scale")["services"]
    assert {services[name]["mem_limit"] for name in ("web", "web-2")} == {"512m"}
    bounded = set(services) - {"database", "migrate"}
    assert all("mem_limit" in services[name] for name in bounded)
    for name in ("web", "web-2", "proxy"):
        assert services[name]["stop_grace_period"] == f"{fly['kill_timeout']}s"


def test_compose_pins_what_others_make():
    services = composed(SCALED, "scale")["services"]
    images = {name: service["image"] for name, service in services.items() if "build" not in service}
    for name, image in images.items():
        assert re.fullmatch(r"[a-z/]+:\d+(\.\d+\.\d+)?(-[a-z]+)?", image), name
    assert images["store"] == images["bucket"]
    # The proxy that the tests run is the one that compose runs.
    pins = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert f"\ncaddy-bin=={images['proxy'].split(':')[1].partition('-')[0]}\n" in pins


def make_bucket(endpoint: str) -> subprocess.CompletedProcess[str]:
    """What the service `bucket` runs, against another store."""
    service = composed(SCALED, "scale")["services"]["bucket"]
    (script,) = service["command"]
    return subprocess.run(
        [*service["entrypoint"], script.replace("http://store:9000", endpoint)],
        env=service["environment"] | {"PATH": os.environ["PATH"]},
        text=True,
        capture_output=True,
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_compose_makes_the_bucket_and_leaves_one_that_is_there(object_store_server: str, door: Door):
    for _ in range(2):
        done = make_bucket(object_store_server)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    bucket = Bucket(object_store_server, "weeds")
    bucket.add("photos/1/a.jpg", b"kept")
    assert make_bucket(object_store_server).returncode == 0
    assert bucket.read("photos/1/a.jpg") == b"kept"
    door.refuse((403, "SignatureDoesNotMatch"))
    done = make_bucket(door.endpoint)
    assert (done.returncode, done.stderr) == (1, "The store did not make the bucket: 403\n")
    assert door.asked[-1].headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=weeds/")


def test_it_sets_only_settings_that_exist():
    known = set(
        re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    known.add("FORWARDED_ALLOW_IPS")  # gunicorn's own
    fly = tomllib.loads((ROOT / "fly.toml").read_text(encoding="utf-8"))
    image = set(dict(re.findall(r"(\w+)=(\S+)", only("ENV"))))
    image -= {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MALLOC_ARENA_MAX"}
    scaled = composed(SCALED, "scale")["services"]["web"]
    for name, names in (
        ("compose.yaml", set(environment(scaled, {}))),
        ("fly.toml", set(fly["env"])),
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
