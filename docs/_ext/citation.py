"""The directive ``bibtex``: entries of CITATION.cff as BibTeX, so that they stand in one place."""

from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive

CITATION = Path(__file__).parents[2] / "CITATION.cff"
TYPES = {"software": "software", "article": "article", "conference-paper": "inproceedings"}


def person(author):
    """An author as BibTeX writes one."""
    if "name" in author:
        name = author["name"].removeprefix("and ")
        return name if name == "others" else "{" + name + "}"
    return f"{author['family-names']}, {author['given-names']}"


def key_of(entry):
    """First author and year; skfer is skfer."""
    if entry["type"] == "software":
        return "skfer"
    return entry["authors"][0]["family-names"].split()[0].lower() + str(entry["year"])


def bibtex(entry):
    """One entry of the file."""
    fields = {
        "author": " and ".join(map(person, entry["authors"])),
        "title": "{" + entry["title"] + "}",
        "journal": entry.get("journal"),
        "booktitle": entry.get("conference", {}).get("name"),
        "volume": entry.get("volume"),
        "year": entry.get("year"),
        "version": entry.get("version"),
        "doi": entry.get("doi"),
        "url": entry.get("url"),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{TYPES[entry['type']]}{{{key_of(entry)},", *lines, "}"])


class Bibtex(Directive):
    """``.. bibtex:: KEY`` shows one entry: skfer, or a paper by first author and year."""

    required_arguments = 1

    def run(self):
        """A block of BibTeX."""
        self.state.document.settings.env.note_dependency(str(CITATION))
        whole = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
        entries = {key_of(entry): entry for entry in (whole, *whole["references"])}
        if self.arguments[0] not in entries:
            raise self.error(f"CITATION.cff has {', '.join(entries)}")
        text = bibtex(entries[self.arguments[0]])
        return [nodes.literal_block(text, text, language="bibtex")]


def setup(app):
    """Tell sphinx of the directive."""
    app.add_directive("bibtex", Bibtex)
    return {"parallel_read_safe": True}
