"""``labkit drill …``: the drills on the course's world.

Parses, calls, prints; the drills are :mod:`labkit.course.drill`, what happens in them
:mod:`labkit.course.wrongpart`, :mod:`labkit.course.pilot` and :mod:`labkit.course.recall`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.errors import InputError
from labkit.settings import Settings, get_settings

if TYPE_CHECKING:
    from labkit.course.drill import Drill, Scene

drill_app = typer.Typer(no_args_is_help=True, help="A blind fault, the page about it, a clock.")


@drill_app.command()
def start(
    number: Annotated[
        int, typer.Argument(help="1: a wrong part was flown out; 2: the pilot failed; 3: the recall list")
    ],
    seed: Annotated[int | None, typer.Option(help="of the fault (default: one that nobody knows)")] = None,
) -> None:
    """Inject a fault and print the page. The clock runs from here."""
    typer.echo(_drill().start(number, seed))
    typer.echo("The clock runs. Look around: labkit drill ask, causes, status. Then: labkit drill answer.")


@drill_app.command()
def ask(
    question: str,
    k: Annotated[int, typer.Option(min=1, max=100, help="how many hits")] = 10,
    as_of: Annotated[str | None, typer.Option(help="ask as of a past day, YYYY-MM-DD")] = None,
) -> None:
    """Ask the system as it runs now: hits with dates, files, and what found them; in drill 3 the graph too."""
    typer.echo(_drill().ask(question, k=k, as_of=_day(as_of)))


@drill_app.command()
def rows(pilot: Annotated[bool, typer.Option("--pilot", help="the pilot's, not the check's")] = False) -> None:
    """All rows of the evaluation (drill 2)."""
    typer.echo(_drill().rows("pilot" if pilot else "check"))


@drill_app.command()
def causes() -> None:
    """What may be wrong, and what is taken as evidence."""
    typer.echo(_drill().causes())


@drill_app.command()
def answer(
    cause: Annotated[str, typer.Argument(help="a code of `labkit drill causes`")],
    evidence: Annotated[str, typer.Argument(help="a question (drills 1 and 3) or a row such as C-07 (drill 2)")],
) -> None:
    """Name the cause and show it. Exit status 1 if that is not it; a hint follows."""
    verdict = _drill().answer(cause, evidence)
    typer.echo(str(verdict))
    if not verdict.passed:
        raise typer.Exit(1)


@drill_app.command()
def status() -> None:
    """The drill under way, its clock and its page."""
    typer.echo(_drill().status())


def _drill() -> Drill:
    from labkit.course.drill import Drill, Kind
    from labkit.course.examfaults import EXAM_FAULTS
    from labkit.course.faults import STORE_FAULTS
    from labkit.course.graphfaults import GRAPH_FAULTS

    settings = get_settings()
    return Drill(
        settings.home / "drills",
        {
            1: Kind(
                title="a wrong part was flown out",
                evidence="a question of your own that the system as it runs now answers otherwise than a whole one",
                faults=STORE_FAULTS,
                scene=lambda: wrong_part(settings),
            ),
            2: Kind(
                title="the pilot failed",
                evidence="a row of the check or of the pilot, such as C-07",
                faults=EXAM_FAULTS,
                scene=lambda: pilot(settings),
            ),
            3: Kind(
                title="the recall list",
                evidence="a question of your own that the system as it runs now answers otherwise than a whole one",
                faults=GRAPH_FAULTS,
                scene=lambda: recall(settings),
            ),
        },
    )


def wrong_part(settings: Settings) -> Scene:
    """The first drill's scene on the course's world, which is prepared now if it is not there."""
    from labkit.course.wrongpart import WrongPart
    from labkit.evaluate.corpus import gold_paths, prepare_world, read_questions
    from labkit.llm import embedder
    from labkit.retrieve import open_index

    encoder = embedder(settings)
    corpus = prepare_world(settings, encoder, seed=settings.seed)
    assert corpus.world is not None
    opened = open_index(corpus.index, encoder)
    questions = [q for split in ("train", "dev") for q in read_questions(corpus.world, split)]
    paths = gold_paths(corpus.world)
    return WrongPart(opened, encoder, questions, paths, str(corpus.documents))


def pilot(settings: Settings) -> Scene:
    """The second drill's scene on the course's world, which is prepared now if it is not there."""
    from labkit.course.pilot import Pilot, stated_in
    from labkit.evaluate.corpus import prepare_world, read_questions
    from labkit.llm import embedder
    from labkit.retrieve import open_index

    encoder = embedder(settings)
    corpus = prepare_world(settings, encoder, seed=settings.seed)
    assert corpus.world is not None
    opened = open_index(corpus.index, encoder)
    questions = [q for split in ("train", "dev") for q in read_questions(corpus.world, split)]
    stated = stated_in(corpus.world, questions)
    return Pilot(opened, corpus.index, encoder, questions, stated, settings.home / "drills" / "index")


def recall(settings: Settings) -> Scene:
    """The third drill's scene on the course's world, which is prepared now if it is not there.

    Raises:
        InputError: the encoder does not show its tokens.
    """
    from labkit.course.recall import Recall, wider
    from labkit.evaluate.corpus import gold_paths, prepare_world, read_questions
    from labkit.graph.chains import ChainModel
    from labkit.graph.schema import Schema
    from labkit.llm import embedder
    from labkit.retrieve import LateInteraction, Reranker, open_index
    from labkit.retrieve.rewrite import Rewriter

    encoder = embedder(settings)
    corpus = prepare_world(settings, encoder, seed=settings.seed)
    assert corpus.world is not None
    opened = open_index(corpus.index, encoder)
    schema = wider(Schema.load())
    return Recall(
        Reranker(opened.store, encoder, LateInteraction.shipped()), Rewriter(opened.vocabulary),
        sorted(opened.store.chunks(), key=lambda chunk: chunk.chunk_id), schema, ChainModel.shipped(schema),
        [q for split in ("train", "dev") for q in read_questions(corpus.world, split)], gold_paths(corpus.world),
        str(corpus.documents),
    )  # fmt: skip


def _day(stated: str | None) -> date | None:
    try:
        return None if stated is None else date.fromisoformat(stated)
    except ValueError as error:
        raise InputError(f"{stated!r} is not a day", todo="Write it YYYY-MM-DD.") from error
