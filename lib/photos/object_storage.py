"""Photos as objects of an S3-compatible store, for any number of machines that keep nothing themselves."""

from __future__ import annotations

import io
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import BinaryIO, TypeVar

from lib.config import ObjectStore
from lib.photos.storage import LOG, PHOTOS, TEMPORARY, UNAVAILABLE, PhotoFiles, Place, checked, not_stored
from lib.problems import Problem, unavailable

T = TypeVar("T")
REFUSES = "the photo store of this server does not answer or refuses"
# Whoever reads the beginning of a photo gets no more; whoever reads on gets more at a time.
FIRST_BYTES = 64 * 1024
MOST_BYTES = 1024 * 1024
AT_ONCE = 1000  # names of one listing
_STATUS = re.compile(r"status code: ([0-9]{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_HTTP_KIND = re.compile(r"HttpError \{\s*kind: ([A-Za-z]+)")
# What stores call it when they have no room: MinIO, Ceph and others each have words of their own.
_FULL = re.compile(r"Quota|StorageFull|InsufficientStorage|NoSpace", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store is waited for, in seconds.

    `connect` to reach it, `silence` for the next bytes of its answer, `whole` for one request with its answer.
    A request that failed is sent again `retries` times at most, and not once `retrying` seconds are over.
    `pause`: after it gave no answer, nobody else waits for it for so long.
    """

    connect: float = 2
    silence: float = 10  # an answer to ten megabytes comes after all of them were sent
    whole: float = 20
    retries: int = 2
    retrying: float = 8
    pause: float = 5


PATIENCE = Patience()


class Objects(Place):
    """The objects below the prefix of a bucket, at the same paths as in a folder.

    Names are only ever put where there is none (`If-None-Match`). After a request that was not answered all
    others are refused at once for a few seconds, so that a store that hangs does not hold every thread of the
    server; then one asks, and the others follow when it is answered.
    """

    def __init__(self, place: ObjectStore, patience: Patience = PATIENCE) -> None:
        # 12 ms and 6 MB, which a server with a folder does without.
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError
        from obstore.store import S3Store

        for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
            # Empty means unset, as for every setting; obstore reads the environment too and would believe it.
            del os.environ[name]
        given = {
            "endpoint": place.endpoint,
            "aws_endpoint_url_s3": place.endpoint,
            "region": place.region,
            "access_key_id": place.access_key_id,
            "secret_access_key": place.secret_access_key,
        }
        self._obstore = obstore
        self._errors = (BaseError, FileNotFoundError)
        self._taken = AlreadyExistsError
        self._pause = _Pause(patience)
        self._store = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config={name: value for name, value in given.items() if value},  # type: ignore[arg-type]
            client_options={
                "allow_http": place.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=patience.connect),
                "read_timeout": timedelta(seconds=patience.silence),
                "timeout": timedelta(seconds=patience.whole),
            },
            retry_config={
                "max_retries": patience.retries,
                "retry_timeout": timedelta(seconds=patience.retrying),
                "backoff": {"max_backoff": timedelta(seconds=1)},
            },
        )

    def write(self, path: str, data: bytes) -> None:
        """In one request: an upload in parts that is cut short leaves pieces which no listing shows."""
        try:
            self._ask(
                "put",
                path,
                lambda: self._obstore.put(self._store, path, data, mode="create", use_multipart=False),
            )
        except FileNotFoundError:  # the store's word for a bucket that it does not know
            raise not_stored(REFUSES) from None

    def exists(self, path: str) -> bool:
        try:
            self._ask("exists", path, lambda: self._obstore.head(self._store, path))
        except FileNotFoundError:
            return False
        return True

    def remove(self, paths: list[str]) -> None:
        if paths:
            self._ask("delete", paths[0], lambda: self._obstore.delete(self._store, paths))

    def listed(self, folder: str) -> Iterator[tuple[str, float]]:
        return ((path, written) for path, written, _ in self.used(folder))

    def used(self, folder: str) -> Iterator[tuple[str, float, int]]:
        """Stores note no reading: the time is that of writing."""
        pages = iter(self._obstore.list(self._store, folder, chunk_size=AT_ONCE))
        while page := self._ask("list", folder, lambda: next(pages, None)):
            for each in page:
                yield each["path"], each["last_modified"].timestamp(), each["size"]

    def whole(self, path: str) -> bytes:
        return self._whole("read", path)

    def _whole(self, what: str, path: str) -> bytes:
        return self._ask(what, path, lambda: bytes(self._obstore.get(self._store, path).bytes()))

    def _ask(self, what: str, path: str, question: Callable[[], T]) -> T:
        """The store's answer; FileNotFoundError, FileExistsError, or the Problem that its refusal is."""
        self._pause.enter(what)
        try:
            answer = question()
        except self._errors as error:
            said = _Said.of(str(error))
            if said.no_answer:
                self._pause.begin()
            else:
                self._pause.end()
            if isinstance(error, FileNotFoundError) and said.code != "NoSuchBucket":
                raise FileNotFoundError(path) from None
            if isinstance(error, self._taken) and not said.full:
                raise FileExistsError(path) from None
            # Never the error's own text: stores repeat in it what the request was signed with.
            LOG.error(
                "the photo store refuses",
                extra={
                    "operation": what,
                    "store_status": said.status,
                    "store_code": said.code,
                    "reason": said.kind or type(error).__name__,
                },
            )
            raise _problem(what, said) from None
        self._pause.end()
        return answer


class ObjectPhotos(Objects, PhotoFiles):
    """The photos below the prefix of a bucket."""

    def open(self, path: str) -> BinaryIO:
        checked(path)

        def first() -> tuple[int, memoryview]:
            found = self._obstore.get(self._store, path, options={"range": (0, FIRST_BYTES)})
            return found.meta["size"], memoryview(found.bytes())

        size, beginning = self._ask("open", path, first)
        return io.BufferedReader(_Parts(lambda start, end: self._part(path, start, end), size, beginning))

    def read(self, path: str) -> bytes:
        return self._whole("read", checked(path))

    def writable(self) -> bool:
        probe = f"{PHOTOS}/{TEMPORARY}{secrets.token_hex(8)}"
        try:
            self.write(probe, b"ok")
            self.remove([probe])
        except (Problem, FileExistsError):
            return False
        return True

    def _kept(self, path: str, kept: str) -> bytes:
        """Asks for the thumbnail alone. That of a photo that was lost is answered until the sweep finds it."""
        return self._whole("thumbnail", kept)

    def _part(self, path: str, start: int, end: int) -> memoryview:
        return self._ask(
            "part",
            path,
            lambda: memoryview(self._obstore.get_range(self._store, path, start=start, end=end)),
        )


class _Parts(io.RawIOBase):
    """An object as a file that is fetched part by part, twice as much each time while it is read on."""

    def __init__(self, fetch: Callable[[int, int], memoryview], size: int, beginning: memoryview) -> None:
        self._fetch = fetch
        self._size = size
        self._held, self._held_from = beginning, 0
        self._next = FIRST_BYTES
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        held_to = self._held_from + len(self._held)
        if not self._held_from <= self._at < held_to:
            self._next = min(2 * self._next, MOST_BYTES) if self._at == held_to else FIRST_BYTES
            self._held = self._fetch(self._at, min(self._at + self._next, self._size))
            self._held_from = self._at
        part = self._held[self._at - self._held_from :][: len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


class _Pause:
    """Who may ask a store: everyone, or for a while after it gave no answer nobody, and then one."""

    def __init__(self, patience: Patience) -> None:
        self._lock = threading.Lock()
        self._patience = patience
        self._until: float | None = None

    def enter(self, what: str) -> None:
        """Passes whoever may ask now; the Problem of `what` for the others."""
        asking = self._patience.whole + self._patience.retrying
        with self._lock:
            if self._until is None:
                return
            now = monotonic()
            # A clock that jumped after the machine slept must not keep everyone out.
            if 0 < self._until - now <= max(asking, self._patience.pause):
                raise _problem(what, _Said())
            self._until = now + asking

    def begin(self) -> None:
        """The store gave no answer."""
        with self._lock:
            self._until = monotonic() + self._patience.pause

    def end(self) -> None:
        """The store answered, be it a refusal."""
        with self._lock:
            self._until = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What a store said in refusing: HTTP status, its own code, and how the connection failed, as far as known."""

    status: int | None = None
    code: str = ""
    kind: str = ""

    @classmethod
    def of(cls, text: str) -> _Said:
        status, code, kind = (found.search(text) for found in (_STATUS, _CODE, _HTTP_KIND))
        said = code[1] if code else ""
        if "BareRedirect" in text:  # all that the library tells of a bucket that lies in another region
            said = "PermanentRedirect"
        return cls(int(status[1]) if status else None, said, kind[1] if kind and not status else "")

    @property
    def no_answer(self) -> bool:
        return bool(self.kind)

    @property
    def full(self) -> bool:
        return self.status == 507 or _FULL.search(self.code) is not None


def _problem(what: str, said: _Said) -> Problem:
    if what == "put":
        return not_stored("the photo store of this server is full" if said.full else REFUSES, said.full)
    return unavailable(f"The photo cannot be fetched: {REFUSES}. Try again later.", kind=UNAVAILABLE)
