"""Pages as sites build them: the article is kept whole and in order, what surrounds it goes. For sanity only."""

import pytest

from labkit.ingest.parse import parse

PARAGRAPHS = [
    "The council voted late on Tuesday to rebuild the old harbour bridge, ending a debate that had lasted nine years.",
    "Engineers had warned since the spring that two of its four piers are worn below the water line, and lorries have "
    "been banned since June.",
    "“We could not wait for a third opinion,” said the mayor, who expects the work to begin before the next winter.",
    "The new bridge will carry a tram line, two lanes for cars and, on its northern side, a path for cyclists.",
    "Residents of the island, whose detour takes forty minutes, welcomed the decision but asked for a ferry meanwhile.",
]
NOISE = [
    "Ten recipes for a rainy weekend", "Footballer signs for five years", "Weather: storm on its way", "Home delivery",
    "Become a member today", "Our newsletter brings the day to you", "All rights reserved", "We use cookies",
]  # fmt: skip
TEASERS = "".join(f'<li><a href="/{n}">{text}</a></li>' for n, text in enumerate(NOISE[:4]))
COOKIES = '<div id="x1"><p>We use cookies to improve your experience.</p><button>Accept</button></div>'
FOOT = "<div class='q'><p>© 2026 The Harbour Post. All rights reserved.</p></div>"
BODY = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)


def cards(tag: str) -> str:
    return "".join(f'<{tag}><h3><a href="/{n}">{text}</a></h3></{tag}>' for n, text in enumerate(NOISE[:4]))


LAYOUTS = {
    "article element": f"<header><nav><ul>{TEASERS}</ul></nav></header><article><h1>Bridge</h1>{BODY}</article>{FOOT}",
    "main with side column": f"<main><h1>Bridge</h1><div>{BODY}</div></main><aside>{cards('div')}</aside>{FOOT}",
    "divs only": f"<div class=a1><ul>{TEASERS}</ul></div><div class=b2><h1>Bridge</h1>{BODY}</div>{FOOT}",
    "cookies first": f"{COOKIES}<div><div><h1>Bridge</h1>{BODY}</div></div>{FOOT}",
    "related below": f"<article><h1>Bridge</h1>{BODY}</article><section><h2>Related stories</h2>{cards('div')}"
                     "</section>",
    "related inside": f"<article><h1>Bridge</h1>{BODY}<h2>Related stories</h2><ul>{TEASERS}</ul></article>{FOOT}",
    "teaser between paragraphs": "<article><h1>Bridge</h1>" + BODY.replace(
        "</p><p>Engineers", f'</p><p>Read more: <a href="/1">{NOISE[1]}</a></p><p>Engineers') + "</article>",
    "table layout": f"<table><tr><td><ul>{TEASERS}</ul></td><td><h1>Bridge</h1>{BODY}</td></tr></table>",
    "deeply wrapped": f"{'<div>' * 30}<h1>Bridge</h1>{BODY}{'</div>' * 30}{FOOT}",
    "share buttons": f"<article><h1>Bridge</h1><ul><li><a href=f>Share on Facebook</a><li><a href=x>Share on X</a><li>"
                     f"<a href=m>E-mail</a></ul>{BODY}</article>",
    "hidden dialog": f"<div role=dialog><p>{NOISE[5]}</p><form><input></form></div><div><h1>Bridge</h1>{BODY}</div>",
    "menu at the end": f"<div><h1>Bridge</h1>{BODY}</div><div><ul>{TEASERS}</ul></div>{FOOT}",
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("news", [True, False], ids=["says it is news", "says nothing"])
def test_the_article_is_kept_and_most_else_goes(layout: str, news: bool) -> None:
    head = '<meta property="og:type" content="article">' if news else ""
    page = f"<html><head><title>Bridge | Harbour Post</title>{head}</head><body>{LAYOUTS[layout]}</body></html>"
    text = " ".join(block.text for block in parse("html", page).blocks)
    places = [text.find(paragraph) for paragraph in PARAGRAPHS]
    assert -1 not in places
    assert places == sorted(places)
    if news:
        assert [noise for noise in NOISE if noise in text] == []


def test_other_pages_lose_nothing_but_their_surroundings() -> None:
    page = (
        f"<html><body><nav><a href=/>Home</a></nav>{COOKIES}<main><h1>Pump P-7</h1>"
        "<p>See also: <a href=c>Pump P-8</a></p>"
        "<h2>Steps</h2><ol><li>Open<li>Close</ol><dl><dt>Torque<dd>18 N·m<dt>Oil<dd>blue</dl>"
        "<table><tr><th>Part<th>Qty<th>Bin<tr><td>Bolt<td>4<td>A</table><h3>Notes</h3><blockquote><p>Never wet.</p>"
        f"</blockquote><ul><li><a href=1>Manual</a><li>Card</ul></main>{FOOT}</body></html>"
    )
    blocks = parse("html", page).blocks
    assert [(block.kind, block.text) for block in blocks] == [
        ("heading", "Pump P-7"), ("paragraph", "See also: Pump P-8"), ("heading", "Steps"), ("item", "- Open"),
        ("item", "- Close"), ("item", "- Torque: 18 N·m"), ("item", "- Oil: blue"),
        ("table", "Part: Bolt | Qty: 4 | Bin: A"), ("heading", "Notes"), ("quote", "Never wet."), ("item", "- Manual"),
        ("item", "- Card"),
    ]  # fmt: skip
    assert [block.level for block in blocks if block.kind == "heading"] == [1, 2, 3]
