"""What a picture of the graph shows, to whom, and that names out of documents stay names."""

from datetime import date
from html.parser import HTMLParser

import pytest

from labkit.errors import AccessDenied, InputError
from labkit.graph.graph import Graph
from labkit.graph.hop import Path, Step
from labkit.graph.picture.neighbourhood import explained, neighbourhood
from labkit.graph.picture.page import _SCRIPT
from labkit.graph.schema import Schema
from labkit.graph.tables import Entity, Extraction, Mention, Statement
from labkit.schema import Chunk, RequestContext

DAY = date(2025, 6, 1)
STAFF = RequestContext(groups=frozenset({"staff"}), as_of=DAY)
BOARD = RequestContext(groups=frozenset({"staff", "board"}), as_of=DAY)
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def build(*facts, names=None):
    """A graph of (subject, relation, object or =value, group); an entity's id is ``kind:name``."""
    names = names or {}
    made, chunks, known = Extraction("rules"), [], {}
    for number, (subject, relation, target, group) in enumerate(facts):
        called = [names.get(key, key.partition(":")[2]) for key in (subject, target)]
        text = f"{called[0]} {relation} {called[1]}"
        chunk = Chunk(
            chunk_id=f"c{number}", doc_id=f"d{number}", source_path=f"d{number}.md", ordinal=0, text=text, start=0,
            end=len(text), tokens=3, content_hash=str(number), acl=(group,),
        )  # fmt: skip
        chunks.append(chunk)
        ends = [subject] if target.startswith("=") else [subject, target]
        for key, name in zip(ends, called, strict=False):
            kind = key.partition(":")[0]
            known[key] = Entity(entity_id=key, kind=kind, name=name, aliases=("the alias",) if "alias" in name else ())
            made.mentions.append(Mention(entity_id=key, chunk_id=chunk.chunk_id, start=0, end=1))
        made.statements.append(Statement(
            subject_id=subject, relation=relation, object_id="" if target.startswith("=") else target,
            value=target[1:] if target.startswith("=") else called[1], chunk_id=chunk.chunk_id, start=0, end=len(text),
        ))  # fmt: skip
    made.entities.extend(known.values())
    return Graph(made, chunks, Schema.load())


def follow(graph, start, *steps, probability=0.9):
    return Path(
        graph.entities[start],
        tuple(Step(name, graph.entities[to].name if to in graph.entities else to, to if to in graph.entities else "",
                   (chunk,), known) for name, to, chunk, known in steps),
        probability,
    )  # fmt: skip


@pytest.fixture
def graph():
    return build(
        ("incident:INC-1", "incident.product", "product:Heron picker", "staff"),
        ("product:Heron picker", "product.team", "team:Controls", "staff"),
        ("team:Controls", "team.lead", "person:Ann", "staff"),
        ("team:Controls", "team.location", "=hall A", "staff"),
        ("part:belt", "part.product", "product:Heron picker", "staff"),
        ("supplier:Secret Ltd", "supplier.rating", "=Z", "board"),
        ("part:belt", "part.supplier", "supplier:Secret Ltd", "board"),
    )


@pytest.fixture
def path(graph):
    return follow(
        graph, "incident:INC-1", ("incident.product", "product:Heron picker", "c0", True),
        ("product.team", "team:Controls", "c1", True), ("team.location", "hall A", "c3", True),
    )  # fmt: skip


def hub(count):
    facts = [(f"part:belt {number:02d}", "part.product", "product:Heron", "staff") for number in range(count)]
    return build(*facts, ("product:Heron", "product.team", "team:Controls", "staff"))


