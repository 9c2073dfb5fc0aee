"""The pages: server-rendered HTML in Japanese and English. Knows nothing of routes or of Flask."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.web.languages import LANGUAGES, translation
from lib.web.words import Words

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_environments: dict[str, Environment] = {}
_lock = threading.Lock()


def render(template: str, *, language: str, **context: Any) -> str:
    """The HTML of a template (a file of `lib/web/templates`) in `language` (a key of LANGUAGES).

    A name that the template uses and `context` lacks raises, so that no page shows a silent gap.
    """
    return _environment(language).get_template(template).render(context)


def _environment(language: str) -> Environment:
    """The templates in one language, compiled on first use and kept for the life of the process."""
    with _lock:
        if language not in _environments:
            _environments[language] = _make_environment(language)
        return _environments[language]


def _make_environment(language: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from lib.web.static_files import address

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translation(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(say=Words(language), static=address, languages=LANGUAGES)
    return environment
