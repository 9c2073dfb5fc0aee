"""How gunicorn serves the application; found by name, so that `gunicorn` alone starts the server."""

import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

ROOT = Path(__file__).resolve().parent
# gunicorn puts the project on the import path only after it has read this file.
sys.path.insert(0, str(ROOT))

from lib.config import ConfigError, load  # noqa: E402
from lib.observe import configure_logging  # noqa: E402
from lib.serving import Worker  # noqa: E402

try:
    settings = load()
    if settings.functions:
        # Whether FUNCTIONS names a function shows only against the table, which is loaded here for that alone.
        from functions import create_app

        create_app(settings)
except ConfigError as error:
    # Here, before a worker exists: a bad value ends in one line for each, not in a loop of dying workers.
    sys.exit("The server cannot start:\n" + "\n".join(f"  {line}" for line in error.lines))


class JsonLogger(Logger):
    """gunicorn's own messages as JSON lines, the master's included."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        configure_logging(settings.log_level)


wsgi_app = "functions:create_app()"
bind = [f"0.0.0.0:{port}" for port in (settings.port, settings.metrics_port) if port]

# One process: the model is the largest thing in memory, and a second worker would hold it twice. Threads keep
# reads quick while a photo is decoded; NumPy, Pillow and ONNX Runtime release the interpreter lock.
workers = 1
# gunicorn's gthread, made safe from slow clients.
worker_class = Worker
Worker.patience = settings.slow_client_seconds
threads = 8
# The operating system's way of sending a file knows nothing of that patience.
sendfile = False
# The application is loaded in the worker alone: database connections and locks must not cross a fork.
preload_app = False

# gunicorn takes SIGTERM as "finish what you have begun". Hosts kill after 30 s: be done before that.
graceful_timeout = 25
# A thread that answers slowly does not stop the heartbeat; only a process that hangs whole is killed.
timeout = 120
# Longer than the minute for which proxies keep an idle connection: the proxy hangs up first, and no request
# meets a closing door.
keepalive = 65
# The heartbeat file in memory: on a busy disk the worker would seem dead and be killed.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# Room for a query in Japanese, percent-encoded, and no more headers than browsers and proxies send.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
# X-Forwarded-Proto is believed from the addresses in FORWARDED_ALLOW_IPS, which gunicorn reads by itself.

# The dispatcher logs each request as one JSON line, with its function and request id.
accesslog = None
errorlog = "-"
loglevel = settings.log_level.lower()
logger_class = JsonLogger
# No remote control: its socket has one name for every server of a user, and its thread costs memory.
control_socket_disable = True
