from types import SimpleNamespace

import numpy as np
import pytest

from labkit.errors import InputError
from labkit.graph.links import LinkRetriever, Links
from labkit.retrieve.late import Matches
from labkit.schema import Chunk, Hit, RequestContext

PASSAGES = {
    "Hello Love (song)": "Hello Love is a single by Hank Snow.",
    "Hank Snow": "Hank Snow moved to Nashville and died there.",
    "Nashville": "Nashville is the capital of Tennessee.",
    "Publix": "Publix runs shops. It is a chain.",
    "Quiet": "Nothing here names anything.",
}


def chunk(title, text, acl=("public",)):
    return Chunk(
        chunk_id=title, doc_id=title, source_path=f"0/{title}.txt", ordinal=0, text=text, start=0, end=len(text),
        tokens=5, content_hash=title, acl=acl,
    )  # fmt: skip


def links(**acl):
    return Links(chunk(title, text, acl.get(title, ("public",))) for title, text in PASSAGES.items())


class Flat:
    """Finds the passages it was told to, and thinks the given amounts of them; of others nothing."""

    def __init__(self, links, **worth):
        self._links, self._worth = links, {title.replace("_", " "): value for title, value in worth.items()}

    def encode(self, query, ctx):
        return SimpleNamespace(vector=None, distrust=0.0)

    def candidates(self, query, vector, k, ctx):
        hits = [
            Hit(chunk=self._links.chunks[title], score=value, why={"dense": n})
            for n, (title, value) in enumerate(self._worth.items(), 1)
        ]
        return SimpleNamespace(hits=hits, first=lambda distrust: np.array(list(self._worth.values()), np.float32))

    def matches(self, question, chunk_ids):
        n = len(chunk_ids)
        return Matches(np.ones(1, np.float32), np.zeros((1, n), np.float32), np.zeros(n, np.float32))


def found(retriever, query="who?", k=10, **ctx):
    return [hit.chunk.chunk_id for hit in retriever.search(query, k, RequestContext(**ctx))]


def test_a_title_that_is_mentioned_is_a_link_and_a_mention_of_the_title_a_weaker_one():
    strength = dict(links().from_("Hello Love (song)", ""))
    assert strength.keys() == {"Hank Snow"}
    back = dict(links().from_("Hank Snow", ""))
    assert back.keys() == {"Hello Love (song)", "Nashville"}
    assert back["Hello Love (song)"] < strength["Hank Snow"]


def test_a_name_the_question_has_itself_links_nothing_new_but_a_title_does():
    made = Links([chunk("A", "Acme Corp owns it."), chunk("B", "Acme Corp sold it."), chunk("Acme Corp", "A firm.")])
    assert {other for other, _ in made.from_("A", "")} == {"B", "Acme Corp"}
    assert {other for other, _ in made.from_("A", "what of acme corp")} == {"Acme Corp"}


def test_titles_are_found_in_a_question_whole_and_without_their_remark():
    assert set(links().titled_in("Who sang Hello Love?")) == {"Hello Love (song)"}
    assert set(links().titled_in("Who sang Hello Lovers?")) == set()


def test_neighbours_of_the_best_passage_come_before_what_nothing_links():
    made = links()
    ranked = found(LinkRetriever(Flat(made, **{"Hello Love (song)": 1.0, "Quiet": 0.5, "Publix": 0.5}), made))
    assert ranked.index("Hank Snow") < ranked.index("Publix")


def test_why_says_which_passages_were_lent_something():
    made = links()
    hits = LinkRetriever(Flat(made, **{"Hello Love (song)": 1.0}), made).search("who?", 10, RequestContext())
    assert {hit.chunk.chunk_id: dict(hit.why) for hit in hits} == {
        "Hello Love (song)": {"dense": 1}, "Hank Snow": {"link": 1},
    }  # fmt: skip


def test_no_link_leads_to_what_the_asker_may_not_read():
    made = links(**{"Hank Snow": ("board",)})
    flat = Flat(made, **{"Hello Love (song)": 1.0})
    assert "Hank Snow" not in found(LinkRetriever(flat, made), "Where did Hank Snow live?")
    assert "Hank Snow" in found(LinkRetriever(flat, made), groups=frozenset({"public", "board"}))


def test_k_and_an_empty_corpus():
    made = links()
    retriever = LinkRetriever(Flat(made, **{"Hello Love (song)": 1.0, "Quiet": 0.5}), made)
    assert len(found(retriever, k=1)) == 1
    assert found(LinkRetriever(Flat(Links([])), Links([]))) == []
    with pytest.raises(InputError):
        found(retriever, query=" ")
