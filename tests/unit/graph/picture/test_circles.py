"""The picture of communities: the biggest of a level, their sizes and links."""

import pytest

from labkit.errors import InputError
from labkit.graph.picture.circles import Community, communities

from .test_neighbourhood import HOSTILE, extents, pages

FOUND = [
    Community("7", 0, "Docks", ("Heron", "belt", "motor")),
    Community("3", 0, "Service", ("Ann", "Bob")),
    Community("9", 0, "Alone", ("lamp",)),
    Community("1", 1, "Part of Docks", ("Heron", "belt")),
]
EDGES = [("Heron", "belt"), ("Heron", "Ann"), ("Bob", "motor"), ("lamp", "nobody")]


def test_the_biggest_of_a_level_are_drawn_with_sizes_and_links():
    drawing = communities(FOUND, EDGES, most=2)
    assert [(box.lines, box.small, len(box.dots)) for box in drawing.boxes] == [
        (("Docks",), ("1 · 3 members",), 3), (("Service",), ("2 · 2 members",), 2),
    ]  # fmt: skip
    assert [(line.source, line.target, line.label) for line in drawing.lines] == [("0", "1", "2")]
    assert drawing.left_out == 1
    assert "1 smaller ones left out" in drawing.alt
    assert drawing.sentences[0] == "Docks, 3 members: Heron, belt, motor. Linked most to 2 (2)."
    assert drawing.data["relations to the others"] == [2, 2]
    assert [box.lines for box in communities(FOUND, EDGES, level=1).boxes] == [("Part of Docks",)]
    assert drawing == communities(FOUND[::-1], EDGES[::-1], most=2)


def test_a_bigger_community_has_a_bigger_circle_and_all_dots_lie_in_it():
    made = [
        communities([Community("1", 0, "t", tuple(map(str, range(size))))], []).boxes[0] for size in (1, 5, 60, 500)
    ]
    assert [box.size.x for box in made] == sorted(box.size.x for box in made)
    assert all((dot.x**2 + dot.y**2) ** 0.5 + 2 < box.size.x / 2 for box in made for dot in box.dots)


def test_no_title_is_markup_and_no_words_overlap():
    many = [Community(str(n), 0, f"The community of number {n} {HOSTILE}", (f"m{n}",)) for n in range(12)]
    drawing = communities(many, [(f"m{n}", f"m{n * 5 % 12}") for n in range(12)])
    outer, inner = pages(drawing)
    assert "img" not in outer.tags + inner.tags
    assert inner.tags.count("script") == 1
    found = extents(drawing.figure())
    assert not [(one, other) for number, one in enumerate(found) for other in found[:number] if one.overlaps(other)]


def test_nothing_found_is_a_picture_of_nothing():
    drawing = communities([], [])
    assert (drawing.boxes, drawing.sentences, drawing.left_out) == ((), (), 0)
    assert "<iframe" in drawing._repr_html_()
    assert len(extents(drawing.figure())) >= 2
    with pytest.raises(InputError):
        communities([], [], most=0)
