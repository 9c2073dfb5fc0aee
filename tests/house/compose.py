"""What Docker Compose makes of compose.yaml for a given .env: variables filled in, services picked by profile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"SECRET_KEY": "k" * 43, "POSTGRES_PASSWORD": "p" * 32}
SCALED = SECRETS | {"STORE_PASSWORD": "s" * 32}
# Innermost first, so that expressions within expressions are filled in before those around them.
_EXPRESSION = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?:(:[-+?])([^${}]*))?\}")


class Missing(Exception):
    """A variable without which compose does not start."""


def filled(value: Any, dotenv: dict[str, str]) -> Any:
    """A value of the file with its variables filled in, as Compose does it."""
    if isinstance(value, dict):
        return {name: filled(each, dotenv) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, dotenv) for each in value]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        given, how, other = dotenv.get(found[1], ""), found[2], found[3] or ""
        if how == ":?" and not given:
            raise Missing(f"{found[1]}: {other}")
        return (
            other if (how == ":-" and not given) or (how == ":+" and given) else "" if how == ":+" else given
        )

    while _EXPRESSION.search(value):
        value = _EXPRESSION.sub(replace, value)
    return value.replace("$$", "$")


def composed(dotenv: dict[str, str], *profiles: str) -> dict[str, Any]:
    """The file for this .env, with the services that start in these profiles."""
    document = filled(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8")), dotenv)
    services = document["services"]
    document["services"] = {
        name: service
        for name, service in services.items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }
    return document


def environment(service: dict[str, Any], dotenv: dict[str, str]) -> dict[str, str]:
    """What the service finds in its environment: later files count more, and `environment` most."""
    found: dict[str, str] = {}
    for file in service.get("env_file", []):
        if file["path"] == ".env":
            found |= dotenv
        else:
            assert (ROOT / file["path"]).is_file() or not file["required"]
            # Compose's versions differ in whether they fill in variables within such a file: it has none.
            values = dotenv_values(ROOT / file["path"], interpolate=False)
            assert not any("$" in str(value) for value in values.values())
            found |= {name: value or "" for name, value in values.items()}
    return found | service["environment"]
