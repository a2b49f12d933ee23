"""The learner's system: their functions where filled, the course's stages where not."""

from types import SimpleNamespace

import pytest

from labkit.course.checks.lab00 import hit
from labkit.course.learner import LearnerSystem, Ordered
from labkit.errors import InputError
from labkit.schema import Answer, RequestContext

CTX = RequestContext()


class Found:
    """A retriever that always finds the same passage."""

    def search(self, query, k, ctx):
        return [hit("E-417 means low vacuum.")]


class Echo:
    """The course's pipeline, reduced to what it was given."""

    def __init__(self, retriever):
        self.retriever = retriever

    def ask(self, question, ctx):
        return Answer(text=self.retriever.search(question, 5, ctx)[0].chunk.text, route="course")


def system(**functions):
    return LearnerSystem(functions, Found(), Echo, "my_system.py")


def test_blank_file_is_the_course_pipeline():
    answer = system().ask("What is E-417?", CTX)
    assert (answer.text, answer.route) == ("E-417 means low vacuum.", "yours+course")


def test_their_retrieval_feeds_the_course_pipeline():
    answer = system(retrieve=lambda question, k, ctx: [hit("theirs")]).ask("?", CTX)
    assert (answer.text, answer.route) == ("theirs", "yours+retrieve+course")


def test_their_retrieval_may_ask_for_the_stores_paths():
    learner = system(retrieve=lambda question, k, ctx, paths=None: paths["lexical"].search(question, k, ctx))
    learner.paths = {"lexical": Found()}
    assert learner.ask("?", CTX).text == "E-417 means low vacuum."


def test_their_silence_counts():
    answer = system(abstain=lambda question, hits: True).ask("?", CTX)
    assert answer.abstained
    assert answer.route == "yours+abstain"


def test_their_answer_cites_the_passages_they_name():
    answer = system(answer=lambda question, hits, ctx: ("low vacuum", [0])).ask("?", CTX)
    assert answer.text == "low vacuum"
    assert [citation.source_path for citation in answer.citations] == ["manual.html"]


@pytest.mark.parametrize("given", ["low vacuum", ("low vacuum", [3]), ("low vacuum",), (None, [0])])
def test_a_malformed_answer_names_function_and_file(given):
    with pytest.raises(InputError, match=r"answer returned .* at my_system.py"):
        system(answer=lambda question, hits, ctx: given).ask("?", CTX)


def test_retrieve_must_give_hits():
    with pytest.raises(InputError, match="retrieve returned list"):
        system(retrieve=lambda question, k, ctx: ["text"]).ask("?", CTX)


def ordered(order):
    passages = [SimpleNamespace(text=text) for text in ("restart it", "it hangs", "not yet")]
    return Ordered(lambda question, hits, ctx: passages, order, "my_system.py")


def test_their_order_is_the_order_of_reading():
    select = ordered(lambda question, passages: sorted(range(3), key=lambda place: passages[place]))
    assert [passage.text for passage in select("?", [], CTX)] == ["it hangs", "not yet", "restart it"]


@pytest.mark.parametrize("given", [[0, 1], [0, 1, 1], [1, 2, 3], None, ["it hangs"]])
def test_an_order_that_loses_passages_names_function_and_file(given):
    with pytest.raises(InputError, match=r"order returned .* at my_system.py"):
        ordered(lambda question, passages: given)("?", [], CTX)
