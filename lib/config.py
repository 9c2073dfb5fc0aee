"""The settings object: reads the environment once, validates all of it, names every bad value."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from lib.hosts import is_host

if TYPE_CHECKING:
    from lib.regions import Region

ROOT = Path(__file__).resolve().parent.parent
STARTER_MODEL = ROOT / "lib" / "classifier" / "starter"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MINIMUM_SECRET_BYTES = 32
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_RATE = re.compile(
    r"^\s*[1-9][0-9]{0,8}\s*(?:/|per)\s*(?:[1-9][0-9]{0,4}\s*)?(?:second|minute|hour|day)s?\s*$"
)

_BUCKET = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})((?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,8})/?")
# No user, password or query: logs would show them.
_ENDPOINT = re.compile(
    r"https?://(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
_REGION = re.compile(r"[A-Za-z0-9._-]*")
_VISIBLE = re.compile(r"[!-~]*")


class ConfigError(Exception):
    """The environment cannot be served; `lines` has one line per bad value."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where PHOTO_STORE says that photos are objects, and how it is reached.

    Empty texts leave it to the other AWS_* variables and to the role of the machine.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says (SPEC section 1), validated. Paths are absolute."""

    database_url: str | None
    secret_key: str
    secret_key_generated: bool
    log_level: str
    allowed_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    primary_region: str
    production: bool
    development: bool
    debug: bool
    port: int
    metrics_port: int | None
    auth_enabled: bool
    require_auth_for_api: bool
    require_auth_for_data_upload: bool
    rate_limit: str | None
    rate_limit_storage: str
    wrong_key_limit: str
    data_dir: Path
    output_dir: Path
    object_store: ObjectStore | None  # None: photos are files under data_dir
    model_dir: Path
    model_idle_seconds: int
    region_species: Region | None
    site_timezone: str
    functions: tuple[str, ...]
    slow_request_ms: int
    slow_query_ms: int
    slow_client_seconds: int

    @property
    def mode(self) -> str:
        """`database` or `file` (SPEC section 1)."""
        return "database" if self.database_url else "file"

    def __repr__(self) -> str:
        # The secret and the database password must not reach a log through a traceback or a debug print.
        return f"Settings(mode={self.mode!r}, port={self.port}, production={self.production})"


class _Reader:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.lines: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(name, "").strip() or default

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:  # as for every variable; `AUTH_ENABLED=` must not open the door
            return default
        if value not in _TRUE | _FALSE:
            self.lines.append(f"{name}: must be true or false")
        return value in _TRUE

    def port(self, name: str, default: int | None) -> int | None:
        raw = self.text(name)
        if not raw:
            return default
        if not re.fullmatch("[0-9]{1,5}", raw) or not 0 < int(raw) < 65536:
            self.lines.append(f"{name}: must be a port number between 1 and 65535")
            return default
        return int(raw)

    def whole(self, name: str, default: int, unit: str, least: int = 0) -> int:
        raw = self.text(name)
        if not raw:
            return default
        if not re.fullmatch("[0-9]{1,7}", raw) or int(raw) < least:
            bound = f"{least} or more" if least else "0 for never"
            self.lines.append(f"{name}: must be a whole number of {unit}, {bound}")
            return default
        return int(raw)

    def database_url(self, url: str, name: str = "DATABASE_URL") -> str | None:
        if not url:
            return None
        if url.startswith("postgres://"):  # the spelling that several hosting platforms still hand out
            url = "postgresql" + url.removeprefix("postgres")
        if url.startswith("sqlite:///"):
            if not url.removeprefix("sqlite:///").strip("/"):
                self.lines.append(f"{name}: names no file; write sqlite:///./weed_diversity.db")
        elif not url.startswith("postgresql://"):
            self.lines.append(f"{name}: must start with sqlite:/// or postgresql://")
        elif "," not in url and _address(url) is None:  # libpq takes a list of hosts, urlsplit does not
            # Without the value: it holds a password.
            self.lines.append(f"{name}: must look like postgresql://user:password@host:5432/name")
        return url

    def secret_key(self, production: bool) -> tuple[str, bool]:
        key = self.environ.get("SECRET_KEY", "").strip()
        if not key:
            if production:
                self.lines.append("SECRET_KEY: required when PRODUCTION=true; 32 random bytes or more")
            return secrets.token_urlsafe(MINIMUM_SECRET_BYTES), True
        if len(key.encode("utf-8", "surrogateescape")) < MINIMUM_SECRET_BYTES:
            self.lines.append(f"SECRET_KEY: must be at least {MINIMUM_SECRET_BYTES} bytes")
        return key, False

    def origins(self) -> tuple[str, ...]:
        names = [
            part.strip().rstrip("/").lower()  # browsers send the origin in lower case
            for part in self.text("ALLOWED_ORIGINS", "http://localhost:8000").split(",")
        ]
        for name in filter(None, names):
            if name == "*":
                self.lines.append(
                    "ALLOWED_ORIGINS: * is refused, because requests carry credentials; list the origins"
                )
            elif not _is_origin(name):
                self.lines.append(f"ALLOWED_ORIGINS: {name!r} is not an origin such as https://field.example")
        return tuple(filter(None, names))

    def rate(self, name: str, default: str = "") -> str:
        text = self.text(name, default)
        if text and not all(_RATE.match(part) for part in re.split(r"[;,]", text)):
            self.lines.append(f"{name}: must look like 100/minute")
        return text

    def hosts(self) -> tuple[str, ...]:
        names = [part.strip().rstrip(".").lower() for part in self.text("ALLOWED_HOSTS").split(",")]
        for name in filter(None, names):
            if not is_host(name):
                self.lines.append(
                    f"ALLOWED_HOSTS: {name!r} is not a host name such as field.example, or .field.example for all "
                    "names below it"
                )
        return tuple(filter(None, names))

    def folder(self, name: str, default: str | Path) -> Path:
        path = Path(self.text(name, str(default)))
        try:
            return path.expanduser().absolute()
        except RuntimeError:
            self.lines.append(f"{name}: {str(path)!r} names a home folder that does not exist")
            return path

    def object_store(self, url: str, name: str, otherwise: str) -> ObjectStore | None:
        names = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        region, key_id, secret = map(self.text, names)
        # The one for this service counts more, as in Amazon's own tools.
        endpoints = {name: self.text(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")}
        if url in ("", "file"):
            return None
        found = _BUCKET.fullmatch(url)
        if found is None:
            # Without the value: somebody may have put a key into it.
            self.lines.append(f"{name}: must be {otherwise}, s3://bucket or s3://bucket/prefix")
            return None
        for variable, endpoint in endpoints.items():
            if endpoint and (_ENDPOINT.fullmatch(endpoint) is None or _address(endpoint) is None):
                self.lines.append(
                    f"{variable}: must look like https://host:port, or http://host:port in a private network"
                )
        if not _REGION.fullmatch(region):
            self.lines.append("AWS_REGION: must be the name of a region, such as ap-northeast-1 or auto")
        for variable, value in zip(names[1:], (key_id, secret), strict=True):
            if not _VISIBLE.fullmatch(value):
                self.lines.append(f"{variable}: must be visible ASCII characters")
        if bool(key_id) != bool(secret):
            given, missing = names[1:] if key_id else names[:0:-1]
            self.lines.append(f"{given}: needs {missing} beside it")
        endpoint = next(filter(None, endpoints.values()), "")
        return ObjectStore(found[1], found[2].strip("/"), endpoint.rstrip("/"), region, key_id, secret)

    def region(self, name: str) -> Region | None:
        named = self.text(name)
        if not named:
            return None
        from lib import regions  # brings the table of plants: not at the start of a server without a list

        lines = len(self.lines)
        place = named if named in regions.shipped() else self.folder(name, named)
        if len(self.lines) > lines:
            return None
        try:
            return regions.read_region(place)
        except regions.RegionUnreadable as error:
            self.lines.append(f"{name}: {error}")
            return None


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Validated settings from `environ` (default: the process environment, and `.env` outside production).

    Raises ConfigError naming every bad value, so that one restart is enough to mend them all.
    """
    if environ is None:
        environ = _process_environment()
    read = _Reader(environ)
    production = read.flag("PRODUCTION", False)
    debug = read.flag("DEBUG", False)
    if production and debug:
        read.lines.append("DEBUG: refused when PRODUCTION=true")
    auth_enabled = read.flag("AUTH_ENABLED", True)
    upload_auth = read.flag("REQUIRE_AUTH_FOR_DATA_UPLOAD", True)
    if production and not auth_enabled:
        read.lines.append("AUTH_ENABLED: false is refused when PRODUCTION=true")
    if production and not upload_auth:
        read.lines.append("REQUIRE_AUTH_FOR_DATA_UPLOAD: false is refused when PRODUCTION=true")
    database_url = read.database_url(read.text("DATABASE_URL"))
    api_auth = read.flag("REQUIRE_AUTH_FOR_API", False)
    if api_auth and not database_url:
        read.lines.append("REQUIRE_AUTH_FOR_API: needs DATABASE_URL, because file mode has no users")
    log_level = read.text("LOG_LEVEL", "INFO").upper()
    if log_level not in LOG_LEVELS:
        read.lines.append(f"LOG_LEVEL: must be one of {', '.join(LOG_LEVELS)}")
    rate_limit = read.rate("RATE_LIMIT") or None
    rate_storage = read.text("RATE_LIMIT_STORAGE", "memory://")
    storage = _address(rate_storage)
    if storage is None or storage.scheme not in ("memory", "redis", "rediss"):
        read.lines.append("RATE_LIMIT_STORAGE: must be memory:// or redis://host:port")
    site_timezone = read.text("SITE_TIMEZONE", "Asia/Tokyo")
    if not is_timezone(site_timezone):
        read.lines.append(f"SITE_TIMEZONE: {site_timezone!r} is not an IANA time zone such as Asia/Tokyo")
    secret_key, generated = read.secret_key(production)
    port = read.port("PORT", 8000) or 8000
    metrics_port = read.port("METRICS_PORT", None)
    if metrics_port == port:
        read.lines.append("METRICS_PORT: must differ from PORT")
    settings = Settings(
        database_url=database_url,
        secret_key=secret_key,
        secret_key_generated=generated,
        log_level=log_level,
        allowed_origins=read.origins(),
        allowed_hosts=read.hosts(),
        primary_region=read.text("PRIMARY_REGION", "nrt"),
        production=production,
        development=read.flag("DEVELOPMENT", False),
        debug=debug,
        port=port,
        metrics_port=metrics_port,
        auth_enabled=auth_enabled,
        require_auth_for_api=api_auth,
        require_auth_for_data_upload=upload_auth,
        rate_limit=rate_limit,
        rate_limit_storage=rate_storage,
        wrong_key_limit=read.rate("WRONG_KEY_LIMIT", "30/minute"),
        data_dir=read.folder("DATA_DIR", "./data"),
        output_dir=read.folder("OUTPUT_DIR", "./output"),
        object_store=read.object_store(
            read.text("PHOTO_STORE"), "PHOTO_STORE", "file (photos lie under DATA_DIR)"
        ),
        model_dir=read.folder("MODEL_DIR", STARTER_MODEL),
        model_idle_seconds=read.whole("MODEL_IDLE_SECONDS", 300, "seconds"),
        region_species=read.region("REGION_SPECIES"),
        site_timezone=site_timezone,
        functions=tuple(filter(None, (part.strip() for part in read.text("FUNCTIONS").split(",")))),
        slow_request_ms=read.whole("SLOW_REQUEST_MS", 1000, "milliseconds"),
        slow_query_ms=read.whole("SLOW_QUERY_MS", 200, "milliseconds"),
        slow_client_seconds=read.whole("SLOW_CLIENT_SECONDS", 20, "seconds", least=1),
    )
    if read.lines:
        raise ConfigError(read.lines)
    return settings


