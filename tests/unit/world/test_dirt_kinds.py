"""Each kind of dirt, at rate 1.0: that it happens, and that it does what it says."""

import io
import random
import zipfile
from dataclasses import replace
from datetime import date

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labkit.world.blocks import Draft, Heading, Message, Pairs, Paragraph, Run, Table, plain
from labkit.world.chance import stream
from labkit.world.cleantext import flatten
from labkit.world.dirt import File, Soiler, misread
from labkit.world.entries import KINDS, Dirt
from labkit.world.facts import FactGraph
from labkit.world.pack import Pack
from labkit.world.prose import Scene, Writer

DAY = date(2025, 3, 14)


def pdf_pages(raw: bytes) -> list[str]:
    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(raw)]


PROSE = "Über the bay the lamp – a cheap one – reads 18 °C, and “nobody” minds."


def draft(format_name: str = "markdown", ending: str = "") -> Draft:
    blocks = (
        Heading("What we saw"),
        Paragraph((plain(PROSE),)),
        Paragraph((plain("A second paragraph about nothing in particular."),)),
        Paragraph((plain("It takes 18 N·m.", "f1"),)),
        Table(("Code", "Time"), tuple((plain(f"C-{n}"), plain(f"{n} minutes")) for n in range(90))),
        Paragraph((plain("Interchangeable manipulators necessitate documentation of everything. " * 9),)),
        Pairs((("Place", plain("room 4")),)),
    )
    path = f"memos/m.{ending or format_name}"
    meta = {"author": "Ada Berg"}
    return Draft("d1", "memo", "train", path, format_name, "Memo", "Ada Berg", DAY, blocks, meta=meta, seed=4)


def soiled(pack: Pack, graph: FactGraph, kind: str, made: Draft, seed: int = 1) -> list[File]:
    rates = {} if kind == "none" else {kind: 1.0}
    dirty = replace(pack, dirt=pack.dirt.model_copy(update={"rates": rates}))
    about = graph.of_kind("incident", "train")[0]
    writer = Writer(pack, graph, stream(seed, "words"))
    scene = Scene(pack, graph, about, DAY, random.Random(seed))
    return list(Soiler(dirty, writer, random.Random(seed)).files(made, scene))


def kinds(file: File) -> list[str]:
    return [defect["kind"] for defect in file.defects]


def test_every_kind_has_a_rate(pack: Pack):
    assert set(pack.dirt.rates) == set(KINDS)
    assert all(0 < rate <= 1 for rate in pack.dirt.rates.values())


def test_without_rates_nothing_happens(pack: Pack, graph: FactGraph):
    (file,) = soiled(pack, graph, "none", draft())
    assert file.defects == []
    assert PROSE in file.raw.decode()


def test_rates_are_kept_even_in_few_documents(pack: Pack, graph: FactGraph):
    dirty = replace(pack, dirt=Dirt(rates={"zero_byte": 0.1}))
    soiler = Soiler(dirty, Writer(pack, graph, random.Random(0)), random.Random(0))
    assert sum(len(list(soiler.files(draft(), None))) - 1 for _ in range(30)) == 3


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",))))
def test_mojibake_loses_no_byte(text: str):
    wrong = misread(text)
    assert b"".join(c.encode("latin-1" if 0x7F < ord(c) < 0xA0 else "cp1252") for c in wrong).decode() == text


def test_mojibake(pack: Pack, graph: FactGraph):
    (file,) = soiled(pack, graph, "mojibake", draft())
    assert kinds(file) == ["mojibake"]
    assert "Ãœber" in file.raw.decode()
    assert "â€“" in file.raw.decode()


def test_wrong_encoding_is_one_of_two_and_not_utf_8(pack: Pack, graph: FactGraph):
    seen = set()
    for seed in range(8):
        (file,) = soiled(pack, graph, "wrong_encoding", draft("text", "txt"), seed)
        encoding = file.defects[0]["encoding"]
        seen.add(encoding)
        assert "Über the bay" in file.raw.decode(encoding)
        with pytest.raises(UnicodeDecodeError):
            file.raw.decode("utf-8")
    assert seen == {"cp1252", "utf-16"}


def test_exact_duplicate(pack: Pack, graph: FactGraph):
    main, copy = soiled(pack, graph, "exact_duplicate", draft())
    assert copy.raw == main.raw
    assert copy.path != main.path
    assert main.group == copy.group == "d1"
    assert "exact_duplicate" in kinds(copy)


def test_near_duplicate(pack: Pack, graph: FactGraph):
    for seed in range(6):
        main, copy = soiled(pack, graph, "near_duplicate", draft(), seed)
        assert copy.raw != main.raw
        assert copy.group == main.group
        assert copy.near
        assert not main.near
        assert copy.draft is not None
        said = flatten(copy.draft)
        assert "It takes 18 N·m." in said.text
        assert [s.label for s in said.evidence] == ["f1"]


