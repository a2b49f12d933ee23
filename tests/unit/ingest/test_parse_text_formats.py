"""Parsers of text formats: HTML, Markdown, RST, CSV, JSON, plain text."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import DocumentError
from labkit.ingest.parse import Parsed, parse
from labkit.ingest.parse.rst import plain
from labkit.ingest.parse.tables import render_table


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


def everything(parsed: Parsed) -> str:
    return "\n".join(block.text for block in parsed.blocks)


class TestTables:
    def test_each_row_carries_its_headers(self) -> None:
        rows = [["Part", "Torque", "Note"], ["A-1", "18 N·m", ""], ["B-2", "20 N·m", "dry"]]
        assert render_table(rows) == "Part: A-1 | Torque: 18 N·m\nPart: B-2 | Torque: 20 N·m | Note: dry"

    def test_a_form_has_no_header(self) -> None:
        assert render_table([["Owner", "Ines"], ["Site", "Halle"]]) == "Owner: Ines\nSite: Halle"

    def test_numbers_are_not_headers(self) -> None:
        assert render_table([["1", "2", "3"], ["4", "5", "6"]]) == "1 | 2 | 3\n4 | 5 | 6"

    def test_empty(self) -> None:
        assert render_table([["", " "], []]) == ""


class TestMarkdown:
    def test_structure(self) -> None:
        source = (
            "---\ntitle: Pump\ndate: 2025-03-14\nno: yes\ntags: [a, b]\n---\n"
            "# Pump\n\nPress **now** at [page](./b.md),\n"
            "not `later`.\n\n- one\n  - two\n\n3. three\n4. four\n\n> quoted\n\n```sh\nls  -l\n```\n\n"
            "| Part | Nm |\n|---|---|\n| A | 18 |\n\n<div>inside <b>html</b></div>\n"
        )
        parsed = parse("markdown", source)
        assert parsed.title == "Pump"
        assert parsed.metadata == {"title": "Pump", "date": "2025-03-14", "no": "yes", "tags": "a, b"}
        assert shape(parsed) == [
            ("fields", "no: yes\ntags: a, b"),
            ("heading", "Pump"),
            ("paragraph", "Press now at page (./b.md), not later."),
            ("item", "- one"),
            ("item", "  - two"),
            ("item", "3. three"),
            ("item", "4. four"),
            ("quote", "quoted"),
            ("code", "ls  -l"),
            ("table", "Part: A | Nm: 18"),
            ("paragraph", "inside html"),
        ]

    def test_broken_front_matter_stays_visible(self) -> None:
        assert "a: [b" in everything(parse("markdown", "---\na: [b\n---\ntext"))

    def test_yaml_aliases_do_not_multiply(self) -> None:
        bomb = "---\na: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n---\ntext"
        assert len(everything(parse("markdown", bomb))) < 200


class TestRst:
    def test_structure(self) -> None:
        source = (
            "PEP: 8\nTitle: Style\nCreated: 05-Jul-2001\nAuthor: A,\n        B\n\n"
            "=====\nStyle\n=====\n\nIntro\n=====\n\n"
            "See :pep:`20` and :pep:`the zen <20>`, :ref:`more <x>`,\n``*raw*``, *soft* and `site <http://a.b>`__::\n\n"
            "   code  here\n\n     deeper\n\nSub\n---\n\n* one\n  goes on\n* two\n\n.. note:: Careful.\n\n"
            ".. a comment\n\n.. code-block:: python\n   :linenos:\n\n   x = 1\n\n.. [1] A footnote\n\n.. _site: http://c.d\n"
        )
        parsed = parse("rst", source)
        assert (parsed.title, parsed.metadata["created"], parsed.metadata["author"]) == ("Style", "05-Jul-2001", "A, B")
        assert shape(parsed)[1:] == [
            ("heading", "Style"),
            ("heading", "Intro"),
            ("paragraph", "See PEP 20 and the zen (PEP 20), more (x), *raw*, soft and site (http://a.b):"),
            ("code", "code  here\n\n  deeper"),
            ("heading", "Sub"),
            ("item", "* one goes on"),
            ("item", "* two"),
            ("paragraph", "Note: Careful."),
            ("code", "x = 1"),
            ("item", "[1] A footnote"),
            ("item", "site: http://c.d"),
        ]
        assert [block.level for block in parsed.blocks if block.kind == "heading"] == [1, 2, 3]

    @pytest.mark.parametrize(
        "table",
        [
            "====  =====  =====\nPart  Nm     Note\n====  =====  =====\nA-1   18     dry\nB-2   20     wet and\n"
            "             cold\n====  =====  =====\n",
            "+------+----+---------+\n| Part | Nm | Note    |\n+======+====+=========+\n| A-1  | 18 | dry     |\n"
            "+------+----+---------+\n| B-2  | 20 | wet and |\n|      |    | cold    |\n+------+----+---------+\n",
            ".. list-table::\n   :header-rows: 1\n\n   * - Part\n     - Nm\n     - Note\n"
            "   * - A-1\n     - 18\n     - dry\n"
            "   * - B-2\n     - 20\n     - wet and\n       cold\n",
            ".. csv-table::\n   :header: Part, Nm, Note\n\n   A-1, 18, dry\n   B-2, 20, wet and cold\n",
        ],
        ids=["simple", "grid", "list", "csv"],
    )
    def test_tables(self, table: str) -> None:
        expected = "Part: A-1 | Nm: 18 | Note: dry\nPart: B-2 | Nm: 20 | Note: wet and cold"
        assert ("table", expected) in shape(parse("rst", f"Intro\n\n{table}\nAfter\n"))
        assert ("paragraph", "After") in shape(parse("rst", f"Intro\n\n{table}\nAfter\n"))

    def test_literal_block_in_an_item_ends_where_the_item_goes_on(self) -> None:
        parsed = parse("rst", "- run::\n\n    make\n\n  then see :pep:`8`.\n")
        assert shape(parsed) == [("item", "- run:"), ("code", "make"), ("quote", "then see PEP 8.")]

    def test_inline_markup(self) -> None:
        assert plain("a * b ** c") == "a * b ** c"
        assert plain(":func:`~os.path.join` of :rfc:`2119`") == "os.path.join of RFC 2119"


class TestHtml:
    PAGE = (
        "<html lang='de'><head><title>Pump manual</title><meta name='date' content='2025-03-14'>"
        "<style>p {color: red}</style></head><body><nav><a href='/'>Home</a> <a href='/x'>Products</a></nav>"
        "<h1>Pump manual</h1><h2>Safety</h2><p>Switch the pump off before opening the housing.</p>"
        "<ul><li>Wear gloves.</li><li>Wait two minutes.</li></ul>"
        "<table><tr><th>Part</th><th>Torque</th></tr><tr><td>Bolt</td><td>18</td></tr>"
        "<tr><td>Nut</td><td>9</td></tr></table>"
        "<pre>reset --now\n  twice</pre><script>track()</script>"
        "<footer>All rights reserved, imprint</footer></body></html>"
    )

    def test_main_text_without_surroundings(self) -> None:
        parsed = parse("html", self.PAGE)
        text = everything(parsed)
        assert (parsed.title, parsed.language, parsed.metadata["date"]) == ("Pump manual", "de", "2025-03-14")
        assert [block.text for block in parsed.blocks if block.kind == "heading"] == ["Pump manual", "Safety"]
        for kept in ("Switch the pump off", "Wear gloves.", "Part: Bolt | Torque: 18", "reset --now\n  twice"):
            assert kept in text
        for dropped in ("Products", "track()", "color: red", "imprint"):
            assert dropped not in text

    def test_order_is_kept(self) -> None:
        text = everything(parse("html", self.PAGE))
        places = [text.index(part) for part in ("Safety", "Switch", "gloves", "Bolt", "reset")]
        assert places == sorted(places)

    def test_deep_nesting_and_broken_markup(self) -> None:
        assert "kept" in everything(parse("html", "<div>" * 1500 + "kept"))
        assert "open" in everything(parse("html", "<p>open<table><tr><td>cell"))


class TestCsv:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_separators_and_quotes(self, separator: str) -> None:
        rows = [["Part", "Nm", "Note"], ["A-1", "18", '"wet, cold"'], ["B-2", "20", "dry"]]
        parsed = parse("csv", "\n".join(separator.join(row) for row in rows))
        assert everything(parsed) == "Part: A-1 | Nm: 18 | Note: wet, cold\nPart: B-2 | Nm: 20 | Note: dry"

    def test_captions_and_regions(self) -> None:
        parsed = parse("csv", "Stock in Halle,,\nPart,Nm,Qty\nA,1,2\n,,\nName,Site,Shift\nIda,Oslo,late\n")
        assert shape(parsed) == [
            ("heading", "Stock in Halle"),
            ("table", "Part: A | Nm: 1 | Qty: 2"),
            ("table", "Name: Ida | Site: Oslo | Shift: late"),
        ]


class TestJson:
    def test_chat(self) -> None:
        chat = {
            "channel": "night-shift",
            "messages": [
                {"user": "ida", "ts": "2025-03-14T22:01", "text": "E-417 again", "reactions": ["eyes"]},
                {"user": {"name": "bo"}, "ts": "2025-03-14T22:05", "text": "restart it"},
            ],
        }
        parsed = parse("json", json.dumps(chat))
        assert parsed.title == "night-shift"
        assert shape(parsed) == [
            ("fields", "channel: night-shift"),
            ("heading", "messages"),
            ("paragraph", "ida (2025-03-14T22:01): E-417 again\n[reactions: eyes]"),
            ("paragraph", "bo (2025-03-14T22:05): restart it"),
        ]

    def test_records_and_lines(self) -> None:
        assert everything(parse("json", '[{"id": 1, "ok": true}, {"id": 2, "x": {"y": null, "z": 3}}]')) == (
            "id: 1 | ok: true\nid: 2 | x.z: 3"
        )
        assert everything(parse("json", '{"id": 1}\n{"id": 2}\n')) == "id: 1\nid: 2"

    def test_deep_nesting_is_refused(self) -> None:
        with pytest.raises(DocumentError, match="nested too deeply"):
            parse("json", "[" * 100_000 + "]" * 100_000)

    json_values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=12,
    )

    @settings(deadline=None)
    @given(json_values)
    def test_every_scalar_is_in_the_text(self, value: object) -> None:
        text = everything(parse("json", json.dumps(value)))

        def check(item: object) -> None:
            if isinstance(item, dict | list):
                for child in item.values() if isinstance(item, dict) else item:
                    check(child)
            elif item is not None and not isinstance(item, bool):
                assert str(item) in text

        check(value)


class TestText:
    def test_structure(self) -> None:
        source = (
            "REPORT\n\nDate: 3 May 2024\nFrom: Ida\n\n2.1 Scope of work\n\nLine one\nline two\n\n"
            "- a\n- b\n  more\n\nEnd\n===\nfin"
        )
        parsed = parse("text", source)
        assert parsed.title == "REPORT"
        assert parsed.metadata["date"] == "3 May 2024"
        assert shape(parsed) == [
            ("heading", "REPORT"),
            ("paragraph", "Date: 3 May 2024\nFrom: Ida"),
            ("heading", "2.1 Scope of work"),
            ("paragraph", "Line one\nline two"),
            ("item", "- a"),
            ("item", "- b\n  more"),
            ("heading", "End"),
            ("paragraph", "fin"),
        ]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["markdown", "rst", "csv", "text"]),
    st.text(st.sampled_from("abc123 \n\t-=*`:.|#>[]()+_<\"'\\"), max_size=300),
)
def test_arbitrary_markup_never_breaks_a_parser(fmt: str, source: str) -> None:
    with contextlib.suppress(DocumentError):
        parse(fmt, source)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("abcdefgh"), min_size=3, max_size=8), min_size=1, max_size=40))
def test_words_of_plain_paragraphs_all_arrive(words: list[str]) -> None:
    source = "\n\n".join(" ".join(words[at : at + 5]) for at in range(0, len(words), 5))
    for fmt in ("markdown", "rst", "text"):
        assert everything(parse(fmt, source)).split() == words  # type: ignore[arg-type]


def test_a_definition_stands_with_its_term() -> None:
    page = "<html><body><main><h1>Card</h1><p>The team and where to find it, for everybody who asks.</p>"
    page += "<dl><dt>Lead</dt><dd>Ada Byron</dd><dt>Floor</dt><dd>second</dd></dl></main></body></html>"
    texts = [block.text for block in parse("html", page).blocks]
    assert "- Lead: Ada Byron" in texts
    assert "- Floor: second" in texts
