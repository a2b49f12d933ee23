"""Dirt: what happens to good documents on their way into a shared drive, each kind with a truth record.

Dirt comes in three places: in the *look* of a file while it is rendered (boilerplate, hyphenation, torn tables), in its
*blocks* (personal data, planted instructions), and in its *bytes* (encodings). Files nobody can read are extra copies:
no fact is lost with them. This module does not know how any of it is detected.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from labkit.world.blocks import Block, Draft, Look, Message, Paragraph, Sentence, Table, Turn, plain
from labkit.world.compose import extension
from labkit.world.formats import render
from labkit.world.grammar import fill
from labkit.world.pack import Pack
from labkit.world.prose import Scene, Writer

_TEXTUAL = frozenset({"markdown", "html", "text", "csv"})
_PERSONAL = frozenset({"eml", "markdown", "html", "docx", "json", "text"})
_UNDEFINED = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))
_BOMB_BYTES = 300_000_000


@dataclass(slots=True)
class File:
    """One file to write, and the truth about it."""

    path: str
    raw: bytes
    draft: Draft | None
    defects: list[dict[str, Any]] = field(default_factory=list)
    quarantine: str = ""
    """The reason a reader must give for refusing it; '' when it must be read."""
    group: str = ""
    """Duplicate group: files of one group say the same."""
    near: bool = False
    """Whether it differs a little from the others of its group."""


class Soiler:
    """Puts dirt on the documents of one cell."""

    def __init__(self, pack: Pack, writer: Writer, rng: random.Random) -> None:
        self.pack, self.writer, self.rng = pack, writer, rng
        self.rates = pack.dirt.rates
        self._owed: dict[str, float] = {}

    def files(self, draft: Draft, scene: Scene | None) -> Iterator[File]:
        """The file of a draft, and whatever copies of it lie around."""
        draft, defects = self._in_blocks(draft, scene)
        look, shown = self._look(draft)
        raw = render(draft, look)
        raw, spoiled = self._encoded(raw, draft.format)
        for kind, mark in (("superseded", "superseded_by"), ("other_language", "language")):
            if mark in draft.meta:
                defects.append({"kind": kind})
        main = File(draft.path, raw, draft, [*defects, *shown, *spoiled])
        copies = [*self._copies(main, look)]
        if copies and any(copy.draft is not None for copy in copies):
            main.group = draft.doc_id
        yield main
        yield from copies

    def clean_file(self, draft: Draft) -> Iterator[File]:
        """A story's document: only the dirt that its page would have anyway."""
        look, shown = self._look(draft)
        yield File(draft.path, render(draft, look), draft, shown)

    def _hit(self, kind: str) -> bool:
        """Whether the next eligible document gets it: the n-th, 2n-th … at a rate of 1/n, from a random start.

        So a small world gets its share of rare kinds too, and none by luck alone.
        """
        owed = self._owed.get(kind, self.rng.random()) + self.rates.get(kind, 0.0)
        self._owed[kind] = owed % 1.0
        return owed >= 1.0

    # In the blocks

    def _in_blocks(self, draft: Draft, scene: Scene | None) -> tuple[Draft, list[dict[str, Any]]]:
        defects: list[dict[str, Any]] = []
        if scene is None or draft.format not in _PERSONAL or draft.doc_class == "chat_export":
            return draft, defects
        if self.pack.dirt.pii and self._hit("pii"):
            bank, lines = self.rng.choice(sorted(self.pack.dirt.pii.items()))
            found = self.writer.passage(("dirt", bank), lines, scene)
            if found:
                draft = _inserted(draft, found[1], self.rng)
                defects.append({"kind": "pii"})
        lines = self.pack.dirt.injection.get("lines", ())
        if lines and self._hit("injection"):
            text = fill(self.rng.choice(lines), self.rng, {})
            draft = _inserted(draft, plain(text), self.rng)
            defects.append({"kind": "injection", "text": text})
        return draft, defects

    # In the look

    def _look(self, draft: Draft) -> tuple[Look, list[dict[str, Any]]]:
        look, kinds = Look(), []
        material = self.pack.dirt.boilerplate
        if self._hit("boilerplate"):
            wanted = {
                "html": ("navigation", "cookie", "footer"),
                "pdf": ("running_head", "footer"),
                "pdf2": ("running_head", "footer"),
                "docx": ("footer",),
                "eml": ("disclaimer", "signature"),
            }.get(draft.format, ())
            chosen: dict[str, Any] = {n: self._boilerplate(draft, material[n]) for n in wanted if material.get(n)}
            look = Look(**chosen)
            kinds += [{"kind": "boilerplate", **chosen}] if chosen else []
        if draft.format == "pdf2" and self._hit("hyphenation"):
            look = replace(look, hyphenate=True)
            kinds.append({"kind": "hyphenation"})
        tables = any(isinstance(block, Table) for block in draft.blocks)
        if draft.format in {"pdf", "pdf2"} and tables and self._hit("table_split"):
            look = replace(look, split_tables=True)
            kinds.append({"kind": "table_split"})
        return look, kinds

    def _boilerplate(self, draft: Draft, lines: tuple[str, ...]) -> str:
        values = {
            "author": draft.author,
            "author.first": draft.author.split()[0],
            "author.last": draft.author.split()[-1],
            "date": draft.date.isoformat(),
            "year": str(draft.date.year),
        }
        return fill(self.rng.choice(lines), self.rng, values)

    # In the bytes

    def _encoded(self, raw: bytes, format_name: str) -> tuple[bytes, list[dict[str, Any]]]:
        if format_name not in _TEXTUAL or raw.isascii():
            return raw, []
        text = raw.decode()
        if self._hit("mojibake"):
            wrong = misread(text)
            if wrong != text:
                return wrong.encode(), [{"kind": "mojibake", "characters": sum(not c.isascii() for c in text)}]
        if self._hit("wrong_encoding"):
            encoding = self.rng.choice(("cp1252", "utf-16"))
            try:
                # An explicit byte order, so that the bytes do not depend on this machine.
                other = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16" else text.encode(encoding)
            except UnicodeEncodeError:
                return raw, []
            return other, [{"kind": "wrong_encoding", "encoding": encoding}]
        return raw, []

    # Copies

    def _copies(self, main: File, look: Look) -> Iterator[File]:
        draft = main.draft
        assert draft is not None
        folder, _, name = main.path.rpartition("/")
        stem, _, ending = name.rpartition(".")
        if self._hit("exact_duplicate"):
            path = f"{folder}/{self.rng.choice((f'Copy of {name}', f'{stem} (1).{ending}', f'old/{name}'))}"
            copy = replace(draft, doc_id=f"{draft.doc_id}x", path=path)
            yield File(path, main.raw, copy, [{"kind": "exact_duplicate"}, *main.defects], group=draft.doc_id)
        if draft.format not in {"xlsx", "csv"} and self._hit("near_duplicate"):
            yield self._near(draft, look, folder, stem)
        if draft.format in {"pdf", "pdf2", "docx"} and self._hit("image_only"):
            scan = replace(draft, doc_id=f"{draft.doc_id}i", path=f"{folder}/scan_{stem}.pdf", format="pdf")
            raw = render(scan, Look(image_only=True))
            yield File(
                scan.path, raw, scan, [{"kind": "image_only"}], quarantine="no_text", group=draft.doc_id, near=True
            )
        yield from self._unreadable(main, folder, stem, ending)

    def _near(self, draft: Draft, look: Look, folder: str, stem: str) -> File:
        """A copy somebody edited: a draft mark, one sentence gone, one comment in."""
        rng = self.rng
        blocks = list(draft.blocks)
        loose = [n for n, b in enumerate(blocks) if isinstance(b, Paragraph) and not any(s.facts for s in b.sentences)]
        if len(loose) > 2:
            del blocks[rng.choice(loose)]
        mark = rng.choice(("DRAFT – for comments", "Working copy", "v0.9, not yet released", "as sent to the customer"))
        format_name = rng.choice(
            [f for f in ("markdown", "docx", "html", draft.format) if draft.format not in {"json", "eml"}]
            or [draft.format]
        )
        path = f"{folder}/{stem}_{rng.choice(('draft', 'v2', 'final', 'edited', 'kopie'))}.{extension(format_name)}"
        copy = replace(draft, doc_id=f"{draft.doc_id}n", path=path, format=format_name,
                       blocks=(*_marked(draft, mark), *blocks))  # fmt: skip
        return File(path, render(copy, look), copy, [{"kind": "near_duplicate"}], group=draft.doc_id, near=True)

    def _unreadable(self, main: File, folder: str, stem: str, ending: str) -> Iterator[File]:
        rng = self.rng
        if self._hit("zero_byte"):
            yield File(f"{folder}/{stem}-upload.{ending}", b"", None, [{"kind": "zero_byte"}], quarantine="empty")
        if ending in {"pdf", "docx", "xlsx"} and self._hit("truncated"):
            cut = int(len(main.raw) * rng.uniform(0.3, 0.8))
            yield File(
                f"{folder}/{stem}~part.{ending}", main.raw[:cut], None, [{"kind": "truncated"}], quarantine="corrupt"
            )
        if self._hit("mislabelled"):
            wrong = rng.choice(("pdf", "docx", "xlsx", "html"))
            yield File(f"{folder}/{stem}_attachment.{wrong}", _picture(rng), None, [{"kind": "mislabelled"}],
                       quarantine="mislabelled")  # fmt: skip
        if self._hit("encrypted"):
            raw = _encrypted(main.draft.title if main.draft else stem)
            yield File(f"{folder}/{stem}_protected.pdf", raw, None, [{"kind": "encrypted"}], quarantine="encrypted")
        if self._hit("bomb"):
            yield File(f"{folder}/{stem}_export.{rng.choice(('docx', 'xlsx'))}", bomb(), None, [{"kind": "bomb"}],
                       quarantine="bomb")  # fmt: skip


