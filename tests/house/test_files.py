"""Files that a person or a tool reads first: what each is for, exact pins, and the list of settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import config

ROOT = Path(__file__).resolve().parents[2]
MADE = {
    "__pycache__",
    ".git",
    ".venv",
    ".venv-train",
    "build",
    "data",
    "output",
    ".mypy_cache",
    ".ruff_cache",
}
MADE |= {".pytest_cache", ".hypothesis", ".import_linter_cache"}
# How a first line that explains begins, for each kind of file.
OPENINGS = {
    ".py": ('"""', "r'''", 'r"""'),
    ".sh": ("#",),
    ".toml": ("#",),
    ".yaml": ("#",),
    ".yml": ("#",),
    ".env": ("#",),
    ".service": ("#",),
    ".timer": ("#",),
    ".in": ("#",),
    ".txt": ("#",),
    ".po": ("#",),
    ".css": ("/*",),
    ".js": ("//", "/*"),
    ".html": ("{#", "<!--"),
    ".md": ("#",),
    "Makefile": ("#",),
    "Dockerfile": ("#",),
    "Caddyfile": ("#",),
    ".dockerignore": ("#",),
    ".env.example": ("#",),
    "run": ("#",),
}
PIN = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*(\[[a-z0-9]+\])?==[0-9][0-9a-z.]*$")


def sources(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in MADE and not path.name.startswith(".venv"):
            yield from sources(path)
        elif path.suffix in OPENINGS or path.name in OPENINGS:
            yield path


def test_it_finds_the_sources():
    names = {path.relative_to(ROOT).as_posix() for path in sources()}
    assert {
        "Makefile",
        ".ci/run",
        "functions/health.py",
        "lib/config.py",
        "tests/house/test_files.py",
    } <= names


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_says_in_its_first_line_what_it_is_for(path: Path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines, "an empty file says nothing"
    first = lines[1] if lines[0].startswith("#!") else lines[0]
    openings = OPENINGS.get(path.suffix) or OPENINGS[path.name]
    assert first.startswith(openings)
    # A document's title may be a single name.
    assert len(re.findall(r"[A-Za-z]{2,}", first)) >= (1 if path.suffix == ".md" else 2)


def pins(name: str) -> dict[str, str]:
    """Package to version, for every line of a requirements file that names one."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "-c ", "-r ")):
            continue
        assert PIN.match(line), f"{name}: {line!r} is not an exact pin"
        package, version = line.split("==")
        found[package.split("[")[0]] = version
    return found


@pytest.mark.parametrize(
    "name",
    [
        "requirements.in",
        "requirements.txt",
        "requirements-dev.in",
        "requirements-dev.txt",
        "requirements-train.in",
        "requirements-train.txt",
        "requirements-scale.in",
        "requirements-scale.txt",
    ],
)
def test_it_pins_exact_versions_and_names_no_registry(name: str):
    assert pins(name)
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("asked", "lock"),
    [
        ("requirements.in", "requirements.txt"),
        ("requirements-dev.in", "requirements-dev.txt"),
        ("requirements-train.in", "requirements-train.txt"),
        ("requirements-scale.in", "requirements-scale.txt"),
        # The tests run what a large archive's run needs.
        ("requirements-scale.txt", "requirements-dev.txt"),
    ],
)
def test_it_locks_what_was_asked_for(asked: str, lock: str):
    assert pins(asked).items() <= pins(lock).items()


@pytest.mark.parametrize(
    "other", ["requirements-dev.txt", "requirements-scale.txt", "requirements-train.txt"]
)
def test_it_installs_one_version_of_a_package_everywhere(other: str):
    runtime, also = pins("requirements.txt"), pins(other)
    assert {name: also[name] for name in runtime.keys() & also.keys()} == {
        name: runtime[name] for name in runtime.keys() & also.keys()
    }


class Asked(dict[str, str]):
    """An environment that remembers which names it was asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def settings_read() -> set[str]:
    environment = Asked()
    config.load(environment)
    return environment.names


def settings_shown() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_it_lists_exactly_the_settings_that_are_read():
    assert set(settings_shown()) == settings_read()


def test_it_shows_the_defaults():
    shown = config.load(settings_shown())
    unset = config.load({})
    for field in config.Settings.__slots__:
        if field not in ("secret_key", "secret_key_generated"):
            assert getattr(shown, field) == getattr(unset, field), field


def test_it_documents_every_setting():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in settings_read() if f"`{name}`" not in readme} == set()


def test_it_links_to_files_that_exist():
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md")]
    targets = [
        (path, target)
        for path in documents
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert targets
    assert [target for path, target in targets if not (path.parent / target).exists()] == []
