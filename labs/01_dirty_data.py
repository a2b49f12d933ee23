# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 01 · Another department's drive
#
# People Operations want the assistant too, and their drive breaks what the chapter relied on: names that say nothing,
# files that were broken twice, notes without number or revision, and a policy that hides staff as well. Fill the gaps,
# run each check; it answers *not attempted*, *not yet* with a hint, or *right*.

# %%
import io
import re
import zipfile
from datetime import date

from labkit.course import NotAttempted, check

# %% [markdown]
# ### q1 · Fate
#
# *Difficulty:* easy · *Minutes:* 15
#
# Write `fate(name, data)`. It answers
#
# - `"empty"` when there is nothing but white space and NUL bytes;
# - `"read"` for what can be read, **whatever it is called**: a PDF (begins with `%PDF-`), an Office file (a zip,
#   `PK\x03\x04`, that holds `word/document.xml` or `xl/workbook.xml`), and any text;
# - `"encrypted"` for a PDF that holds `/Encrypt`;
# - for a PNG image and any other zip: `"unsupported"` when its name admits it (`.png`, `.zip`, in any case), and
#   `"mislabelled"` when it claims to be something else.
#
# <details><summary>Hint</summary>Ask the bytes in that order. The name comes last, and only for what cannot be
# read. `zipfile.ZipFile(io.BytesIO(data)).namelist()` lists a zip.</details>


# %%
def fate(name: str, data: bytes) -> str:
    """What becomes of a file."""
    # <solution> nothing, PDF, zip, PNG, and all else is text
    suffix = name.rpartition(".")[2].lower()
    if not data.strip(b" \t\r\n\0"):
        return "empty"
    if data.startswith(b"%PDF-"):
        return "encrypted" if b"/Encrypt" in data else "read"
    if data.startswith(b"PK\x03\x04"):
        parts = zipfile.ZipFile(io.BytesIO(data)).namelist()
        if "word/document.xml" in parts or "xl/workbook.xml" in parts:
            return "read"
        return "unsupported" if suffix == "zip" else "mislabelled"
    if data.startswith(b"\x89PNG"):
        return "unsupported" if suffix == "png" else "mislabelled"
    return "read"
    # </solution>


check.lab01.q1(fate)

# %% [markdown]
# ### q2 · First, do no harm
#
# *Difficulty:* medium · *Minutes:* 15
#
# This drive was copied twice, so some lines are broken twice, others not at all, and good and broken ones meet in one
# file. Write `clean(text)`: every line that is UTF-8 read as windows-1252 is undone as often as it takes, every other
# line stays as it is, and the four characters nobody sees and every search trips over are deleted: soft hyphen
# (U+00AD), zero-width space (U+200B), word joiner (U+2060), byte order mark (U+FEFF).
#
# <details><summary>Hint</summary>A function that tries one way back for one line, and returns the line when that raises
# `UnicodeError`. Call it until nothing changes. Delete with `str.translate` afterwards, not before: inside broken text
# these characters may be half of a letter.</details>


# %%
def clean(text: str) -> str:
    """The repaired text; good lines are untouched."""

    # <solution> one way back for one line, then as often as it takes
    def undone(line):
        try:
            return line.encode("cp1252").decode("utf-8")
        except UnicodeError:
            return line

    lines = []
    for line in text.split("\n"):
        while (better := undone(line)) != line:
            line = better
        lines.append(line.translate(str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")))
    return "\n".join(lines)
    # </solution>


check.lab01.q2(clean)

# %% [markdown]
# Put this function into `labs/my_system.py` under the same name. It acts before an index exists, so
# `labkit bench answer` goes on asking the course's index until you build your own.
#
# ### q3 · Copies without numbers
#
# *Difficulty:* medium · *Minutes:* 15
#
# The chapter kept revisions apart by the numbers documents give themselves. These notes have none. Write `is_copy(one,
# other)`: true when the texts are alike (Jaccard of their three-word shingles at least one half, capitals and layout
# aside) **and** no figure was changed. An edited copy may have lost or gained a paragraph with its figures; a revision
# says another figure where the first said its own. A decimal is one figure.
#
# <details><summary>Hint</summary>Collect the figures of each text with a regular expression that keeps decimals
# together. If each text has a figure the other lacks, one was changed.</details>


# %%
def is_copy(one: str, other: str) -> bool:
    """Whether one of two texts is an edited copy of the other."""

    # <solution> shingles of both, figures of both
    def shingles(text):
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}

    def figures(text):
        return set(re.findall(r"\d+(?:[.,]\d+)*", text))

    mine, theirs = shingles(one), shingles(other)
    alike = len(mine & theirs) / len(mine | theirs) >= 0.5
    return alike and (figures(one) <= figures(other) or figures(other) <= figures(one))
    # </solution>


check.lab01.q3(is_copy)

# %% [markdown]
# What does this rule get wrong? A revision that only *adds* a figure passes for a copy. Write down one more case before
# you use it anywhere.
#
# ### q4 · Another policy
#
# *Difficulty:* medium · *Minutes:* 20
#
# In organisational documents staff stay. In files of People Operations their names go too. Write `redact(text, found,
# staff, hr, book)`: `found` lists `(start, end, kind)` in no order; every kind but `person` always goes; a person stays
# only when `staff` (a set of names in lower case) holds the name and `hr` is false. A placeholder is `[kind N]`; the
# same value of a kind, capitals aside, gets the same one in every file: `book` is a dictionary you fill, and it is
# handed on to the next file.
#
# <details><summary>Hint</summary>`book.setdefault((kind, value), …)` gives a value its placeholder once. Replace from
# the back of the text, so that the offsets in front of it stay true.</details>


# %%
def redact(text: str, found: list[tuple[int, int, str]], staff: set[str], hr: bool, book: dict) -> str:
    """The text with placeholders where policy wants them."""
    # <solution> from the back; decide, look up, replace
    for start, end, kind in sorted(found, reverse=True):
        value = text[start:end].casefold()
        if kind == "person" and value in staff and not hr:
            continue
        name = book.setdefault((kind, value), f"[{kind} {len(book) + 1}]")
        text = text[:start] + name + text[end:]
    return text
    # </solution>


check.lab01.q4(redact)

# %% [markdown]
# ### q5 · Withdrawn
#
# *Difficulty:* medium · *Minutes:* 15
#
# A page ends when the next revision of its number begins, or on the day somebody withdrew it, whichever comes first.
# Write `validity(pages)`: for each page's `name` the pair (first day it held, first day it no longer holds or `None`).
# A page has `name`, `number`, `revision` (a whole number, as text), `date`, and `withdrawn` (a day or `None`). They
# come in no order.
#
# <details><summary>Hint</summary>Group by number, sort by the revision as a number (nine before ten), and walk each
# chain with its successor beside it.</details>


# %%
def validity(pages: list[dict]) -> dict[str, tuple[date, date | None]]:
    """When each page held."""
    # <solution> chains by number, then the earlier of two ends
    held = {}
    for number in {page["number"] for page in pages}:
        chain = sorted((p for p in pages if p["number"] == number), key=lambda p: int(p["revision"]))
        for page, newer in zip(chain, [*chain[1:], None], strict=True):
            ends = [page["withdrawn"], newer["date"] if newer else None]
            held[page["name"]] = page["date"], min((day for day in ends if day), default=None)
    return held
    # </solution>


check.lab01.q5(validity)

# %% [markdown]
# Look at the second revision in the check's data: withdrawn weeks before the next one began. What should the assistant
# answer on a day in between? Ask whoever owns the documents; it is not for you to decide.
