"""What the benchmark of quantization reads: documents of a world by pool, and the prose of the PEPs.

Methods are calibrated on texts that nothing is measured on. What a method does with them is not known here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from labkit.retrieve.index import read_chunks
from labkit.world.chance import stream

CALIBRATION = 48
"""Texts a method is calibrated with."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What is read.

    Attributes:
        measured: domain to the texts that perplexity is measured on.
        calibration: ``in_domain`` and, where there are PEPs, ``generic``.
        scan: what the layers' sensitivity is measured on.
        skipped: why there is no second domain, '' if there is one.
    """

    measured: dict[str, list[str]]
    calibration: dict[str, list[str]]
    scan: list[str]
    skipped: str = ""


def texts(tables: Path, world: Path, data: Path | None, split: str, seed: int) -> Texts:
    """Documents of a world by pool, and PEPs: every second one is measured on, the others calibrate."""
    pools = {}
    for line in (world / "truth" / "documents.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        pools[row["path"]] = row.get("pool", "")  # the arcs' documents belong to none
    documents: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for chunk in read_chunks(tables):
        documents[pools.get(chunk.source_path, "")][chunk.source_path].append(chunk.text)
    of = {pool: ["\n\n".join(found[path]) for path in sorted(found)] for pool, found in documents.items()}
    for pool, found in of.items():
        stream(seed, "quantize", pool).shuffle(found)
    measured = {"in_domain": of[split]}
    calibration = {"in_domain": of["train"][:CALIBRATION]}
    folder = data / "peps" if data else None
    if folder is None or not folder.is_dir():
        return Texts(measured, calibration, of["dev"], "LABKIT_DATA holds no PEPs")
    peps = [text for file in sorted(folder.rglob("pep-*.rst")) if (text := prose(file.read_text(encoding="utf-8")))]
    stream(seed, "quantize", "peps").shuffle(peps)
    # As many characters of each as a document of the world has; those are fewer tokens where there are fewer numbers.
    length = sum(map(len, measured["in_domain"])) // len(measured["in_domain"])
    peps = [text[:length] for text in peps if len(text) >= length]
    return Texts(measured | {"general": peps[::2]}, calibration | {"generic": peps[1::2][:CALIBRATION]}, of["dev"])


def prose(text: str) -> str:
    """The paragraphs of a reStructuredText file that are sentences: no fields, titles, lists, directives or code."""
    paragraphs = re.split(r"\n\s*\n", text)
    kept = [
        part for part in paragraphs if re.match(r"[A-Z`\"']", part) and len(part) > 200 and part.rstrip()[-1] in ".?!"
    ]
    return "\n\n".join(" ".join(part.split()) for part in kept)
