"""The rule that no measured number is typed in prose: a cell prints it, so text and notebook cannot disagree.

The rule, over the text of Markdown cells (not code, formulas, links or HTML tags):

- a number with ``%``, ``percent``, ``×``, ``ms``, ``µs``, ``s``, ``seconds``, ``MB`` or ``tokens/s`` after it, and
- a decimal number such as ``0.43`` (not a version such as ``Python 3.11``, ``v1.2`` or ``3.11.4``; not a section
  number that opens a heading)

look measured. A number that is given rather than measured (a contract's clause, a paper's claim) is allowed in a cell
that says where it is from: ``<!-- given: Brightmart contract, clause 7 -->``.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

from labkit.course.finding import Finding

GIVEN = re.compile(r"<!--\s*given:\s*\S.*?-->", re.DOTALL)
MEASURED = re.compile(
    r"(?<![\w.,])[-+~≈]?\d+(?:[.,]\d+)*\s?(?:%|percent\b|×|ms\b|µs\b|s\b|seconds?\b|MB\b|tokens/s\b)"
    r"|(?<![\w.,])[-+~≈]?\d+\.\d+(?![\w.]*\.\d)(?!\w)"
)

_NOT_PROSE = re.compile(
    r"```.*?```|~~~.*?~~~|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|<[^>]*>|https?://\S+", re.DOTALL
)
_SECTION_NUMBER = re.compile(r"^(#+\s+)\d+(\.\d+)*\.?\s", re.MULTILINE)
_VERSION = re.compile(r"\b(?:Python|CUDA|version|v)\s?\d+(?:\.\d+)+", re.IGNORECASE)


def check_numbers(nb: NotebookNode) -> list[Finding]:
    """Markdown cells that hold a measured-looking number and do not say where it is given."""
    return [
        Finding("typed number", f"{', '.join(numbers)}: print it in a cell, or mark where it is given", position)
        for position, cell in enumerate(nb.cells, 1)
        if cell.cell_type == "markdown" and not GIVEN.search(cell.source) and (numbers := measured_numbers(cell.source))
    ]


def measured_numbers(text: str) -> list[str]:
    """The measured-looking numbers of a Markdown text, in order."""
    for other in (_NOT_PROSE, _SECTION_NUMBER, _VERSION):
        text = other.sub(lambda match: match.group(1) if match.re is _SECTION_NUMBER else " ", text)
    return [match.group().strip() for match in MEASURED.finditer(text)]