class Page(HTMLParser):
    """The tags of a page, its attributes and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.script = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags[-1] == "script" and "addEventListener" in data:
            self.script += data


def pages(drawing):
    outer = Page(drawing._repr_html_())
    return outer, Page(dict(outer.attributes)["srcdoc"])


def extents(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    return [text.get_window_extent(renderer) for text in figure.axes[0].texts]


def test_a_path_is_told_in_the_words_of_the_data_dictionary(graph, path):
    assert explained(path, graph) == "INC-1 —product→ Heron picker —maintained by→ Controls —location→ hall A"
    found = follow(graph, "team:Controls", ("team.budget", "", "c1", False))
    assert explained(found, graph) == "Controls —annual budget (found by search)→ passages about it"


def test_followed_lines_are_thick_and_numbered_and_every_box_says_its_kind(graph, path):
    drawing = neighbourhood(graph, [path], STAFF)
    thick = {(line.label, line.width) for line in drawing.lines if line.heavy}
    assert thick == {("① product", 2.4), ("① maintained by", 2.4), ("① location", 2.4)}
    assert {(box.lines[0], box.small[0], box.framed) for box in drawing.boxes} == {
        ("INC-1", "incident", True), ("Heron picker", "product", False), ("Controls", "team", False),
        ("hall A", "value", False), ("Ann", "person", False), ("belt", "part", False),
    }  # fmt: skip
    assert len({box.shape for box in drawing.boxes}) == 6
    assert drawing.sentences == (f"{explained(path, graph)} (probability 0.90)",)
    assert explained(path, graph) in drawing.alt
    assert drawing.data["path"].count("1") == 3


def test_a_step_that_search_found_is_dashed_and_an_unlikely_path_is_left_out(graph, path):
    found = follow(graph, "team:Controls", ("team.budget", "", "c1", False))
    unlikely = follow(graph, "team:Controls", ("team.lead", "person:Ann", "c2", True), probability=0.001)
    drawing = neighbourhood(graph, [found, unlikely], STAFF)
    assert [(line.label, line.dashed) for line in drawing.lines if line.heavy] == [("① annual budget", True)]
    assert len(neighbourhood(graph, [path, found], STAFF, follow=1).sentences) == 1


def test_nothing_is_drawn_that_the_asker_may_not_see(graph, path):
    belt = [graph.entities["part:belt"]]
    seen = neighbourhood(graph, [path], STAFF, entities=belt)
    assert "Secret" not in seen._repr_html_() + repr(seen) + str(seen.data)
    assert "Secret Ltd" in neighbourhood(graph, [path], BOARD, entities=belt)._repr_html_()
    secret = follow(graph, "part:belt", ("part.supplier", "supplier:Secret Ltd", "c6", True))
    assert "Secret Ltd" in neighbourhood(graph, [secret], BOARD).alt
    with pytest.raises(AccessDenied):
        neighbourhood(graph, [secret], STAFF)
    with pytest.raises(AccessDenied):
        neighbourhood(graph, [follow(graph, "part:belt", ("part.supplier", "", "c6", False))], STAFF)


def test_a_thing_is_called_as_a_visible_passage_calls_it():
    graph = build(("product:Heron", "product.team", "team:T", "staff"), names={"team:T": "an alias"})
    graph.entities["team:T"] = graph.entities["team:T"].model_copy(update={"name": "Project Codename"})
    drawn = neighbourhood(graph, [], STAFF, entities=[graph.entities["product:Heron"]])
    assert [box.lines for box in drawn.boxes] == [("Heron",), ("(team)",)]
    graph.entities["team:T"] = graph.entities["team:T"].model_copy(update={"aliases": ("an alias",)})
    drawn = neighbourhood(graph, [], STAFF, entities=[graph.entities["product:Heron"]])
    assert drawn.boxes[1].lines == ("an alias",)


def test_what_has_no_room_is_counted():
    graph = hub(40)
    drawing = neighbourhood(graph, [], STAFF, entities=[graph.entities["product:Heron"]], most=10)
    assert (len(drawing.boxes), drawing.left_out) == (10, 32)
    assert drawing.boxes[0].small == ("product", "+32 not drawn")
    assert "10 things drawn, 32 neighbours left out" in drawing.key
    assert "team" in {box.small[0] for box in drawing.boxes}  # of each kind in turn
    assert "32 neighbours left out" in drawing.alt
    with pytest.raises(InputError):
        neighbourhood(graph, [], STAFF, most=0)


def test_an_empty_graph_is_a_picture_that_says_so():
    drawing = neighbourhood(Graph(Extraction("rules"), [], Schema.load()), [], STAFF)
    assert (drawing.boxes, drawing.left_out) == ((), 0)
    assert drawing.title == "Nothing is known here"
    assert drawing.title in drawing._repr_html_()
    assert len(extents(drawing.figure())) >= 2


def test_the_same_graph_gives_the_same_picture():
    made = []
    for _ in range(2):
        graph = hub(30)
        made.append(neighbourhood(graph, [], STAFF, entities=[graph.entities["product:Heron"]]))
    assert made[0] == made[1]
    assert made[0]._repr_html_() == made[1]._repr_html_()


def test_a_name_is_never_markup(path):
    graph = build(
        ("product:P", "product.team", "team:T", "staff"), ("product:P", "product.launched", f"={HOSTILE}", "staff"),
        names={"product:P": HOSTILE, "team:T": "$\\frac{1$ \u202eevil\u0000 漢"},
    )  # fmt: skip
    step = ("product.team", "team:T", "c0", True)
    drawing = neighbourhood(graph, [follow(graph, "product:P", step)], STAFF)
    outer, inner = pages(drawing)
    assert set(outer.tags) == {"div", "iframe", "strong", "ol", "li", "p", "small"}
    assert inner.tags.count("script") == 1
    assert inner.script == _SCRIPT
    assert not {"img", "a", "link", "iframe", "image", "foreignobject"} & set(inner.tags)
    every = outer.attributes + inner.attributes
    assert not [name for name, _ in every if name.startswith("on") or name in ("src", "href", "xlink:href")]
    assert dict(outer.attributes)["sandbox"] == "allow-scripts"
    assert "\u202e" not in drawing._repr_html_()
    drawing.figure().savefig("/dev/null", format="png")


def test_the_page_loads_nothing(graph, path):
    _, inner = pages(neighbourhood(graph, [path], STAFF))
    assert "default-src 'none'" in str(inner.attributes)
    assert "://" not in neighbourhood(graph, [path], STAFF)._repr_html_()


def test_no_words_of_the_printed_picture_overlap(graph, path):
    crowded = hub(30)
    for drawing in (
        neighbourhood(graph, [path], STAFF),
        neighbourhood(crowded, [], STAFF, entities=[crowded.entities["product:Heron"]]),
    ):
        found = extents(drawing.figure())
        assert not [(one, other) for number, one in enumerate(found) for other in found[:number] if one.overlaps(other)]
