"""The name tagger: sentences of our own, and the artefact it comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import ModelError, ModelMismatch
from labkit.pii import find, model


def names(*texts: str) -> list[str]:
    return [texts[hit.index][hit.start : hit.end] for hit in find(texts) if hit.kind == "person"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kind regards, Marguerite Oyelowo", ["Marguerite Oyelowo"]),
        ("From: Tobias Kranz <t.kranz@firm.example>", ["Tobias Kranz"]),
        ("The valve was changed by Henrik Solberg on Monday.", ["Henrik Solberg"]),
        ("We met Jan van der Berg and Sean O'Connor at the dock.", ["Jan van der Berg", "Sean O'Connor"]),
        ("Thanks to Niall O'Connor, who has the key.", ["Niall O'Connor"]),
        ("Please ask Mr Harrington whether the pump runs.", ["Harrington"]),
        ("Line lead: Aleksandra Wójcik", ["Aleksandra Wójcik"]),
        ("10:42 Priscilla: who moved the pallet", ["Priscilla"]),
    ],
)
def test_names_in_plain_sentences(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Replace the Filter and close the Cover.",
        "Monday, 3 March: Forklift Safety Training in Hall B",
        "The parts come from Germany and go to Rotterdam.",
        "The torque of E-417 on the Kestrel X2 gripper is 18 Nm.",
        "QUARTERLY REPORT",
        "Open the valve. Check the pressure. Wait. Restart.",
        "Supplier: Bosch Rexroth GmbH",
        "E-mail the form. Re-check the Wi-Fi. We've no hand-held scanner.",
    ],
)
def test_things_are_nobody(text: str) -> None:
    assert names(text) == []


def test_a_name_introduced_once_is_found_where_it_stands_alone() -> None:
    first = "Ottilie Brandauer (ottilie.brandauer@firm.example) received us."
    texts = ("Visit", first, "Then Brandauer left.", "Dear Ottilie,")
    assert names(*texts) == ["Ottilie Brandauer", "Brandauer", "Ottilie"]


def test_a_surname_repeated_alone_is_the_person_who_was_named_in_full() -> None:
    texts = ("Call", "Lorenzo Kowalczyk rang at noon.", "Kowalczyk was in a hurry.")
    assert names(*texts) == ["Lorenzo Kowalczyk", "Kowalczyk"]


def test_nouns_of_a_german_text_are_nobody() -> None:
    text = (
        "Am Freitag gibt es Kuchen im Pausenraum, solange der Vorrat reicht. Bitte legt eure Schlüssel in den Kasten "
        "neben der Treppe. Nach zwei Wochen geht die Brotdose in den Besitz der Nachtschicht über."
    )
    assert names(text) == []


def test_words_longer_than_a_name_do_not_shift_what_follows() -> None:
    assert names("a" * 70 + " and " + "9" * 70 + ": signed by Henrik Solberg") == ["Henrik Solberg"]


def test_the_artefact_is_small_and_the_pinned_one() -> None:
    assert model.FILE.stat().st_size <= 1_000_000
    model.load.cache_clear()
    model.load()


def test_a_changed_or_missing_artefact_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "names.npz"
    changed.write_bytes(model.FILE.read_bytes() + b"x")
    monkeypatch.setattr(model, "FILE", changed)
    model.load.cache_clear()
    with pytest.raises(ModelMismatch, match=r"labkit\.tune\.names"):
        model.load()
    changed.unlink()
    with pytest.raises(ModelError, match="missing"):
        model.load()


def test_word_lists_answer_for_what_was_put_in() -> None:
    row = model.word_filter(["ada", "grace"])
    assert row.any()
    lists = model.load().lists
    assert "g" in lists("maria")
    assert "c" in lists("the")
    assert lists("qzxvkj") == ""
