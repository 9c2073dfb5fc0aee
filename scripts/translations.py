#!/usr/bin/env python
"""Keeps the catalogues of the pages in step with their texts: extracts, merges and compiles them.

After a change of any text: run this, fill the empty `msgstr` that it names, run it again.
"""

from __future__ import annotations

import argparse
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = ROOT / "lib" / "web" / "translations"
LANGUAGES = ("en", "ja")
SOURCE = "en"  # the texts in code and templates are English
METHODS = [
    ("lib/web/**.py", "python"),
    ("functions/**.py", "python"),
    ("lib/web/templates/**.html", "jinja2"),
]
# As lib.web reads the templates: a % within {% trans %} is looked up doubled.
OPTIONS = {"lib/web/templates/**.html": {"encoding": "utf-8", "newstyle_gettext": "true"}}
KEYWORDS = {"gettext": None, "ngettext": (1, 2), "_": None, "N_": None}
# Babel writes dates into the headers; a fixed one keeps an unchanged catalogue an unchanged file.
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 complete, 1 when a translation is missing (or, with --check, a file is out of step)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; say what is missing or out of step"
    )
    options = parser.parse_args(arguments)
    complete = True
    for language in LANGUAGES:
        catalogue = updated(language)
        for message in missing(catalogue):
            print(f"{language}: no translation of {message.id!r}", file=sys.stderr)
            complete = False
        for path, data in files(language, catalogue).items():
            if options.check:
                if not path.is_file() or path.read_bytes() != data:
                    print(f"{path.relative_to(CATALOGUES)}: out of step", file=sys.stderr)
                    complete = False
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        print(f"{language}: {len(catalogue)} texts")
    return 0 if complete else 1


def updated(language: str) -> Catalog:
    """The stored catalogue of a language with the texts of today; texts that are gone are dropped.

    English texts translate to themselves, so that both catalogues are complete and either can be edited.
    """
    stored = _stored(language)
    catalogue = Catalog(
        locale=language,
        project="weed-diversity-analyzer",
        version="1",
        msgid_bugs_address="see README.md",
        creation_date=WRITTEN,
        revision_date=WRITTEN,
        header_comment="# What the pages say. Written by scripts/translations.py; only msgstr is edited.",
        last_translator="weed-diversity-analyzer",
        language_team=language,
        fuzzy=False,
    )
    for text in sorted(_extracted(), key=str):
        known = stored.get(text[0] if isinstance(text, tuple) else text)
        translation = (known.string if known else None) or ""
        if not any(translation):
            empty = ("",) * catalogue.num_plurals if isinstance(text, tuple) else ""
            translation = text if language == SOURCE else empty
        catalogue.add(text, translation)
    return catalogue


def missing(catalogue: Catalog) -> list[Message]:
    """The messages without a translation (or without one of the plural forms)."""
    return [
        message
        for message in catalogue
        if message.id and not all(message.string if isinstance(message.string, tuple) else [message.string])
    ]


def files(language: str, catalogue: Catalog) -> dict[Path, bytes]:
    """What the catalogue's two files hold: the text to edit, and the compiled form that the server reads."""
    folder = CATALOGUES / language / "LC_MESSAGES"
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, catalogue, width=110, no_location=True)
    write_mo(compiled, catalogue)
    return {folder / "messages.po": text.getvalue(), folder / "messages.mo": compiled.getvalue()}


def _extracted() -> set[str | tuple[str, str]]:
    """Every text in the code and the templates of the pages."""
    return {
        text if isinstance(text, str) else (text[0], text[1])
        for _, _, text, _, _ in extract_from_dir(ROOT, METHODS, OPTIONS, KEYWORDS)
        if text
    }


def _stored(language: str) -> Catalog:
    path = CATALOGUES / language / "LC_MESSAGES" / "messages.po"
    if not path.is_file():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


if __name__ == "__main__":
    sys.exit(main())
