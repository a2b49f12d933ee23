"""What on a web page is not its content: navigation, banners, footers, teasers; and where its prose stands.

Judged by what HTML and ARIA say an element is, by how much of its text is links, and by what banners and footers say,
never by class names, which every site chooses for itself. Every element is measured once, so that pages nested a
thousand deep cost no more than flat ones.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

_SURROUNDINGS = {
    "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "svg", "iframe", "dialog",
}  # fmt: skip
_NEVER_TEXT = {"script", "style", "noscript", "template", "svg", "iframe"}
_ROLES = {
    "navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog", "menu", "menubar",
    "toolbar", "tablist",
}  # fmt: skip
_COOKIES = re.compile(r"\bcookies?\b", re.I)
_CONSENT = re.compile(
    r"\b(?:accept|agree|consent|settings?|preferences|experience|use|uses|using|verwende\w*|nutz\w*|einstellungen|"
    r"zustimm\w*|akzept\w*|utilis\w*|accepter|używa\w*|zgod\w*|ustawienia|använder|godkänn\w*|uso|utiliz\w*|aceptar)\b",
    re.I,
)
_FOOTER = re.compile(
    r"^\W*(?:©|\(c\)|copyright\b)|\ball rights reserved\b|\balle rechte vorbehalten\b|\btous droits réservés\b", re.I
)
_TEASER = re.compile(
    r"(?:share(?: this)?(?: (?:article|story|page|on\b.*|via\b.*))?|advertisement|anzeige|sponsored(?: content)?"
    r"|(?:related|recommended|more)(?: (?:articles?|stories|content|topics?|links?|coverage|news|reading))"
    r"|(?:you (?:may|might) also (?:like|be interested in))\b.*|recommended for you|most (?:read|popular|viewed|shared)"
    r"|(?:sign up|subscribe)\b.{0,60}\bnewsletters?\b.*|follow us\b.*|(?:leave|post|add) a (?:comment|reply)"
    r"|\d* ?comments?|print this (?:page|article)|e-?mail this(?: article)?|(?:back to|return to) top"
    r"|story continues below.*|read (?:more|also|next)|continue reading\b.*|skip to (?:main )?content)[\s:.…»>]*",
    re.I,
)
_ARTICLE = re.compile(r"schema\.org/(?:\w*NewsArticle|Article|BlogPosting|Report)\b")
_ARTICLE_LD = re.compile(r"\"@type\"\s*:\s*(?:\[\s*)?\"(?:\w*NewsArticle|Article|BlogPosting|Report)\"")
_SHORT_BANNER, _SHORT_FOOTER = 500, 250
"""Characters, white space aside, of a cookie banner and a copyright line at most."""
_MANY_LINKS, _LINK_LENGTH = 3, 40
_LINK_SHARE = 0.75
_LONG_PARAGRAPH = 50


@dataclass(slots=True)
class Measure:
    """Characters below an element, white space aside: all, and those in links; the number of links; its depth.

    ``quiet`` says that it or an element above it is a surrounding by tag or role.
    """

    text: int = 0
    linked: int = 0
    links: int = 0
    depth: int = 0
    quiet: bool = False


def measures(root: Any) -> dict[Any, Measure]:
    """The measure of every element below ``root``, itself included."""
    found: dict[Any, Measure] = {}
    above: list[Measure] = []
    inside_link = 0
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        if event == "start":
            quiet = bool(above and above[-1].quiet) or node.tag in _SURROUNDINGS or node.get("role") in _ROLES
            measure = found[node] = Measure(depth=len(above), quiet=quiet, links=int(node.tag == "a"))
            inside_link += node.tag == "a"
            if node.tag not in _NEVER_TEXT:
                measure.text += _length(node.text)
                measure.linked += _length(node.text) if inside_link else 0
            above.append(measure)
        else:
            measure = above.pop()
            inside_link -= node.tag == "a"
            if above:
                tail = _length(node.tail)
                above[-1].text += measure.text + tail
                above[-1].linked += measure.linked + (tail if inside_link else 0)
                above[-1].links += measure.links
    return found


def prune_surroundings(body: Any, sizes: Mapping[Any, Measure]) -> None:
    """Remove what is none of the page's content, judged element by element; text after one stays.

    Nothing that holds most of the page is removed: some programs wrap whole pages in a form.
    """
    whole = sizes[body].text
    stack = [body]
    while stack:
        for child in list(stack.pop()):
            size = sizes.get(child)
            if size is None:
                continue
            if child.tag in _NEVER_TEXT or (size.text <= 0.5 * whole and _is_surrounding(child, size)):
                child.drop_tree()
            else:
                stack.append(child)


def is_teaser(text: str) -> bool:
    """Whether a line only sends the reader elsewhere on the site: share, subscribe, related stories."""
    return len(text) <= 120 and bool(_TEASER.fullmatch(text.strip()))


def main_part(body: Any, sizes: Mapping[Any, Measure]) -> Any:
    """The element that HTML marks as the main content, if it holds most of the page's text; else the body."""
    marked = body.xpath(".//main|.//*[@role='main']") or body.xpath(".//article")
    if len(marked) == 1 and sizes[marked[0]].text > 0.5 * sizes[body].text:
        return marked[0]
    return body


