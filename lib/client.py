"""Whether the sender of a request is still there, asked of its socket without reading from it, or too slow."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

# The other side has closed the connection, or will send nothing more. Linux alone tells it while bytes wait unread.
_CLOSED = getattr(select, "POLLRDHUP", 0)


class SlowClient(TimeoutError):
    """A client that sends or takes so little that it would keep a thread for itself."""


def watch(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """A question to ask again and again: is whoever sent this WSGI request gone?

    A sender that closed its half of the connection counts as gone, as it does for most proxies: the two cannot be
    told apart. Where the server hands out no socket, and in doubt, nobody is gone.
    """
    connection = environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        return lambda: False
    return lambda: _gone(connection)


def _gone(connection: socket.socket) -> bool:
    try:
        if _CLOSED:
            poll = select.poll()
            poll.register(connection, _CLOSED)
            return any(events & (_CLOSED | select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
        # Of the class itself: the method of a TLS socket takes no flags, and the bytes below do for this.
        return socket.socket.recv(connection, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False  # nothing to read and nothing closed: it waits for its answer
    except ConnectionError:
        return True
    except (OSError, ValueError):
        return False
