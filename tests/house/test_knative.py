"""The manifests for Knative: the image's own limits and settings, and what Knative does not take is not in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lib import config

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
GUIDE = (DEPLOY / "README.md").read_text(encoding="utf-8")
GUNICORN = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
SECTION = GUIDE[GUIDE.index("## Knative") :]
SERVICE: dict[str, Any] = yaml.safe_load((DEPLOY / "knative.yaml").read_text(encoding="utf-8"))
JOB: dict[str, Any] = yaml.safe_load((DEPLOY / "knative-migrate.yaml").read_text(encoding="utf-8"))
REVISION = SERVICE["spec"]["template"]["spec"]
POD = JOB["spec"]["template"]["spec"]
(SERVER,), (MIGRATION,) = REVISION["containers"], POD["containers"]


def number(name: str) -> int:
    found = re.search(rf"^{name} = (\d+)$", GUNICORN, re.MULTILINE)
    assert found, name
    return int(found[1])


def test_they_are_of_the_kinds_that_the_guide_applies() -> None:
    assert (SERVICE["apiVersion"], SERVICE["kind"]) == ("serving.knative.dev/v1", "Service")
    assert (JOB["apiVersion"], JOB["kind"]) == ("batch/v1", "Job")
    # A job with a generated name can be created again and again, but not applied.
    assert "generateName" in JOB["metadata"]
    assert "kubectl create --filename deploy/knative-migrate.yaml" in SECTION
    assert "kubectl apply --filename deploy/knative.yaml" in SECTION
    assert f"kn service describe {SERVICE['metadata']['name']}\n" in SECTION


def test_it_asks_for_as_much_as_the_server_serves() -> None:
    assert REVISION["containerConcurrency"] == number("threads")
    # An export may take 120 seconds; an ending machine is given as long as a request.
    assert REVISION["timeoutSeconds"] > max(120, number("graceful_timeout"))
    assert SERVER["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    notes = SERVICE["spec"]["template"]["metadata"]["annotations"]
    assert notes["autoscaling.knative.dev/min-scale"] == "0"
    # Annotations are text.
    assert all(isinstance(value, str) for value in notes.values())


def test_it_leaves_port_to_knative() -> None:
    given = {each["name"] for each in SERVER["env"]}
    assert "PORT" not in given
    assert len(SERVER["ports"]) == 1
    assert re.search(r"^bind = .*settings\.port", GUNICORN, re.MULTILINE)


def test_its_settings_are_taken_with_those_of_its_secret() -> None:
    given = {each["name"]: each["value"] for each in SERVER["env"]}
    assert all(isinstance(value, str) for value in given.values())
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))
    assert set(given) - known == {"FORWARDED_ALLOW_IPS"}
    secret = set(re.findall(r"--from-literal=(\w+)=", SECTION))
    assert secret <= known
    assert not secret & set(given)
    assert secret == set(re.findall(r"[A-Z_]{4,}", remark("knative.yaml", "# SECRET_KEY")))
    values = {
        "SECRET_KEY": "k" * 43,
        "DATABASE_URL": "postgresql://u:p@db/weeds",
        "RATE_LIMIT_STORAGE": "redis://limits:6379",
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    loaded = config.load(given | values)
    assert set(values) == secret
    assert loaded.production
    # Nothing stays on a machine that goes away.
    assert loaded.object_store is not None
    (source,), (migrated,) = SERVER["envFrom"], MIGRATION["envFrom"]
    assert source == migrated
    assert f"kubectl create secret generic {source['secretRef']['name']} " in SECTION


def remark(name: str, beginning: str) -> str:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.strip().startswith(beginning)]
    return line


@pytest.mark.parametrize("container", [SERVER, MIGRATION], ids=["server", "migration"])
def test_it_runs_without_rights_as_the_user_of_the_image(container: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    user = re.findall(r"^USER (\d+)", dockerfile, re.MULTILINE)[-1]
    rights = container["securityContext"]
    assert (rights["runAsNonRoot"], rights["runAsUser"]) == (True, int(user))
    assert (rights["allowPrivilegeEscalation"], rights["capabilities"]) == (False, {"drop": ["ALL"]})


def test_it_migrates_with_the_image_that_then_serves() -> None:
    assert MIGRATION["image"] == SERVER["image"]
    assert MIGRATION["image"] in SECTION
    assert MIGRATION["command"][0] == "python"
    assert (ROOT / MIGRATION["command"][1]).is_file()
    assert POD["restartPolicy"] == "Never"
