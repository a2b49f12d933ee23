"""Chunking: offsets exact, order kept, nothing lost but white space, budget held, sections and rows whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.ingest.chunk import assemble, chunk
from labkit.ingest.parse import Block
from labkit.schema import Chunk, Document


def words(text: str) -> int:
    return len(text.split())


def cut(blocks: list[Block], budget: int = 20, doc_id: str = "d") -> tuple[Document, list[Chunk]]:
    text, spans = assemble(blocks)
    document = Document(doc_id=doc_id, source_path="a.md", format="markdown", title="t", text=text, sha256="0" * 64)
    return document, chunk(document, spans, words, budget)


prose = st.text(st.sampled_from("abcdef .!?\nÄ日 "), min_size=1, max_size=400).filter(str.strip)
block = st.one_of(
    st.builds(Block, st.sampled_from(["paragraph", "item", "code", "quote", "reply", "table", "fields"]), prose),
    st.builds(Block, st.just("heading"), st.sampled_from(["One", "Two", "Three"]), st.integers(1, 4)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(block, max_size=12), st.integers(8, 60))
def test_verbatim_ordered_complete_within_budget(blocks: list[Block], budget: int) -> None:
    document, chunks = cut(blocks, budget)
    at = 0
    for ordinal, piece in enumerate(chunks):
        assert piece.ordinal == ordinal
        assert piece.text == document.text[piece.start : piece.end]
        assert not document.text[at : piece.start].strip()
        at = piece.end
        rows = document.text[piece.start : piece.end].count("\n") == 0
        assert piece.tokens <= budget or rows, "only a single row may be longer"
        assert len(piece.text) <= 4 * 8 * budget + 1000
    assert not document.text[at:].strip()
    assert len({piece.chunk_id for piece in chunks}) == len(chunks)


def test_sections_do_not_mix_and_keep_their_path() -> None:
    _, chunks = cut(
        [
            Block("heading", "Guide", 1),
            Block("heading", "Empty", 2),
            Block("heading", "Start", 2),
            Block("paragraph", "Press the button."),
            Block("heading", "Stop", 2),
            Block("paragraph", "Release it."),
        ]
    )
    assert [piece.heading_path for piece in chunks] == [("t", "Guide", "Start"), ("t", "Guide", "Stop")]
    assert chunks[0].text == "Guide\n\nEmpty\n\nStart\n\nPress the button."


def test_rows_are_never_cut() -> None:
    rows = [f"Part: P-{i} | Torque: {i} Nm | Note: hand tight only" for i in range(30)]
    _, chunks = cut([Block("table", "\n".join(rows))], budget=25)
    assert [row for piece in chunks for row in piece.text.split("\n")] == rows
    long_row = "Note: " + "word " * 30
    _, chunks = cut([Block("table", f"{rows[0]}\n{long_row.strip()}")], budget=20)
    assert chunks[1].text == long_row.strip()
    assert chunks[1].tokens > 20


def test_long_paragraphs_end_at_sentences() -> None:
    sentences = [f"Sentence number {i} says do not restart, e.g. Fig. 3 of No. 7." for i in range(12)]
    _, chunks = cut([Block("paragraph", " ".join(sentences))], budget=30)
    assert len(chunks) > 3
    assert all(piece.text.endswith("No. 7.") and piece.text.startswith("Sentence") for piece in chunks)


def test_an_endless_word_is_cut_by_length() -> None:
    _, chunks = cut([Block("paragraph", "x" * 10_000)], budget=20)
    assert "".join(piece.text for piece in chunks) == "x" * 10_000
    assert max(len(piece.text) for piece in chunks) <= 8 * 20


def test_quoted_mail_stands_apart() -> None:
    _, chunks = cut([Block("paragraph", "New."), Block("reply", "> Old."), Block("paragraph", "Newer.")])
    assert [piece.heading_path for piece in chunks] == [("t",), ("t", "quoted reply"), ("t",)]


def test_page_is_the_first_it_stands_on() -> None:
    _, chunks = cut([Block("paragraph", "a " * 18, page=1), Block("paragraph", "b " * 18, page=2)])
    assert [piece.page for piece in chunks] == [1, 2]


def test_ids_survive_an_insertion_elsewhere() -> None:
    parts = [
        Block("heading", "A", 1),
        Block("paragraph", "Alpha."),
        Block("heading", "B", 1),
        Block("paragraph", "Beta."),
    ]
    _, before = cut(parts)
    _, after = cut([Block("heading", "New", 1), Block("paragraph", "Inserted."), *parts])
    assert [piece.chunk_id for piece in before] == [piece.chunk_id for piece in after][1:]
    _, other = cut(parts, doc_id="e")
    assert not {piece.chunk_id for piece in before} & {piece.chunk_id for piece in other}