def place(text: str, name: str) -> Path | ObjectStore:
    """A folder, or what lies at an `s3://` URL, reached as the environment says; `name` is how it was given.

    Raises ConfigError naming what is wrong with the URL or with the variables that it needs.
    """
    read = _Reader(_process_environment())
    found: Path | ObjectStore | None
    if "://" in text or not text.strip():
        found = read.object_store(text.strip() or "nowhere", name, "a folder")
    else:
        read.environ = {name: text}
        found = read.folder(name, text)
    if found is None or read.lines:
        raise ConfigError(read.lines)
    return found


def database(text: str, name: str) -> str:
    """The URL of a database, as DATABASE_URL is understood; ConfigError when it is none."""
    read = _Reader({})
    url = read.database_url(text.strip(), name)
    if url is None or read.lines:
        raise ConfigError(read.lines or [f"{name}: must start with sqlite:/// or postgresql://"])
    return url


def _address(url: str) -> SplitResult | None:
    """The parts of a URL; None when its host or port cannot be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_origin(name: str) -> bool:
    """True for scheme, host and port, and nothing else."""
    parts = _address(name)
    return (
        parts is not None
        and parts.scheme in ("http", "https")
        and parts.hostname is not None
        and name == f"{parts.scheme}://{parts.netloc}"
        and "@" not in parts.netloc
    )


def is_timezone(name: str) -> bool:
    """True when `name` is an IANA zone this machine knows."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _process_environment() -> Mapping[str, str]:
    """The environment; outside production a `.env` in the working folder fills what is not set."""
    environ = dict(os.environ)
    if environ.get("PRODUCTION", "").strip().lower() in _TRUE or not Path(".env").is_file():
        return environ
    from dotenv import dotenv_values

    values = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return values | environ
