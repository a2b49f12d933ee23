"""Repair of wrongly decoded text: damage of any real text is undone, real text is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.ingest.clean import clean
from labkit.ingest.mojibake import is_damaged, repair
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.sniff import sniff

REAL = (
    "Grüße aus Köln – „Straße“ geschlossen",
    "Zażółć gęślą jaźń, Łódź i Żywiec",
    "naïve café, façade, œuvre, « déjà vu »",
    "18 N·m ± 2 %, 23 °C, 5 m³, 3 × 4 µm",
    "Håkon, Åse og Øystein på Ærø",
    "¿Qué tal? ¡Mañana! 50 €",
    "naive plain words",
    "def f(x): return x ** 2  # ok",
    "it’s “quoted” … and – dashed",
    "日本語のテキスト と 中文",
    "Привет, мир",
    "🙂 fine 👍🏽",
    "Ħ Ș ț ő ű ğ ı",
)
LINES = st.lists(st.sampled_from(REAL), min_size=1, max_size=6).map("\n".join)


def misread(text: str) -> str:
    """UTF-8 read as windows-1252 the way programs do, undefined bytes passed through."""
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or chr(byte) if byte > 0x7F else chr(byte) for byte in text.encode()
    )


@settings(deadline=None)
@given(LINES)
def test_real_text_is_left_alone(text: str) -> None:
    assert repair(text) == text
    assert not is_damaged(text)


@settings(deadline=None)
@given(LINES)
def test_damage_is_undone(text: str) -> None:
    assert repair(misread(text)) == text
    assert repair(misread(misread(text))) == text


@settings(deadline=None)
@given(LINES, LINES)
def test_good_lines_beside_damaged_ones_are_kept(good: str, other: str) -> None:
    assert repair(f"{good}\n{misread(other)}") == f"{good}\n{other}"


@settings(deadline=None)
@given(st.text(alphabet="abcäöüßéèêñçåøłż ,.-–’", max_size=60))
def test_invented_words_are_left_alone(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", "<html><body><p>{}</p></body></html>"), ("a.md", "# {}\n\ntext\n"), ("a.txt", "{}\n"),
        ("a.csv", "a,b\n{},1\n"), ("a.json", '{{"a": "{}"}}'),
    ],
)  # fmt: skip
def test_files_are_repaired_before_parsing(name: str, content: str) -> None:
    text = "Łódź à Köln”"  # its damage holds control characters and a no-break space
    found = sniff(name, content.format(misread(text)).encode())
    assert (found.content, found.defects) == (content.format(text), ["mojibake"])
    assert sniff(name, content.format(text).encode()).defects == []


def test_blocks_are_repaired_with_the_evidence_of_the_document() -> None:
    # One degree sign alone proves nothing; beside damaged text it does.
    blocks = [Block("paragraph", misread("Grüße – „so“")), Block("item", misread("23 °C")), Block("item", "5 °C")]
    cleaned = clean(Parsed(blocks, title=misread("Prüfung")))
    assert [block.text for block in cleaned.blocks] == ["Grüße – „so“", "23 °C", "5 °C"]
    assert (cleaned.title, cleaned.defects) == ("Prüfung", ["mojibake"])
