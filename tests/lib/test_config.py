"""Settings: every variable's default, meaning and refusal, one line for each bad value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import config
from lib.config import ConfigError, Settings, load

SECRET = "0123456789abcdef0123456789abcdef"


def refused(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ)
    return caught.value.lines


def test_it_has_the_defaults_of_the_specification() -> None:
    settings = load({})
    assert settings.database_url is None
    assert settings.mode == "file"
    assert settings.log_level == "INFO"
    assert settings.allowed_origins == ("http://localhost:8000",)
    assert settings.primary_region == "nrt"
    assert (settings.production, settings.development, settings.debug) == (False, False, False)
    assert (settings.port, settings.metrics_port) == (8000, None)
    assert settings.auth_enabled
    assert not settings.require_auth_for_api
    assert settings.require_auth_for_data_upload
    assert (settings.rate_limit, settings.rate_limit_storage) == (None, "memory://")
    assert settings.data_dir == Path("data").absolute()
    assert settings.output_dir == Path("output").absolute()
    assert settings.object_store is None
    assert (settings.model_dir, settings.model_idle_seconds) == (config.STARTER_MODEL, 300)
    assert settings.region_species is None
    assert settings.site_timezone == "Asia/Tokyo"
    assert settings.functions == ()


def test_it_makes_a_secret_of_its_own_each_time_and_says_so() -> None:
    first, second = load({}), load({})
    assert first.secret_key_generated
    assert len(first.secret_key.encode()) >= 32
    assert first.secret_key != second.secret_key


def test_it_keeps_the_secret_it_is_given() -> None:
    settings = load({"SECRET_KEY": SECRET})
    assert (settings.secret_key, settings.secret_key_generated) == (SECRET, False)


def test_a_secret_of_raw_bytes_is_measured_in_bytes() -> None:
    raw = bytes(range(128, 160)).decode("utf-8", "surrogateescape")  # as os.environ shows such bytes
    assert load({"SECRET_KEY": raw}).secret_key == raw
    assert refused({"SECRET_KEY": raw[:31]}) == ["SECRET_KEY: must be at least 32 bytes"]


@pytest.mark.parametrize("text", ["true", "TRUE", " yes ", "1", "on"])
def test_it_reads_what_means_true(text: str) -> None:
    assert load({"DEBUG": text}).debug


@pytest.mark.parametrize("text", ["false", "False", "no", "0", "off "])
def test_it_reads_what_means_false(text: str) -> None:
    assert not load({"AUTH_ENABLED": text}).auth_enabled


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_flag_is_an_unset_one_and_opens_no_door(text: str) -> None:
    settings = load({"AUTH_ENABLED": text, "REQUIRE_AUTH_FOR_DATA_UPLOAD": text, "DEBUG": text})
    assert settings.auth_enabled
    assert settings.require_auth_for_data_upload
    assert not settings.debug


FLAGS = (
    "PRODUCTION", "DEVELOPMENT", "DEBUG", "AUTH_ENABLED", "REQUIRE_AUTH_FOR_API", "REQUIRE_AUTH_FOR_DATA_UPLOAD",
)  # fmt: skip


@pytest.mark.parametrize("name", FLAGS)
def test_it_refuses_a_flag_that_is_neither(name: str) -> None:
    assert f"{name}: must be true or false" in refused({name: "maybe"})


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///./weed_diversity.db",
        "sqlite:////data/weed_diversity.db",
        "postgresql://user:pass@host:5432/db",
        "postgresql://postgres@/db?host=%2Ftmp",
        "postgresql://one:5432,two:5433/db",
    ],
)
def test_it_takes_a_database(url: str) -> None:
    settings = load({"DATABASE_URL": f" {url} "})
    assert (settings.database_url, settings.mode) == (url, "database")


def test_it_takes_the_older_spelling_of_postgresql() -> None:
    assert load({"DATABASE_URL": "postgres://h/d"}).database_url == "postgresql://h/d"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://h/d",
        "weeds.db",
        "sqlite:weeds.db",
        "sqlite://weeds.db",
        "sqlite:///",
        "postgresql:d",
        "postgresql://u:secret@[::1/d",
        "postgresql://u:secret@h:none/d",
    ],
)
def test_it_refuses_another_database_without_showing_its_password(url: str) -> None:
    (line,) = refused({"DATABASE_URL": url})
    assert line.startswith("DATABASE_URL: ")
    assert "secret" not in line


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80.0", "eighty", "９００", "9" * 5000])
@pytest.mark.parametrize("name", ["PORT", "METRICS_PORT"])
def test_it_refuses_what_is_no_port(name: str, text: str) -> None:
    assert refused({name: text}) == [f"{name}: must be a port number between 1 and 65535"]


def test_the_private_port_must_be_another_one() -> None:
    assert load({"PORT": "8001", "METRICS_PORT": "9091"}).metrics_port == 9091
    assert refused({"METRICS_PORT": "8000"}) == ["METRICS_PORT: must differ from PORT"]


def test_it_splits_origins_as_browsers_write_them() -> None:
    listed = "https://Field.Example/, http://localhost:5173 ,,"
    assert load({"ALLOWED_ORIGINS": listed}).allowed_origins == (
        "https://field.example",
        "http://localhost:5173",
    )


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "field.example",
        "null",
        "ftp://field.example",
        "https://",
        "https://field.example/app",
        "https://field.example?x",
        "https://field.example#x",
        "https://user@field.example",
        "https://field.example:port",
        "https://[::1",
    ],
)
def test_it_refuses_what_is_no_origin(origin: str) -> None:
    (line,) = refused({"ALLOWED_ORIGINS": f"https://field.example,{origin}"})
    assert line.startswith("ALLOWED_ORIGINS: ")


@pytest.mark.parametrize("text", ["100/minute", "5 per 2 hours", "1/second;1000/day", "10 / minute"])
def test_it_takes_a_rate_limit(text: str) -> None:
    assert load({"RATE_LIMIT": text}).rate_limit == text


@pytest.mark.parametrize(
    "text", ["100", "0/minute", "-1/minute", "100/fortnight", "1/minute;", "9" * 5000 + "/day"]
)
def test_it_refuses_another_rate_limit(text: str) -> None:
    assert refused({"RATE_LIMIT": text}) == ["RATE_LIMIT: must look like 100/minute"]


@given(st.from_regex(config._RATE, fullmatch=True))
def test_every_rate_limit_it_takes_can_be_counted(text: str) -> None:
    import limits

    assert all(
        item.amount > 0 for item in limits.parse_many(load({"RATE_LIMIT": text}).rate_limit or "1/day")
    )


def test_names_that_it_answers_to() -> None:
    assert load({}).allowed_hosts == ()
    given = " Field.example., .farm.example ,192.168.1.5"
    assert load({"ALLOWED_HOSTS": given}).allowed_hosts == ("field.example", ".farm.example", "192.168.1.5")


@pytest.mark.parametrize("text", ["https://field.example", "*", "field.example:8000", "a b"])
def test_it_refuses_what_is_no_host_name(text: str) -> None:
    (line,) = refused({"ALLOWED_HOSTS": text})
    assert line.startswith(f"ALLOWED_HOSTS: {text!r} is not a host name")


@pytest.mark.parametrize("name", ["RATE_LIMIT", "WRONG_KEY_LIMIT"])
@pytest.mark.parametrize("text", ["many", "10", "0/minute", "10/fortnight"])
def test_it_refuses_what_is_no_rate(name: str, text: str) -> None:
    assert refused({name: text}) == [f"{name}: must look like 100/minute"]


@pytest.mark.parametrize("text", ["memory://", "redis://cache:6379/0", "rediss://cache"])
def test_it_takes_a_place_for_the_counts(text: str) -> None:
    assert load({"RATE_LIMIT_STORAGE": text}).rate_limit_storage == text


@pytest.mark.parametrize("text", ["memcached://h", "redis", "redis://h:port", "redis://["])
def test_it_refuses_another_place_for_the_counts(text: str) -> None:
    assert refused({"RATE_LIMIT_STORAGE": text}) == [
        "RATE_LIMIT_STORAGE: must be memory:// or redis://host:port"
    ]


@pytest.mark.parametrize("text", ["", "file", " file "])
def test_photos_lie_in_files(text: str) -> None:
    # Variables that are there for other programs are none of its business then.
    others = {"AWS_ENDPOINT_URL": "nonsense", "AWS_ACCESS_KEY_ID": "alone"}
    assert load({"PHOTO_STORE": text} | others).object_store is None


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://weeds", "weeds", ""),
        ("s3://weeds/", "weeds", ""),
        ("s3://weeds.example.org/farm/2025_a/", "weeds.example.org", "farm/2025_a"),
    ],
)
def test_photos_lie_in_an_object_store(text: str, bucket: str, prefix: str) -> None:
    store = load({"PHOTO_STORE": text}).object_store
    assert store is not None
    assert (store.bucket, store.prefix) == (bucket, prefix)
    assert (store.endpoint, store.region, store.access_key_id, store.secret_access_key) == ("", "", "", "")


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:weeds",
        "s3://weeds//farm",
        "s3://weeds/../farm",
        "s3://weeds/.hidden",
        "s3://weeds/a b",
        "s3://key:hunter22@weeds",
        "s3://weeds?secret=hunter22",
        "gs://weeds",
        "https://weeds.s3.amazonaws.com",
        "file:///elsewhere",
        "http://[",
        "s3://w" + "/x" * 9,
    ],
)
def test_it_refuses_another_place_for_photos_without_showing_it(text: str) -> None:
    assert refused({"PHOTO_STORE": text}) == [
        "PHOTO_STORE: must be file (photos lie under DATA_DIR), s3://bucket or s3://bucket/prefix"
    ]


OBJECTS = {"PHOTO_STORE": "s3://weeds"}


def test_the_store_is_reached_as_amazon_s_own_tools_reach_it() -> None:
    known = {
        "AWS_ENDPOINT_URL": "https://elsewhere.example",
        "AWS_ENDPOINT_URL_S3": "https://fly.storage.tigris.dev/",
        "AWS_REGION": "auto",
        "AWS_ACCESS_KEY_ID": "tid_key",
        "AWS_SECRET_ACCESS_KEY": "tsec+/=",
    }
    store = load(OBJECTS | known).object_store
    assert store is not None
    assert (store.endpoint, store.region) == ("https://fly.storage.tigris.dev", "auto")
    assert (store.access_key_id, store.secret_access_key) == ("tid_key", "tsec+/=")
    assert "tsec" not in repr(store)
    assert "tid_key" not in repr(store)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize(
    "url", ["http://store:9000", "https://s3.example.org/storage/v1", "http://[::1]:9000"]
)
def test_it_takes_an_address_of_the_store(name: str, url: str) -> None:
    store = load(OBJECTS | {name: url}).object_store
    assert store is not None
    assert store.endpoint == url


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize(
    "url",
    [
        "store:9000",
        "ftp://store",
        "https://",
        "https://user:hunter22@store",
        "https://store?key=hunter22",
        "https://store#x",
        "https://sto re",
        "https://store:port",
        "https://store:99999",
        "https://[::1",
    ],
)
def test_it_refuses_another_address_of_the_store_without_showing_it(name: str, url: str) -> None:
    assert refused(OBJECTS | {name: url}) == [
        f"{name}: must look like https://host:port, or http://host:port in a private network"
    ]


def test_half_a_key_or_what_no_header_can_hold_is_refused() -> None:
    both = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hunter22"}
    for name, other in (tuple(both), tuple(both)[::-1]):
        assert refused(OBJECTS | {name: both[name]}) == [f"{name}: needs {other} beside it"]
        (line,) = refused(OBJECTS | both | {name: "hunter22\n鍵"})
        assert line == f"{name}: must be visible ASCII characters"
    assert refused(OBJECTS | {"AWS_REGION": "the moon"}) == [
        "AWS_REGION: must be the name of a region, such as ap-northeast-1 or auto"
    ]


def test_folders_are_absolute_and_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = load({"DATA_DIR": "~/photos", "OUTPUT_DIR": "out", "MODEL_DIR": "/models/one"})
    assert settings.data_dir == tmp_path / "photos"
    assert settings.output_dir == tmp_path / "out"
    assert settings.model_dir == Path("/models/one")


def test_it_refuses_the_home_of_nobody() -> None:
    (line,) = refused({"DATA_DIR": "~no-such-person/photos"})
    assert line.startswith("DATA_DIR: ")


def test_it_reads_a_list_of_species_that_comes_along() -> None:
    region = load({"REGION_SPECIES": " hokkaido "}).region_species
    assert region is not None
    assert region.name == "hokkaido"
    assert "Stellaria media" in region.species


def test_it_reads_a_list_of_species_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my field.txt").write_text("Stellaria media\nNobody knows\n")
    for named in ("my field.txt", f"{tmp_path}/my field.txt", "~/my field.txt"):
        region = load({"REGION_SPECIES": named}).region_species
        assert region is not None
        assert (region.name, region.species) == ("my field", {"Stellaria media", "Nobody knows"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("", "names no species"),
        ("# only a remark\n\n", "names no species"),
        ("Stellaria media\nweeds\n", "line 2"),
        ("name;count\nStellaria media;3\n", "column"),
        ("Stellaria media\n\x00\x01\n", "line 2"),
    ],
)
def test_it_refuses_a_list_that_cannot_be_used_in_one_line(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_text(text)
    (line,) = refused({"REGION_SPECIES": str(path)})
    assert line.startswith("REGION_SPECIES: ")
    assert reason in line
    assert "\n" not in line


def test_a_folder_or_the_home_of_nobody_is_no_list(tmp_path: Path) -> None:
    for named in (str(tmp_path), "~no-such-person/x.txt"):
        (line,) = refused({"REGION_SPECIES": named})
        assert line.startswith("REGION_SPECIES: ")


def test_without_a_list_the_table_of_plants_is_not_read() -> None:
    code = "import sys, lib.config; lib.config.load({}); print('lib.taxa' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=config.ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_it_takes_log_levels_in_any_case() -> None:
    assert load({"LOG_LEVEL": "debug"}).log_level == "DEBUG"
    assert refused({"LOG_LEVEL": "LOUD"}) == [
        "LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
    ]


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Asia", "x" * 5000])
def test_it_refuses_a_zone_that_does_not_exist(name: str) -> None:
    (line,) = refused({"SITE_TIMEZONE": name})
    assert line.startswith("SITE_TIMEZONE: ")


@given(st.text())
def test_asking_about_any_zone_never_fails(name: str) -> None:
    assert config.is_timezone(name) in (True, False)


def test_it_lists_functions() -> None:
    assert load({"FUNCTIONS": " health, upload ,"}).functions == ("health", "upload")


def test_production_demands_a_secret_and_refuses_open_doors() -> None:
    lines = refused(
        {
            "PRODUCTION": "true",
            "DEBUG": "true",
            "AUTH_ENABLED": "false",
            "REQUIRE_AUTH_FOR_DATA_UPLOAD": "false",
            "DATABASE_URL": "sqlite:///x.db",
        }
    )
    assert sorted(line.split(":")[0] for line in lines) == [
        "AUTH_ENABLED",
        "DEBUG",
        "REQUIRE_AUTH_FOR_DATA_UPLOAD",
        "SECRET_KEY",
    ]
    assert load({"PRODUCTION": "true", "SECRET_KEY": SECRET}).production


def test_reads_can_only_be_closed_where_there_are_users() -> None:
    assert refused({"REQUIRE_AUTH_FOR_API": "true"}) == [
        "REQUIRE_AUTH_FOR_API: needs DATABASE_URL, because file mode has no users"
    ]
    assert load({"REQUIRE_AUTH_FOR_API": "true", "DATABASE_URL": "sqlite:///x.db"}).require_auth_for_api


def test_it_names_every_bad_value_at_once() -> None:
    lines = refused({"PORT": "x", "LOG_LEVEL": "x", "SITE_TIMEZONE": "x", "DATABASE_URL": "x", "DEBUG": "x"})
    assert {line.split(":")[0] for line in lines} == {
        "PORT",
        "LOG_LEVEL",
        "SITE_TIMEZONE",
        "DATABASE_URL",
        "DEBUG",
    }
    assert str(ConfigError(lines)) == "\n".join(lines)


OTHERS = (
    "DATABASE_URL", "SECRET_KEY", "LOG_LEVEL", "ALLOWED_ORIGINS", "PORT", "METRICS_PORT", "RATE_LIMIT",
    "ALLOWED_HOSTS", "WRONG_KEY_LIMIT",
    "RATE_LIMIT_STORAGE", "DATA_DIR", "PHOTO_STORE", "SITE_TIMEZONE", "FUNCTIONS", "MODEL_IDLE_SECONDS",
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_characters="\x00")) | st.sampled_from(
    ["true", "false", "8000", "~", "[", "*", "s3://weeds", "http://["]
)


@given(st.dictionaries(st.sampled_from(FLAGS + OTHERS), TEXTS))
def test_whatever_the_environment_holds_it_is_read_or_refused_by_name(environ: dict[str, str]) -> None:
    try:
        assert isinstance(load(environ), Settings)
    except ConfigError as error:
        lines = error.lines
    else:
        return
    assert lines
    # A secret is the one thing whose absence is refused.
    assert all(line.split(":")[0] in {*environ, "SECRET_KEY"} for line in lines)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), (" 60 ", 60), ("9999999", 9999999), ("", 300)])
def test_how_long_an_idle_model_is_kept(text: str, seconds: int) -> None:
    assert load({"MODEL_IDLE_SECONDS": text}).model_idle_seconds == seconds


@pytest.mark.parametrize("text", ["-1", "1.5", "five", "1e3", "10000000", "٣"])
def test_it_refuses_what_is_no_number_of_seconds(text: str) -> None:
    assert refused({"MODEL_IDLE_SECONDS": text}) == [
        "MODEL_IDLE_SECONDS: must be a whole number of seconds, 0 for never"
    ]


def test_what_counts_as_slow() -> None:
    found = load({"SLOW_REQUEST_MS": "0", "SLOW_QUERY_MS": "50", "SLOW_CLIENT_SECONDS": "1"})
    assert (found.slow_request_ms, found.slow_query_ms, found.slow_client_seconds) == (0, 50, 1)
    assert refused({"SLOW_QUERY_MS": "fast", "SLOW_CLIENT_SECONDS": "0"}) == [
        "SLOW_QUERY_MS: must be a whole number of milliseconds, 0 for never",
        "SLOW_CLIENT_SECONDS: must be a whole number of seconds, 1 or more",
    ]


def test_a_shown_settings_object_holds_no_secret() -> None:
    settings = load({"SECRET_KEY": SECRET, "DATABASE_URL": "postgresql://u:hunter22@h/d"})
    assert SECRET not in repr(settings)
    assert "hunter22" not in repr(settings)


def test_a_dotenv_file_fills_what_the_environment_leaves_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"PRIMARY_REGION=ams\nLOG_LEVEL=ERROR\nSECRET_KEY={SECRET}\nNAMED\n")
    for name in ("PRIMARY_REGION", "SECRET_KEY", "PRODUCTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    settings = load()
    assert (settings.primary_region, settings.log_level, settings.secret_key) == ("ams", "WARNING", SECRET)


def test_production_reads_no_dotenv_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PRIMARY_REGION=ams\n")
    monkeypatch.setenv("PRODUCTION", "true")
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.delenv("PRIMARY_REGION", raising=False)
    assert load().primary_region == "nrt"


def test_a_place_is_a_folder_or_objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://there:9000/")
    monkeypatch.setenv("HOME", "/home/ito")
    assert config.place("backups", "TARGET") == tmp_path / "backups"
    assert config.place(" ~/backups", "TARGET") == Path("/home/ito/backups")
    found = config.place("s3://bucket/some/prefix/", "TARGET")
    assert isinstance(found, config.ObjectStore)
    assert (found.bucket, found.prefix, found.endpoint) == ("bucket", "some/prefix", "http://there:9000")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "TARGET: must be a folder, s3://bucket or s3://bucket/prefix"),
        ("https://bucket", "TARGET: must be a folder, s3://bucket or s3://bucket/prefix"),
        (
            "~nobody-of-this-name/x",
            "TARGET: '~nobody-of-this-name/x' names a home folder that does not exist",
        ),
        ("s3://bucket", "AWS_SECRET_ACCESS_KEY: needs AWS_ACCESS_KEY_ID beside it"),
    ],
)
def test_what_is_no_place_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(ConfigError) as caught:
        config.place(text, "TARGET")
    assert caught.value.lines == [line]


def test_a_database_is_understood_as_in_the_settings() -> None:
    assert config.database(" sqlite:///x.db ", "--to") == "sqlite:///x.db"
    assert config.database("postgres://a:b@h/x", "--to") == "postgresql://a:b@h/x"
    for text in ("", "x.db", "sqlite:///", "mysql://x", "postgresql://h:none/x"):
        with pytest.raises(ConfigError) as caught:
            config.database(text, "--to")
        assert caught.value.lines[0].startswith("--to: ")
