"""Revisions: the next issue of a controlled document, with the values that hold by then.

The words stay, as they do in offices; only what has changed is replaced. This module does not decide what is revised.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from labkit.world.blocks import Draft, Sentence, map_sentences
from labkit.world.facts import Fact
from labkit.world.prose import Writer
from labkit.world.values import date_surfaces


def revised(draft: Draft, doc_id: str, day: date, replacement: dict[str, Fact], writer: Writer) -> Draft:
    """The next revision of a controlled document: same words, but new values where facts have changed.

    ``replacement`` maps the id of a fact the draft states to the one that holds on ``day``.
    """

    def revise(sentence: Sentence) -> Sentence:
        facts = [replacement.get(fact_id) for fact_id in sentence.facts]
        if not any(facts):
            return sentence
        now = next(fact for fact in facts if fact is not None)
        old = writer.graph.facts[sentence.facts[0]]
        surfaces = sorted(old.surfaces(), key=len, reverse=True)
        said = next((found for surface in surfaces if (found := _found(surface, sentence.text))), "")
        if not said:
            return Sentence((writer.value(now),), (now.fact_id,))
        runs = tuple(replace(run, text=run.text.replace(said, now.value)) for run in sentence.runs)
        since, today = date_surfaces(old.valid_from)[0], date_surfaces(now.valid_from)[0]
        if now is not old and since != said:
            runs = tuple(replace(run, text=run.text.replace(since, today)) for run in runs)
        return Sentence(runs, (now.fact_id,))

    revision = chr(ord(draft.meta.get("revision", "A")) + 1)
    stem, dot, ending = draft.path.rpartition(".")
    return replace(
        draft,
        doc_id=doc_id,
        date=day,
        path=f"{stem}-rev{revision}{dot}{ending}",
        blocks=tuple(map_sentences(draft.blocks, revise)),
        meta={**draft.meta, "revision": revision},
    )


def _found(surface: str, text: str) -> str:
    """The surface as the text writes it; a sentence may begin with it."""
    capital = surface[:1].upper() + surface[1:]
    return surface if surface in text else capital if capital in text else ""
