#!/usr/bin/env python
"""Keeps the table of plants (`lib/taxa.csv`): says which names of a model it knows, and adds species that it lacks.

What stands in the table is never overwritten: it is edited by hand, and `add` only adds rows and fills in the class
names of iNatAg. Names for `check`: a model folder, a labels.csv, a list of a region, or a JSON
file (a list, an object of index and name, or the data file iNatAg_public_datasources.json of the package agml).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import taxa
from scripts.conversion import Refused
from scripts.conversion.labels import given, normalised

IN_AGML = "iNatAg/"  # what the names of its classes begin with; iNatAg-mini has the same species again
# The source mixes some twenty languages in no order: only what ends in an English word for a plant is taken.
ENGLISH = re.compile(
    r"[A-Za-z][a-z' -]*("
    r"acacia|apple|bamboo|barley|bean|bedstraw|bell|berry|bindweed|brome|broom|bush|buttercup|cabbage|campion|cedar|"
    r"cherry|clover|cress|daisy|dock|dodder|fern|fescue|fig|fir|flower|foxtail|goosefoot|grape|grass|gum|hawkweed|"
    r"hemp|hornwort|ironbark|ivy|knapweed|lettuce|lily|lovegrass|lupine?|mallow|mangrove|maple|medick|milkweed|millet|"
    r"mint|mullein|mustard|nettle|nightshade|nut|oak|orchid|palm|pea|pear|pepper|pigweed|pine|plant|plantain|plum|"
    r"pondweed|poplar|poppy|reed|root|rose|rush|sage|sedge|speedwell|spurge|thistle|thorn|tree|vetch|vine|violet|"
    r"wattle|weed|willow|wood|wort|yam)"
)


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 every name is in the table, 1 some are not, 2 the file cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="which names of a model the table has, and which not")
    check.add_argument("file", type=Path, help="a model folder, or a file with its names")
    add = commands.add_parser("add", help="add the species of agml's data file that the table lacks")
    add.add_argument("file", type=Path, help="iNatAg_public_datasources.json")
    options = parser.parse_args(arguments)
    try:
        return report(names(options.file)) if options.command == "check" else added(options.file)
    except Refused as error:
        print(error, file=sys.stderr)
        return 2


def report(found: list[str]) -> int:
    """Prints how many of the names are in the table, and each that is not."""
    resolved = taxa.resolve(found)
    known = [taxon for taxon in resolved.taxa if taxon is not None]
    print(f"{len(known)} of {len(found)} names are in the table; they are {len(set(known))} species")
    print(
        f"of {len({taxon.genus for taxon in known})} genera and {len({taxon.family for taxon in known})} families."
    )
    for column, what in (("en", "an English name"), ("ja", "a Japanese name"), ("eppo", "an EPPO code")):
        print(f"{sum(bool(getattr(taxon, column)) for taxon in set(known))} species have {what}.")
    for species, several in resolved.shared.items():
        print(f"{species}: {', '.join(several)}")
    for name in resolved.unmapped:
        print(f"not in the table: {name}")
    return 1 if resolved.unmapped else 0


def names(path: Path) -> list[str]:
    """The names of a model's classes; raises Refused."""
    if path.is_dir():
        path = path / "labels.csv"
    if path.suffix.lower() != ".json":
        found = [name for line in given(path) if (name := line.partition("#")[0].strip())]
    elif isinstance(data := read_json(path), dict) and any(
        isinstance(value, dict) for value in data.values()
    ):
        found = list(entries(data))
    else:
        found = list(data.values()) if isinstance(data, dict) else data
    if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
        raise Refused(f"{path.name} holds no list of names.")
    return found


def added(path: Path) -> int:
    """Adds the rows that the table lacks, and says which; what the file cannot tell is left empty."""
    data = read_json(path)
    found = entries(data) if isinstance(data, dict) else {}
    if not found:
        raise Refused(f"{path.name} has no entries {IN_AGML}…")
    rows = {taxon.species: taxon for taxon in taxa.table()}
    taken = {taxon.en.casefold() for taxon in rows.values()}
    families = {taxon.genus: taxon.family for taxon in rows.values()}
    for slug, entry in found.items():
        known = taxa.find(slug)
        if known is not None:
            row = rows[known.species]
            rows[row.species] = row._replace(
                inatag=tuple(sorted({*row.inatag, slug})), kind=row.kind or entry["kind"]
            )
            continue
        species = normalised(slug)
        genus = species.split(" ")[0]
        family = families.setdefault(genus, entry["family"])
        if family != entry["family"]:
            print(f"{species}: {entry['family']} in the file, {family} in the table", file=sys.stderr)
        en = next((name for name in entry["names"] if name.casefold() not in taken), "")
        taken.add(en.casefold())
        rows[species] = taxa.Taxon(species, genus, family, en, "", "", "", entry["kind"], (slug,), ())
        print(f"added: {species}, {family}{f', {en}' if en else ''}")
    write([rows[species] for species in sorted(rows)])
    print(f"{len(rows)} species in the table")
    return 0


def entries(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Class name → family, kind and the English names, of agml's data file."""
    found = {}
    for key, value in data.items():
        if key.startswith(IN_AGML) and isinstance(value, dict):
            more = value.get("extra_metadata") or {}
            called = (str(name).strip() for name in more.get("common_name") or ())
            found[key.removeprefix(IN_AGML)] = {
                "family": more.get("family_name") or "",
                "kind": (value.get("classes") or {}).get("0", ""),
                "names": [name[0].upper() + name[1:] for name in called if ENGLISH.fullmatch(name)],
            }
    return found


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError:
        raise Refused(f"{path}: there is no such file.") from None
    except ValueError:
        raise Refused(f"{path.name} is not JSON.") from None


def write(rows: list[taxa.Taxon]) -> None:
    """The table, in the order given."""
    lines = [
        ",".join((*row[:-2], taxa.BETWEEN.join(row.inatag), taxa.BETWEEN.join(row.synonyms))) for row in rows
    ]
    broken = [line for line in lines if line.count(",") != len(taxa.COLUMNS) - 1 or '"' in line]
    if broken:
        raise Refused(f"A cell has a comma or a quote: {broken[0]}")
    taxa.TABLE.write_text("\n".join([",".join(taxa.COLUMNS), *lines, ""]), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
