"""HTML: the content of a page, without its navigation.

Two kinds of page are told apart by what they say about themselves. Articles of news sites and blogs are surrounded by
teasers that look like content: there trafilatura is set to precision, and believed if it holds the running text as
readability would find it. Other pages must lose nothing: their main element is walked as a whole where they mark one,
else trafilatura's default is taken. Where extraction gives up or keeps too little, as on short pages made of tables,
everything is walked that is not recognised as surroundings.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.surroundings import (
    is_teaser,
    main_part,
    measures,
    prose,
    prune_surroundings,
    prune_teasers,
    says_news,
)
from labkit.ingest.parse.tables import render_table

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs an error for every page it finds little on

_SHARE, _ENOUGH_WORDS, _ENOUGH_SHARE = 0.4, 200, 0.1
"""An extraction is believed if it keeps this share of the body's words, or this many words and the smaller share."""
_AGREED = 0.75
"""Share of the words of the page's running text that an extraction in precision mode must hold."""
_ELEMENTS, _DEPTH = 40_000, 400
"""Elements and nesting of a page beyond which it is walked instead of extracted from."""
_BLOCK = {
    "p", "div", "section", "article", "main", "header", "body", "li", "ul", "ol", "dl", "dt", "dd", "table", "pre",
    "blockquote", "figure", "figcaption", "address", "details", "summary", "center", "hr", "fieldset", "nav", "footer",
    "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip
_HEADING = re.compile(r"h([1-6])")
_DATE_META = (
    "date",
    "dc.date",
    "dcterms.date",
    "article:published_time",
    "datepublished",
    "last-modified",
    "effective",
)


def parse_html(content: str) -> Parsed:
    """Parse a page; its ``<meta>`` elements become metadata."""
    # A declared encoding is over once the text is decoded, and lxml refuses it.
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", content) or "<html/>"
    try:
        tree = lxml_html.document_fromstring(source, parser=lxml_html.HTMLParser(huge_tree=True))
    except etree.ParserError:  # no element is left, of "</p>" for instance
        return Parsed([])
    metadata = _metadata(tree)
    title = " ".join((tree.findtext(".//title") or "").split())
    language = (tree.get("lang") or "")[:2].lower()
    news = says_news(tree, metadata)
    body = _body(tree)
    sizes = measures(tree)
    main = main_part(body, sizes)
    running = prose(body, sizes) if news else []
    prune_surroundings(body, sizes)
    if news:
        prune_teasers(body, sizes)
    everything = list(_walk(main))
    blocks = everything
    # The extractor recurses, and takes seconds for what is more of a database than a page.
    if len(sizes) <= _ELEMENTS and max(size.depth for size in sizes.values()) <= _DEPTH:
        if news:
            blocks = _article(tree, everything, running)
        elif main is body:
            blocks = _document(tree, everything)
    if news:
        blocks = [block for block in blocks if not is_teaser(block.text)]
        while blocks and blocks[-1].kind == "heading":  # of a teaser whose links are gone
            blocks.pop()
    heading = next((block.text for block in everything if block.kind == "heading" and block.level == 1), "")
    if heading and heading not in title and not any(b.kind == "heading" and b.text == heading for b in blocks):
        blocks = [Block("heading", heading, 1), *blocks]
    return Parsed(blocks, title=title or heading, metadata=metadata, language=language)


def _article(tree: Any, everything: list[Block], running: list[str]) -> list[Block]:
    """The text of a news page: the extraction that holds most of its running text, precision first."""
    total = _words(everything)
    spare = deepcopy(tree)  # the extractor works on the tree itself
    precise = _extract(tree, precision=True)
    held = _share_held(running, precise)
    if _is_enough(_words(precise), total) and held >= _AGREED:
        return precise
    wider = _extract(spare, precision=False)
    best = wider if _share_held(running, wider) > held or not precise else precise
    return best if _is_enough(_words(best), total) else everything


def _document(tree: Any, everything: list[Block]) -> list[Block]:
    """The text of any other page that marks no main element."""
    extracted = _extract(tree, precision=False)
    return extracted if _is_enough(_words(extracted), _words(everything)) else everything


def _share_held(running: list[str], blocks: list[Block]) -> float:
    """Share of the words of the paragraphs ``running`` that stand in the blocks."""
    text = " ".join(" ".join(block.text.split()) for block in blocks)
    sizes = [(len(paragraph.split()), paragraph[:60] in text) for paragraph in running]
    return sum(words for words, held in sizes if held) / max(1, sum(words for words, _ in sizes)) if running else 1.0


def _is_enough(kept: int, total: int) -> bool:
    return kept >= _SHARE * total or (kept >= _ENOUGH_WORDS and kept >= _ENOUGH_SHARE * total)


def _words(blocks: list[Block]) -> int:
    return sum(len(block.text.split()) for block in blocks)


def _metadata(tree: Any) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("name") or meta.get("property") or meta.get("itemprop")
        if name and meta.get("content"):
            metadata.setdefault(name.strip().lower(), " ".join(meta.get("content").split()))
    for name in _DATE_META:
        if name in metadata:
            metadata.setdefault("date", metadata[name])
    return metadata


def _extract(tree: Any, *, precision: bool) -> list[Block]:
    """Blocks of the main text as trafilatura finds it; none if it gave up."""
    from trafilatura import bare_extraction

    found = bare_extraction(
        tree, include_comments=False, include_tables=True, include_links=False, favor_precision=precision
    )
    if found is None or found.body is None:
        return []
    if len(found.body) == 1 and "\n" in (found.body[0].text or ""):
        return []  # its last resort: every text of the page, navigation included, in one paragraph
    return list(_extracted(found.body))


def _extracted(body: Any) -> Iterator[Block]:
    for element in body:
        kind = element.tag
        if kind == "head":
            match = _HEADING.fullmatch(element.get("rend") or "")
            if text := _text(element):
                yield Block("heading", text, int(match[1]) if match else 3)
        elif kind == "table":
            header = next(iter(element.iter("row")), None)
            marked = header is not None and all(cell.get("role") == "head" for cell in header.iter("cell"))
            rows = [[_text(cell) for cell in row.iter("cell")] for row in element.iter("row")]
            if text := render_table(rows, header=True if marked else None):
                yield Block("table", text)
        elif kind == "list":
            yield from _items(element)
        elif kind == "code":
            if text := "".join(element.itertext()).strip("\n"):
                yield Block("code", text)
        elif text := _text(element):
            yield Block("quote" if kind == "quote" else "paragraph", text)


def _items(element: Any) -> Iterator[Block]:
    """List items; a definition stands on one line with the term it defines."""
    term = ""
    for item in element.iter("item"):
        text, kind = _text(item), item.get("rend") or ""
        if kind.startswith("dt"):
            if term:
                yield Block("item", f"- {term}")
            term = text
        elif text:
            yield Block("item", f"- {term}: {text}" if term and kind.startswith("dd") else f"- {text}")
            term = ""
    if term:
        yield Block("item", f"- {term}")


def _body(tree: Any) -> Any:
    body = tree.find("body")
    return tree if body is None else body


def _walk(element: Any) -> Iterator[Block]:
    """Blocks of everything below an element."""
    run: list[str] = []

    def flush() -> Iterator[Block]:
        text = " ".join("".join(run).split())
        run.clear()
        if text:
            yield Block("paragraph", text)

    # (element, text after it): an explicit stack, because pages nest deeper than Python recurses.
    stack: list[Any] = [element]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            run.append(node)
            continue
        if node is None:
            yield from flush()
            continue
        if not isinstance(node.tag, str):
            continue
        if node.tag in _BLOCK:
            yield from flush()
        if match := _HEADING.fullmatch(node.tag):
            if text := _text(node):
                yield Block("heading", text, int(match[1]))
        elif node.tag == "pre":
            if text := "".join(node.itertext()).strip("\n"):
                yield Block("code", text)
        elif node.tag == "table" and not _holds(node, "table"):
            yield from _table(node)
        elif node.tag == "dl" and not _holds(node, "table", "pre", "ul", "ol", "dl"):
            yield from _definitions(node)
        elif node.tag == "li" and not _holds(node, "li", "table", "pre"):
            if text := _text(node):
                yield Block("item", f"- {text}")
        elif node.tag == "blockquote" and not _holds(node, "ul", "ol", "table", "pre", "blockquote"):
            for part in [node] if (node.text or "").strip() or node.xpath("./*[not(self::p)]") else node.xpath("./p"):
                if text := _text(part):
                    yield Block("quote", text)
        elif node.tag == "br":
            run.append("\n")
        else:
            below: list[Any] = [node.text or ""]
            for child in node:
                below += [child, child.tail or ""]
            if node.tag in _BLOCK:
                below.append(None)
            stack += reversed(below)
    yield from flush()


def _holds(node: Any, *tags: str) -> bool:
    """Whether such an element stands anywhere below; found at the first, where XPath would collect all."""
    found = node.iter(*tags)
    first = next(found, None)
    return (next(found, None) if first is node else first) is not None


def _definitions(node: Any) -> Iterator[Block]:
    """Terms and what is said of each, one item a term; a term may have several."""
    term = ""
    for part in node.iter("dt", "dd"):
        text = _text(part)
        if part.tag == "dt":
            if term:
                yield Block("item", f"- {term}")
            term = text
        elif text:
            yield Block("item", f"- {term}: {text}" if term else f"- {text}")
            term = ""
    if term:
        yield Block("item", f"- {term}")


def _table(node: Any) -> Iterator[Block]:
    if caption := _text(node.find("caption")) if node.find("caption") is not None else "":
        yield Block("paragraph", caption)
    rows = node.xpath(".//tr")
    cells = [[_text(cell) for cell in row.xpath("./td|./th")] for row in rows]
    marked = bool(rows) and not rows[0].xpath("./td") and len(rows) > 1
    if text := render_table(cells, header=True if marked else None):
        yield Block("table", text)


def _text(element: Any) -> str:
    """All text below an element on one line; block children do not run into each other."""
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end", "comment")):
        if event == "comment" or not isinstance(node.tag, str):
            continue
        if event == "start":
            parts.append(" " if node.tag in _BLOCK or node.tag in ("br", "lb", "p") else "")
            parts.append(node.text or "" if node.tag not in ("script", "style") else "")
        else:
            parts.append(" " if node.tag in _BLOCK or node.tag == "p" else "")
            parts.append((node.tail or "") if node is not element else "")
    return " ".join("".join(parts).split())