def misread(text: str) -> str:
    """UTF-8 read as Windows-1252, the way programs do: the five bytes it leaves undefined pass as they are.

    So no byte is lost and the damage can be undone.
    """
    return "".join(chr(byte) if byte in _UNDEFINED else bytes((byte,)).decode("cp1252") for byte in text.encode())


def _inserted(draft: Draft, passage: Sentence, rng: random.Random) -> Draft:
    """The draft with a paragraph more: after another paragraph where there is one, in a mail before the greeting."""
    blocks: list[Block] = list(draft.blocks)
    messages = [n for n, block in enumerate(blocks) if isinstance(block, Message)]
    if messages:
        place = rng.choice(messages)
        message = blocks[place]
        assert isinstance(message, Message)
        inner = list(message.blocks)
        inner.insert(max(1, len(inner) - 1), Paragraph((passage,)))
        blocks[place] = replace(message, blocks=tuple(inner))
    else:
        after_text = [n for n in range(1, len(blocks)) if isinstance(blocks[n - 1], Paragraph)]
        place = rng.choice(after_text) if after_text else len(blocks)
        blocks.insert(place, Paragraph((passage,)))
    return replace(draft, blocks=tuple(blocks))


def _marked(draft: Draft, mark: str) -> tuple[Block, ...]:
    return () if any(isinstance(block, Message | Turn) for block in draft.blocks) else (Paragraph((plain(mark),)),)


def _picture(rng: random.Random) -> bytes:
    """A tiny PNG of noise under somebody else's extension."""
    image = Image.frombytes("L", (32, 32), rng.randbytes(1024))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _encrypted(title: str) -> bytes:
    """A PDF that asks for a password."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1, encrypt=StandardEncryption("tide", ownerPassword="water", strength=128))
    canvas.drawString(72, 720, title)
    canvas.save()
    return out.getvalue()


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """An Office archive of a few hundred kilobytes that would unpack to 300 MB of spaces."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        kinds = zipfile.ZipInfo("[Content_Types].xml", (2024, 1, 1, 0, 0, 0))
        archive.writestr(kinds, '<?xml version="1.0"?><Types/>')
        info = zipfile.ZipInfo("word/document.xml", (2024, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as target:
            block = b" " * 1_000_000
            for _ in range(_BOMB_BYTES // len(block)):
                target.write(block)
    return out.getvalue()
