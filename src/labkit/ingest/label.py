"""Number, version, kind and predecessors of a document, where it states them.

They come from a metadata field if there is one, else from a labelled field near the top (``Revision: B``), else, for
versions, from the title. Kinds are the everyday names of documents; no organisation's own vocabulary is known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEAD = 1500
"""Characters at the top in which a document describes itself."""
_NUMBER_FIELDS = ("document number", "document no", "document no.", "document id", "doc no", "doc number", "doc id",
                  "document", "number", "pep", "rfc")  # fmt: skip
_IDENTIFIER = r"[A-Za-z]{0,8}[-/ ]?\d[\w./-]{0,18}\w|\d"
_NUMBER_LINE = re.compile(
    rf"(?:^|\| ?|\n)\W{{0,4}}(?:document|doc\.?|report|drawing|procedure|policy|standard|pep|rfc)"
    rf"(?: (?:number|no\.?|nr\.?|id|#))?\W{{0,3}}:\W{{0,4}}({_IDENTIFIER})(?!\w)",
    re.I,
)
_REPLACES = ("replaces", "supersedes", "obsoletes")
_REPLACED = ("superseded-by", "superseded by", "replaced-by", "replaced by", "obsoleted by", "obsoleted-by")
_VERSION_FIELDS = ("version", "revision", "rev", "rev.", "document version", "issue")
_NUMBER = r"(\d+(?:\.\d+){0,3}[a-z]?|[A-Z]\d?)"
_VALUE = re.compile(rf"(?:[Vv](?:ersion)?\.?\s*|[Rr]ev(?:ision)?\.?\s*)?{_NUMBER}")
# A labelled field, at the start of a line or after another field.
_FIELD = re.compile(
    rf"\b(?:[Vv]ersion|VERSION|[Rr]evision|REVISION|[Rr]ev\.?|[Ii]ssue)(?: [Nn]o\.?)?"
    rf"\W{{0,3}}:\W{{0,4}}[Vv]?{_NUMBER}(?![\w-])"
)
# Of a line that states it, or in passing as "Rev. B"; "Python version 3.3" in a sentence is about something else.
_LINE = re.compile(
    r"^\W*(?:[Dd]ocument )?(?:[Vv]ersion|VERSION|[Rr]evision|REVISION|[Ii]ssue)(?: [Nn]o\.?)?\s*[:|]?\s*"
    rf"[Vv]?{_NUMBER}\s*(?:$|[|,;)(/–—-])",
    re.M,
)
_REV = re.compile(rf"\b(?:Rev|REV)\b\.?\s*:?\s*{_NUMBER}(?![\w.]*\w)")
_TITLE = re.compile(
    rf"\b(?:[Vv]ersion|[Rr]evision|[Ii]ssue)\s+{_NUMBER}(?![\w.]*\w)|(?<![\w.])[vV](\d+(?:\.\d+){{0,3}})\b"
)
_CLASS_FIELDS = ("doc_class", "document type", "document class", "doc type", "type", "category", "kind")
_CLASSES = (
    ("change notice", "change_notice"), ("release note", "release_notes"), ("post-mortem", "postmortem"),
    ("postmortem", "postmortem"), ("post mortem", "postmortem"), ("incident report", "incident_report"),
    ("shift handover", "handover"), ("handover", "handover"), ("meeting minutes", "minutes"), ("minutes", "minutes"),
    ("runbook", "runbook"), ("manual", "manual"), ("handbook", "manual"), ("guide", "guide"), ("policy", "policy"),
    ("procedure", "procedure"), ("specification", "specification"), ("datasheet", "datasheet"),
    ("data sheet", "datasheet"), ("contract", "contract"), ("agreement", "contract"), ("amendment", "contract"),
    ("invoice", "invoice"), ("purchase order", "order"), ("safety notice", "safety_notice"), ("bulletin", "bulletin"),
    ("report", "report"), ("faq", "faq"), ("memo", "memo"), ("newsletter", "newsletter"),
)  # fmt: skip
_TITLE_CLASS = tuple((re.compile(rf"\b{re.escape(word)}s?\b", re.I), name) for word, name in _CLASSES)


def stated_version(title: str, text: str, metadata: Mapping[str, str]) -> str:
    """The revision the document gives itself (``B``, ``2.1``), ``""`` when it gives none."""
    for name in _VERSION_FIELDS:
        if match := _VALUE.fullmatch(metadata.get(name, "").strip()):
            return match[1]
    head = text[:_HEAD]
    match = _FIELD.search(head) or _LINE.search(head) or _REV.search(title) or _TITLE.search(title) or _REV.search(head)
    return next(filter(None, match.groups())) if match else ""


def stated_number(text: str, metadata: Mapping[str, str]) -> str:
    """The number the document is filed under (``MA-1234``, ``PEP 8``), ``""`` when it gives none."""
    for name in _NUMBER_FIELDS:
        if match := re.fullmatch(_IDENTIFIER, metadata.get(name, "").strip()):
            return match[0]
    found = _NUMBER_LINE.search(_described(text, metadata))
    return found[1] if found else ""


def _described(text: str, metadata: Mapping[str, str]) -> str:
    """Where a document describes itself: its top, then the heads and feet of its pages."""
    return f"{text[:_HEAD]}\n{metadata.get('margin', '')[:_HEAD]}"


def stated_links(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numbers of the documents this one replaces, and of those that replaced it."""

    def numbers(names: tuple[str, ...]) -> tuple[str, ...]:
        stated = (metadata.get(name, "") for name in names)
        return tuple(dict.fromkeys(part for value in stated for part in re.findall(r"[\w-]*\d[\w-]*", value)))

    return numbers(_REPLACES), numbers(_REPLACED)


def stated_class(fmt: str, title: str, metadata: Mapping[str, str]) -> str:
    """The kind of document as a short name, ``""`` when neither a field nor the title says."""
    for name in _CLASS_FIELDS:
        if value := metadata.get(name, ""):
            words = re.findall(r"\w+", value.lower())
            if 0 < len(words) <= 4:
                return "_".join(words)
    if fmt == "eml":
        return "mail"
    found = [(match.end(), name) for pattern, name in _TITLE_CLASS if (match := pattern.search(title))]
    # English puts the kind last: "runbook review minutes" are minutes.
    return max(found)[1] if found else ""
