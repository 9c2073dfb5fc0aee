"""The photos that a model is judged by: a tree of folders by species, or what people confirmed in a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.clusters import plants_in
from lib.photos.identify import MAX_BYTES
from lib.store.records import NOT_A_PLANT

if TYPE_CHECKING:
    from lib.photos.storage import PhotoFiles
    from lib.store.database import UserStore
    from lib.store.records import Photo

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})
NO_PLANTS = frozenset({"other", NOT_A_PLANT})  # folders of photos that show no plant
AT_ONCE = 200


class NoPhotos(ValueError):
    """There is nothing to judge by; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One photo whose `truth` is known at `level` (species, genus, family, unknown, not_a_plant).

    `group`: photos of different groups never show the same plant; None: it is the only photo of its plant. `place`
    is the latitude and longitude in degrees where it was taken, as far as that is known.
    """

    name: str
    truth: str
    level: str
    read: Callable[[], bytes]
    group: str | None = None
    place: tuple[float, float] | None = None


def of_folder(root: Path) -> list[Case]:
    """The photos in `root/Genus_species/`, in the order of their names; raises NoPhotos.

    A folder of one word is a genus, or a family when it ends in -aceae; `other` and `not_a_plant` hold what is no
    plant, `unknown` what nobody could name.
    """
    cases = []
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for folder in folders:
        truth, level = _label(folder.name)
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        cases += [Case(f"{folder.name}/{file.name}", truth, level, _reader(file), truth) for file in files]
    if not cases:
        raise NoPhotos(f"{root} holds no photos in folders by species, such as Stellaria_media/1.jpg.")
    return cases


def of_database(store: UserStore, files: PhotoFiles) -> list[Case]:
    """One photo for each plant that a person named, the oldest first; raises NoPhotos."""
    places = {session.id: session for session in store.sessions()}
    clusters: dict[int, list[Photo]] = defaultdict(list)
    for photo in _named(store):
        clusters[photo.id if photo.cluster_id is None else photo.cluster_id].append(photo)
    shown = sorted(
        (plant.photo for members in clusters.values() for plant in plants_in(members)),
        key=lambda photo: (photo.date, photo.id),
    )
    cases = []
    for photo in shown:
        session = places[photo.session_id]
        place = None
        if session.latitude is not None and session.longitude is not None:
            place = (session.latitude, session.longitude)
        name = f"photo {photo.id} of {photo.date}"
        truth, level = str(photo.label), str(photo.label_level)
        cases.append(Case(name, truth, level, _stored(files, photo.path), None, place))
    if not cases:
        raise NoPhotos("Nobody has confirmed or corrected the name of a photo yet.")
    return cases


def spread(cases: list[Case], limit: int | None) -> list[Case]:
    """At most `limit` of the photos, spread evenly over all, so that no species is left out for its place."""
    if limit is None or limit >= len(cases):
        return cases
    return [cases[(2 * number + 1) * len(cases) // (2 * limit)] for number in range(limit)]


def _named(store: UserStore) -> list[Photo]:
    found: list[Photo] = []
    cursor = None
    while True:
        page, cursor = store.photos(label_source="human", limit=AT_ONCE, cursor=cursor)
        found += page
        if cursor is None:
            return found


def _label(folder: str) -> tuple[str, str]:
    if folder.lower() in NO_PLANTS:
        return NOT_A_PLANT, NOT_A_PLANT
    if folder.lower() == "unknown":
        return "unknown", "unknown"
    name = " ".join(folder.replace("_", " ").split())
    if " " in name:
        return name, "species"
    return name, "family" if name.endswith("aceae") else "genus"


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)

    return read


def _stored(files: PhotoFiles, path: str) -> Callable[[], bytes]:
    return lambda: files.read(path)