def says_news(tree: Any, metadata: Mapping[str, str]) -> bool:
    """Whether a page calls itself an article of a news site or blog: in Open Graph, schema.org or JSON-LD terms."""
    if metadata.get("og:type", "").lower() == "article" or any(name.startswith("article:") for name in metadata):
        return True
    if any(_ARTICLE.search(node.get("itemtype")) for node in tree.xpath("//*[@itemtype]")):
        return True
    return any(_ARTICLE_LD.search(node.text or "") for node in tree.xpath("//script[@type='application/ld+json']"))


def prune_teasers(body: Any, sizes: Mapping[Any, Measure]) -> None:
    """Remove paragraphs and lists of a news page that hold little but links to other stories; text after them stays."""
    for node in body.xpath(".//p|.//ul|.//h2|.//h3|.//h4"):
        size = sizes[node]
        if not size.links or node.getparent() is None:
            continue
        if (size.linked >= _LINK_SHARE * size.text and size.linked > 15) or (
            size.linked >= 0.5 * size.text and is_teaser("".join(node.itertext()).split(":")[0])
        ):
            node.drop_tree()


def prose(body: Any, sizes: Mapping[Any, Measure]) -> list[str]:
    """The paragraphs of the element that holds most running text, as readability finds it: parents score by length."""
    scores: defaultdict[Any, float] = defaultdict(float)
    below: defaultdict[Any, list[Any]] = defaultdict(list)
    for node in body.iter("p"):
        size, parent = sizes[node], node.getparent()
        if size.text < _LONG_PARAGRAPH or size.linked > 0.3 * size.text or size.quiet or parent is None:
            continue
        scores[parent] += size.text
        below[parent].append(node)
        if (upper := parent.getparent()) is not None:
            scores[upper] += size.text / 2
            below[upper].append(node)
    best = below[max(scores, key=lambda node: scores[node])] if scores else []
    return [" ".join("".join(node.itertext()).split()) for node in best]


def _is_surrounding(node: Any, measure: Measure) -> bool:
    if node.tag in _SURROUNDINGS or node.get("role") in _ROLES:
        return True
    if node.get("hidden") is not None or node.get("aria-hidden") == "true" or node.get("aria-modal") == "true":
        return True
    if node.tag in ("ul", "ol", "div", "section", "p"):
        return _is_menu(node, measure) or _is_notice(node, measure)
    return False


def _is_menu(node: Any, measure: Measure) -> bool:
    """Several links and hardly any other text. Headings and tables are never part of a menu."""
    if node.tag == "p" or measure.links < _MANY_LINKS or measure.linked < 0.9 * measure.text:
        return False
    # A list of references has long texts; the entries of a menu are a few words each.
    return measure.linked < _LINK_LENGTH * measure.links and next(node.iter("h1", "table", "pre"), None) is None


def _is_notice(node: Any, measure: Measure) -> bool:
    """A cookie banner or a copyright line."""
    if measure.text > _SHORT_BANNER or next(node.iter("h1", "main", "article", "table"), None) is not None:
        return False
    text = " ".join(" ".join(node.itertext()).split())
    if measure.text <= _SHORT_FOOTER and _FOOTER.search(text):
        return True
    asks = node.tag != "p" and next(node.iter("button", "input", "a"), None) is not None
    return asks and bool(_COOKIES.search(text)) and bool(_CONSENT.search(text))


def _length(text: str | None) -> int:
    return len("".join(text.split())) if text else 0
