"""Duplicates: copies are found, versions and forms are not, and it stays cheap."""

import random
from datetime import date
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.ingest.duplicates import Candidate, find_duplicates, signature, text_hash, words_of
from labkit.ingest.reading import Card

VOCABULARY = [f"word{n}" for n in range(3000)]


def prose(seed: int, length: int = 200) -> list[str]:
    return random.Random(seed).choices(VOCABULARY, k=length)


def candidate(
    path: str, words: list[str], sha256: str = "", scope: tuple[str, ...] = ("t", "staff"), **card: Any
) -> Candidate:
    card.setdefault("title", "Pump manual")
    known = Card(words=len(words), text_hash=text_hash(words), signature=signature(words), **card)
    return Candidate(path, scope, sha256 or path, known)


def grouped(texts: dict[str, list[str]], **options: dict[str, object]) -> dict[str, str]:
    """path → original, for every duplicate found."""
    candidates = [candidate(path, words, **options.get(path, {})) for path, words in texts.items()]  # type: ignore[arg-type]
    return {path: found.original for path, found in find_duplicates(candidates, texts.__getitem__).items()}


def test_equal_bytes_are_exact_and_the_shortest_path_is_the_original() -> None:
    texts = {"a/old/report.txt": prose(1), "a/report.txt": prose(1), "a/Copy of report.txt": prose(1)}
    found = find_duplicates([candidate(p, w, sha256="same") for p, w in texts.items()], texts.__getitem__)
    assert {path: (d.original, d.exact) for path, d in found.items()} == {
        "a/old/report.txt": ("a/report.txt", True),
        "a/Copy of report.txt": ("a/report.txt", True),
    }


def test_an_exact_copy_of_a_near_copy_is_a_near_copy() -> None:
    texts = {"a": prose(1), "a-draft": [*prose(1), "draft"], "a-draft-2": [*prose(1), "draft"]}
    shas = {"a": "one", "a-draft": "two", "a-draft-2": "two"}
    found = find_duplicates([candidate(p, w, sha256=shas[p]) for p, w in texts.items()], texts.__getitem__)
    assert {path: (d.original, d.exact) for path, d in found.items()} == {
        "a-draft": ("a", False),
        "a-draft-2": ("a", False),
    }


def test_an_edited_copy_is_near_and_another_text_is_not() -> None:
    words = prose(2)
    edited = [*words[:60], *words[90:], "draft", "for", "comments"]
    assert grouped({"a": words, "a-draft": edited, "b": prose(3)}) == {"a-draft": "a"}


def test_a_form_filled_in_differently_is_no_duplicate() -> None:
    labels = ["customer", "serial", "fault", "action", "result", "signed", "approved", "returned"]
    rng = random.Random(4)
    forms = [[w for label in labels for w in (label, *rng.choices(VOCABULARY, k=3))] for _ in range(6)]
    assert grouped({f"form-{n}": form for n, form in enumerate(forms)}) == {}


def test_texts_of_one_template_with_other_titles_are_kept() -> None:
    words = prose(11)
    texts = {"cpu": [*words, "processor"], "memory": [*words, "memory"], "cpu-draft": [*words, "processor", "draft"]}
    titles: dict[str, dict[str, object]] = {
        "cpu": {"title": "KubeCPUOvercommit"},
        "memory": {"title": "KubeMemoryOvercommit"},
        "cpu-draft": {"title": "KubeCPUOvercommit (draft)"},
    }
    assert grouped(texts, **titles) == {"cpu-draft": "cpu"}


def test_versions_of_one_document_are_kept_apart() -> None:
    words = prose(5)
    texts = {"m-a": words, "m-b": [*words[:-2], "new", "value"], "m-b-copy": [*words[:-2], "new", "value", "draft"]}
    cards: dict[str, dict[str, object]] = {
        "m-a": {"number": "MA-1", "version": "A"},
        "m-b": {"number": "MA-1", "version": "B"},
        "m-b-copy": {"number": "MA-1", "version": "B"},
    }
    assert grouped(texts, **cards) == {"m-b-copy": "m-b"}


def test_one_number_on_two_days_is_two_documents() -> None:
    texts = {"a": prose(6), "b": [*prose(6), "later"]}
    days: dict[str, dict[str, object]] = {
        "a": {"number": "R-7", "valid_from": date(2025, 1, 1)},
        "b": {"number": "R-7", "valid_from": date(2025, 2, 1)},
    }
    assert grouped(texts, **days) == {}


def test_files_for_other_readers_are_never_duplicates() -> None:
    candidates = [
        candidate("a", prose(7), sha256="x", scope=("t", "staff")),
        candidate("b", prose(7), sha256="x", scope=("t", "board")),
    ]
    assert find_duplicates(candidates, lambda path: prose(7)) == {}


def test_short_notes_are_compared_byte_by_byte_only() -> None:
    note = ["see", "you", "at", "noon"]
    assert grouped({"a": note, "b": note}) == {}


def test_a_thousand_copies_are_compared_with_their_original_only() -> None:
    words = prose(8)
    texts = {f"copy-{n:04d}": [*words, f"mark{n}"] for n in range(1000)}
    asked: list[str] = []

    def counted(path: str) -> list[str]:
        asked.append(path)
        return texts[path]

    found = find_duplicates([candidate(path, w) for path, w in texts.items()], counted)
    assert len(found) == 999
    assert len(asked) <= 2 * 999


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.randoms())
@settings(max_examples=20, deadline=None)
def test_order_does_not_matter_and_originals_are_no_copies(seeds: list[int], rng: random.Random) -> None:
    texts = {f"file-{n}": [*prose(seed), f"mark{n}"] for n, seed in enumerate(seeds)}
    candidates = [candidate(path, words) for path, words in texts.items()]
    found = find_duplicates(candidates, texts.__getitem__)
    rng.shuffle(candidates)
    assert find_duplicates(candidates, texts.__getitem__) == found
    assert not {duplicate.original for duplicate in found.values()} & set(found)


def test_the_signature_ignores_case_punctuation_and_layout() -> None:
    one, other = words_of("The Pump,\n\n- is ON."), words_of("the pump is on")
    assert one == other
    assert signature(one) == signature(other)


def test_estimated_likeness_follows_the_real_one() -> None:
    """The share of equal places in two signatures estimates Jaccard's index (Broder 1997)."""
    base = prose(9, 600)
    shares = []
    for kept in (600, 450, 300, 150):
        other = [*base[:kept], *prose(10, 600 - kept)]
        pairs = zip(memoryview(signature(base)).cast("I"), memoryview(signature(other)).cast("I"), strict=True)
        shares.append(sum(a == b for a, b in pairs) / 128)
    assert shares[0] == 1.0
    assert all(above > below for above, below in pairwise(shares))