def test_boilerplate(pack: Pack, graph: FactGraph):
    (file,) = soiled(pack, graph, "boilerplate", draft("html"))
    assert set(file.defects[0]) == {"kind", "navigation", "cookie", "footer"}
    assert file.defects[0]["navigation"].split("|")[0].strip().replace("&", "&amp;") in file.raw.decode()


@pytest.mark.parametrize("format_name", ["pdf", "docx", "xlsx"])
def test_truncated_cannot_be_read(pack: Pack, graph: FactGraph, format_name: str):
    main, cut = soiled(pack, graph, "truncated", draft(format_name))
    assert main.raw.startswith(cut.raw)
    assert len(cut.raw) < len(main.raw)
    assert cut.quarantine == "corrupt"
    if format_name == "pdf":
        with pytest.raises(pypdfium2.PdfiumError):
            pypdfium2.PdfDocument(cut.raw)
    else:
        with pytest.raises(zipfile.BadZipFile):
            zipfile.ZipFile(io.BytesIO(cut.raw))


def test_zero_byte(pack: Pack, graph: FactGraph):
    _, empty = soiled(pack, graph, "zero_byte", draft())
    assert (empty.raw, empty.quarantine, empty.draft) == (b"", "empty", None)


def test_mislabelled_is_a_picture(pack: Pack, graph: FactGraph):
    _, wrong = soiled(pack, graph, "mislabelled", draft())
    assert not wrong.path.endswith(".png")
    assert Image.open(io.BytesIO(wrong.raw)).format == "PNG"
    assert wrong.quarantine == "mislabelled"


def test_encrypted_asks_for_a_password(pack: Pack, graph: FactGraph):
    _, locked = soiled(pack, graph, "encrypted", draft())
    with pytest.raises(pypdfium2.PdfiumError, match="assword"):
        pypdfium2.PdfDocument(locked.raw)
    assert len(pypdfium2.PdfDocument(locked.raw, password="tide")) == 1


def test_a_bomb_expands(pack: Pack, graph: FactGraph):
    _, trap = soiled(pack, graph, "bomb", draft())
    unpacked = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(trap.raw)).infolist())
    assert unpacked > 200 * len(trap.raw)
    assert unpacked > 2 * 10**8


def test_table_split_and_hyphenation(pack: Pack, graph: FactGraph):
    (torn,) = soiled(pack, graph, "table_split", draft("pdf"))
    assert kinds(torn) == ["table_split"]
    assert sum("Code" in page for page in pdf_pages(torn.raw)) == 1
    (cut,) = soiled(pack, graph, "hyphenation", draft("pdf2", "pdf"))
    assert kinds(cut) == ["hyphenation"]
    assert any(mark in page for page in pdf_pages(cut.raw) for mark in ("\ufffe", "\u0002", "-\r\n"))


def test_image_only_is_an_extra_copy_without_text(pack: Pack, graph: FactGraph):
    main, scan = soiled(pack, graph, "image_only", draft("docx"))
    assert main.defects == []
    assert scan.quarantine == "no_text"
    assert "".join(pdf_pages(scan.raw)).strip() == ""


def test_personal_data_is_marked_where_it_stands(pack: Pack, graph: FactGraph):
    marked = 0
    for seed in range(8):
        (file,) = soiled(pack, graph, "pii", draft(), seed)
        assert kinds(file) == ["pii"]
        assert file.draft is not None
        clean = flatten(file.draft)
        for span in clean.pii:
            marked += 1
            words = clean.text[span.start : span.end]
            assert words in file.raw.decode()
            assert span.label != "email" or words.endswith(".example")
    assert marked >= 8


def test_injection_is_recorded_word_for_word(pack: Pack, graph: FactGraph):
    (file,) = soiled(pack, graph, "injection", draft())
    assert file.defects[0]["text"] in file.raw.decode()


def test_what_goes_into_a_mail_stands_above_its_last_paragraph(pack: Pack, graph: FactGraph):
    parts = tuple(Paragraph((plain(text),)) for text in ("Dear Bo,", "the news.", "Bye, Ada"))
    message = Message(Run("Ada"), Run("a@x.example"), Run("Bo"), Run("b@x.example"), DAY, "10:00", parts)
    (file,) = soiled(pack, graph, "injection", replace(draft("eml"), blocks=(message,)))
    assert file.draft is not None
    changed = file.draft.blocks[0]
    assert isinstance(changed, Message)
    assert len(changed.blocks) == 4
    assert changed.blocks[0] == parts[0]
    assert changed.blocks[-1] == parts[-1]


@pytest.mark.parametrize(("mark", "kind"), [("superseded_by", "superseded"), ("language", "other_language")])
def test_what_was_planned_as_dirt_is_recorded(pack: Pack, graph: FactGraph, mark: str, kind: str):
    (file,) = soiled(pack, graph, "none", replace(draft(), meta={mark: "x"}))
    assert kinds(file) == [kind]
