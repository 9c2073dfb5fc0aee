"""The workers of a Dask cluster, on this machine or behind a scheduler, as those who ask the model about photos."""

from __future__ import annotations

import logging
import multiprocessing.resource_tracker
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dask

from lib import memory
from lib.asking import Answer, Question
from lib.problems import Problem, unavailable
from lib.store.records import Prediction
from scripts.arguments import Refused
from scripts.jobs import SIGNALS
from scripts.scale import worker

CONFIG = {
    # They hold no data, so that neither spilling nor a pause would give anything back: a worker that paused because
    # its model is large would stay so for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    # What their web servers would tell is for whoever started the run alone.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # A busy machine is nothing to write about.
    "distributed.admin.tick.limit": "1h",
    "logging": {"distributed": "critical"},
}
# What goes wrong is told by this program, and a worker that is lost is counted: cron mails the standard error.
SILENT = logging.CRITICAL + 1
# Of this machine's memory; the rest is for this process, the database and whatever else runs.
FOR_WORKERS = 0.75
LEAST = 512 * 1024**2  # for one worker, where the number of workers is not given
WORKERS_SECONDS = 60  # until the first worker of a cluster is there
COUNT_SECONDS = 1.0  # for so long the number of workers is taken to be the same


class DaskAskers:
    """The workers that a client's scheduler knows, as lib.archive.Askers; `lost` of them ended uncalled for."""

    def __init__(self, client: Any, model: str) -> None:
        from distributed import KilledWorker, as_completed

        self.lost = 0
        self._client = client
        self._model = model
        self._killed = KilledWorker
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._numbers: dict[str, int] = {}
        # Another run on the same cluster may ask about photos of the same numbers.
        self._run = uuid.uuid4().hex
        self._counted = float("-inf")
        self._workers = 0
        client.subscribe_topic("all", self._noted)

    def workers(self) -> int:
        now = time.monotonic()
        if not 0 <= now - self._counted < COUNT_SECONDS:
            self._workers = sum(self._client.nthreads().values())
            self._counted = now
        return self._workers

    def ask(self, question: Question) -> None:
        key = f"answer-{question.photo_id}-{self._run}-{len(self._numbers)}"
        self._numbers[key] = question.photo_id
        self._done.add(self._client.submit(worker.answer, question, self._model, key=key, pure=False))

    def answers(self, patience: float) -> list[tuple[int, Answer | None]]:
        until = time.monotonic() + patience
        with self._done.thread_condition:
            while not self._done.has_ready() and (rest := until - time.monotonic()) > 0:
                # No longer at once: it may be notified between the two looks.
                self._done.thread_condition.wait(min(rest, 0.1))
        return [self._answer(future, said) for future, said in self._done.next_batch(block=False)]

    def close(self) -> None:
        """Hear no more of the workers, before they go."""
        self._client.unsubscribe_topic("all")

    def _answer(self, future: Any, said: Any) -> tuple[int, Answer | None]:
        number = self._numbers[future.key]
        if future.status == "error":
            _, error, _ = said
            if isinstance(error, self._killed):
                return number, None
            # Without its text, in which there may be anything.
            raise unavailable(
                f"A worker fails, and its log says more: {type(error).__name__}", kind="worker-fails"
            )
        if future.status != "finished":
            raise unavailable("The scheduler is gone; run it again to go on.", kind="scheduler-gone")
        if "refused" in said:
            raise Problem(409, detail=f"A worker cannot work: {said['refused']}", kind="worker-refuses")
        prediction, problem = said.pop("prediction"), said.pop("problem")
        return number, Answer(
            prediction=prediction and Prediction(**prediction), problem=problem and Problem(**problem), **said
        )

    def _noted(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            self.lost += not message.get("expected")


@contextmanager
def open_askers(scheduler: str | None, workers: int | None, model: str) -> Iterator[DaskAskers]:
    """Workers of the scheduler at an address, or else of this machine, until the end of the block.

    Raises Refused for an address that is none, and 503 when there are no workers.
    """
    import distributed  # first: its own settings would go with these if they came after them

    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] == distributed.__name__:
            logging.getLogger(name).setLevel(SILENT)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(CONFIG))
        client = _remote(stack, scheduler) if scheduler else _local(stack, workers)
        askers = DaskAskers(client, model)
        try:
            yield askers
        finally:
            askers.close()


def _remote(stack: ExitStack, address: str) -> Any:
    from distributed import Client

    try:
        client = stack.enter_context(Client(address, set_as_default=False))
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except (ValueError, TypeError):
        raise Refused(f"--scheduler: {address!r} is not an address such as tcp://10.0.0.5:8786") from None
    except OSError:  # TimeoutError among them
        raise unavailable(f"The scheduler at {address} does not answer, or has no workers.") from None
    return client


def _local(stack: ExitStack, workers: int | None) -> Any:
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster, Security

    limits = [room.limit for room in memory.rooms()]
    room = int(min(limits) * FOR_WORKERS) if limits else None
    count = workers or max(1, min(CPU_COUNT, room // LEAST if room else CPU_COUNT))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weeds-workers-"))
    # Whoever can talk to a scheduler can have it run anything, and every user of a machine can talk to loopback:
    # hence certificates that nobody else has.
    security = Security.temporary()
    with _deaf():
        try:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=room // count if room else "auto",
                    host="127.0.0.1",
                    protocol="tls://",
                    security=security,
                    # A server that says nothing, on any free port; there is no way to have none.
                    dashboard_address="127.0.0.1:0",
                    silence_logs=SILENT,
                    local_directory=folder,
                )
            )
            return stack.enter_context(Client(cluster, set_as_default=False))
        except (OSError, RuntimeError) as error:
            raise unavailable(f"The workers cannot be started: {type(error).__name__}.") from error


@contextmanager
def _deaf() -> Iterator[None]:
    """Threads and processes that begin within never get the signals that ask a run to stop.

    Ctrl-C and service managers send them to all processes of a run, and workers that ended would take what is in
    hand with them. They end with this process, however that ends.
    """
    # Else the first thread to need it would begin it, and hear the signals again from then on.
    multiprocessing.resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
