"""Model folders for running servers: one that names a photo by its colour, and can hold its loading up."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from tests.functions.conftest import Client
from tests.lib.classifier.conftest import write_folder

ASKS = 5000  # requests, each of which takes its time; a machine that runs tests side by side is slow


class HeldModel:
    """A sound model folder that can be loaded only with the test's leave.

    One of its files is a pipe: to compare its digest the server reads it to the end, which comes when the test lets
    it come. The server holds the model's turn meanwhile. Its name is hidden, so that it is no change of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = write_folder(folder)
        self._pipe = folder / ".held"
        os.mkfifo(self._pipe)
        card = json.loads((folder / "model.json").read_text())
        card["sha256"][self._pipe.name] = hashlib.sha256().hexdigest()
        (folder / "model.json").write_text(json.dumps(card))
        self._end = -1

    def hold(self, client: Client) -> None:
        """Returns when the server is loading the model and can go no further."""

        def reading() -> bool:
            try:
                self._end = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nobody reads it yet
                    return False
                raise
            return True

        until(client, reading)

    def release(self) -> None:
        """Let the server go on, if it has not been let go on already."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1


def until(client: Client, done: Callable[[], bool]) -> None:
    """Ask the server something harmless until `done`; nothing else tells that its threads have come so far."""
    for _ in range(ASKS):
        if done():
            return
        assert client.get("/health").ok
    raise AssertionError("it does not come to that")


def metrics(client: Client) -> dict[str, float]:
    """What the server says of its model: without `weeds_model_` in front."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith("weeds_")]
    return {
        name.removeprefix("weeds_model_"): float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines)
    }


def waiting(client: Client) -> int:
    """How many photos of people wait for a turn."""
    return int(metrics(client)['waiting{who="person"}'])


def unprocessed(client: Client) -> list[str]:
    """The names of this person's photos that wait for the model."""
    images = client.get("/api/images").json()["images"]
    return [image["filename"] for image in images if not image["is_processed"]]
