"""Who may import what: the design's one-way rules, read from the source, and what a fresh /health holds."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("functions", "lib", "migrations", "scripts")
SOURCES = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
# A third-party package and the only places that may import it. Measuring and training need what they measure.
OWNERS = {
    "onnxruntime": (
        "lib/classifier/",
        "scripts/adaptation/",
        "scripts/benchmarks/",
        "scripts/conversion/",
        "scripts/training/",
    ),
    "peewee": ("lib/store/", "migrations/"),
    "playhouse": ("lib/store/", "migrations/"),
    "peewee_migrate": ("lib/store/", "migrations/"),
    "psycopg2": ("lib/store/",),
    "flask": ("functions/", "lib/dispatcher.py", "lib/problems.py"),
    "werkzeug": ("functions/", "lib/dispatcher.py"),
    "jinja2": ("lib/web/",),
    "obstore": ("lib/photos/",),
    "pillow_heif": ("lib/photos/",),
    "limits": ("lib/rates.py",),
    "prometheus_client": ("lib/observe.py",),
    "pythonjsonlogger": ("lib/observe.py",),
    "torch": (
        "scripts/adaptation/",
        "scripts/benchmarks/",
        "scripts/conversion/",
        "scripts/train_classifier.py",
        "scripts/training/",
    ),
    "tqdm": ("scripts/",),
    "dask": ("scripts/scale/",),
    "distributed": ("scripts/scale/",),
}
HEAVY = (
    "numpy",
    "PIL",
    "onnxruntime",
    "pillow_heif",
    "obstore",
    "peewee",
    "psycopg2",
    "msgspec",
    "limits",
    "prometheus_client",
    "tqdm",
    "dask",
    "distributed",
)
PROBE = """
import json, sys
from functions import create_app
answer = create_app().test_client().get("/health")
assert answer.status_code == 200, answer.data
print(json.dumps(sorted(set(sys.argv[1:]) & set(sys.modules))))
"""


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that a source imports when it runs, those inside functions included."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


def imports_of(path: Path) -> set[str]:
    return set(imported(ast.parse(path.read_text(encoding="utf-8"))))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_it_reads_lazy_imports_and_passes_over_type_hints():
    source = "if TYPE_CHECKING:\n    import flask\ndef f():\n    from lib.store import models\n"
    assert set(imported(ast.parse(source))) == {"lib.store", "lib.store.models"}


@pytest.mark.parametrize("package", OWNERS)
def test_it_keeps_each_package_in_its_place(package: str):
    strangers = [
        name_of(path)
        for path in SOURCES
        if any(name.split(".")[0] == package for name in imports_of(path))
        and not name_of(path).startswith(OWNERS[package])
    ]
    assert strangers == []


@pytest.mark.parametrize("path", sorted((ROOT / "functions").glob("*.py")), ids=name_of)
def test_it_lets_a_function_import_lib_only(path: Path):
    names = imports_of(path)
    assert not [
        name for name in names if name.split(".")[0] in ("functions", "migrations", "scripts", "tests")
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "lib").rglob("*.py")), ids=name_of)
def test_it_keeps_lib_free_of_routes_and_scripts(path: Path):
    names = imports_of(path)
    assert not [name for name in names if name.split(".")[0] in ("functions", "scripts", "tests")]


@pytest.mark.parametrize("path", sorted((ROOT / "lib" / "diversity").glob("*.py")), ids=name_of)
def test_it_keeps_the_statistics_pure(path: Path):
    third_party = {
        name
        for name in imports_of(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith(("numpy", "lib.diversity"))
    }
    assert third_party <= {"lib"}  # `from lib import diversity`, at most
    reading = {"os", "io", "pathlib", "sqlite3", "socket", "subprocess", "urllib"}
    assert not {name.split(".")[0] for name in imports_of(path)} & reading


def test_it_holds_no_heavy_module_after_health(tmp_path: Path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'weeds.db'}",
        "SECRET_KEY": "k" * 43,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *HEAVY],
        cwd=tmp_path,
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert list(tmp_path.iterdir()) == []  # and /health opened no database
