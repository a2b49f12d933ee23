"""``labkit …``: parses, calls, prints. Every command is one call into a room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from labkit.course.drillcommands import drill_app
from labkit.errors import ConfigError, InputError, LabkitError
from labkit.schema import PUBLIC, Answer, Answerer, RequestContext
from labkit.settings import Settings, get_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From Demo to Production: the course, its lab, and the system it builds.",
)
world_app = typer.Typer(no_args_is_help=True, help="Generate the enterprise the course works on.")
app.add_typer(world_app, name="world")
app.add_typer(drill_app, name="drill")
eval_app = typer.Typer(no_args_is_help=True, help="Judge what was measured.")
app.add_typer(eval_app, name="eval")

ProfileOption = Annotated[str, typer.Option(help="size of the world: ci, full or a number of documents")]
SeedOption = Annotated[int | None, typer.Option(help="seed of every random stream (default: LABKIT_SEED)")]
PackOption = Annotated[Path | None, typer.Option(help="a pack to lay over the course's own (docs/packs.md)")]
EngineName = Literal["pool", "ray"]
QuietOption = Annotated[bool, typer.Option("--quiet", help="no progress bars")]


def main() -> NoReturn:
    """Entry point: errors raised on purpose become one line and exit status 2."""
    try:
        app()
    except LabkitError as error:
        typer.echo(f"labkit: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("labkit: interrupted; run the same command again to go on", err=True)
        sys.exit(130)
    sys.exit(0)


# The world


@world_app.command("build")
def world_build(
    out: Annotated[Path, typer.Option(help="an empty folder, or an earlier world to replace")],
    profile: ProfileOption = "ci",
    seed: SeedOption = None,
    pack: PackOption = None,
    quiet: QuietOption = False,
) -> None:
    """Build documents, truth, questions and traffic."""
    from labkit.world.build import build_world

    report = build_world(profile, _seed(seed), out, pack_dir=pack, progress=not quiet)
    typer.echo(json.dumps(asdict(report), indent=1))


@world_app.command("check-pack")
def world_check_pack(folder: Path) -> None:
    """Check a pack against the documented format."""
    from labkit.world.pack import load_pack

    pack = load_pack(folder)
    passages = sum(len(bank) for document in pack.classes.values() for bank in document.bank.values())
    typer.echo(f"{pack.version}: {len(pack.families)} families, {len(pack.classes)} classes, {passages} passages: ok")


@world_app.command("pin")
def world_pin() -> None:
    """After a change to the generator that was meant: rewrite the pinned digests and the data card's figures."""
    from labkit.world.pin import pin

    for pinned in pin(_root() / "datasets"):
        typer.echo(f"{pinned.profile:<6} seed {pinned.seed}: {pinned.content_sha256}")


# The pipeline


@app.command()
def ingest(
    folder: Path,
    out: Annotated[Path, typer.Option(help="where the tables go")],
    workers: Annotated[int, typer.Option(min=1, help="processes, or Ray tasks in flight")] = 1,
    engine: Annotated[
        EngineName, typer.Option(help="pool: this machine; ray: RAY_ADDRESS, or a cluster started here")
    ] = "pool",
    quiet: QuietOption = False,
) -> None:
    """Parse, clean, deduplicate, redact and chunk every file below FOLDER; what cannot be read goes to quarantine."""
    from labkit.ingest import ingest as ingest_folder
    from labkit.ingest import privacy_of

    privacy = privacy_of(get_settings())
    report = ingest_folder(folder, out, workers=workers, engine=engine, privacy=privacy, progress=not quiet)
    typer.echo(report.model_dump_json(indent=1))


@app.command()
def index(
    tables: Annotated[Path, typer.Argument(help="what `labkit ingest` wrote")],
    out: Annotated[Path, typer.Option(help="where the index goes")],
    quiet: QuietOption = False,
) -> None:
    """Embed the chunks and make them searchable; build the graph of what they say."""
    from labkit.graph.cache import open_graph
    from labkit.llm import embedder
    from labkit.retrieve import index as build_index
    from labkit.retrieve import open_index

    settings = get_settings()
    encoder = embedder(settings)
    report = build_index(tables, out, encoder, progress=not quiet)
    graph = open_graph(open_index(out, encoder))
    typer.echo(json.dumps(asdict(report) | {"entities": len(graph.entities), "facts": len(graph.facts)}, indent=1))


@app.command()
def publish(
    index_dir: Annotated[Path, typer.Argument(help="what `labkit index` built")],
    quiet: QuietOption = False,
) -> None:
    """Copy an index to the Weaviate server of LABKIT_WEAVIATE_URL, without embedding anything again."""
    from labkit.llm import embedder
    from labkit.retrieve.publish import publish as publish_index

    settings = get_settings()
    info = publish_index(index_dir, settings, embedder(settings), progress=not quiet)
    typer.echo(info.model_dump_json(indent=1))


@app.command()
def ask(
    question: str,
    corpus: Annotated[Path | None, typer.Option(help="any folder of files (default: the course's world)")] = None,
    groups: Annotated[str, typer.Option(help="comma-separated groups of the asker")] = "",
    as_of: Annotated[str | None, typer.Option(help="ask as of a past day, YYYY-MM-DD")] = None,
    profile: ProfileOption = "ci",
    seed: SeedOption = None,
    json_: Annotated[bool, typer.Option("--json", help="the whole answer as JSON")] = False,
) -> None:
    """Answer a question with citations, or say that the documents do not hold the answer."""
    from labkit.pipeline import build_pipeline

    settings = get_settings()
    index_dir, default_group, tenant = _corpus(settings, corpus, profile, _seed(seed))
    listed = {group.strip() for group in groups.split(",") if group.strip()}
    ctx = RequestContext(
        principal=os.environ.get("USER", "you"),
        groups=frozenset(listed or {default_group}),
        tenant=tenant,
        as_of=_day(as_of) if as_of else _last_day(corpus),
    )
    answer = build_pipeline(index_dir, settings).ask(question, ctx)
    typer.echo(answer.model_dump_json(indent=1) if json_ else _shown(answer))


def _corpus(settings: Settings, corpus: Path | None, profile: str, seed: int) -> tuple[Path, str, str]:
    """The index to ask, the group everybody there is in, and the tenant."""
    from labkit.evaluate.corpus import prepare_folder, prepare_world
    from labkit.llm import embedder

    if corpus is not None:
        return prepare_folder(corpus, settings, embedder(settings)).index, PUBLIC, "default"
    return prepare_world(settings, embedder(settings), seed=seed, profile=profile).index, "staff", "tidewater"


def _shown(answer: Answer) -> str:
    lines = [answer.text, ""]
    for number, citation in enumerate(answer.citations, 1):
        lines += [f"  [{number}] {citation.source_path}  ({citation.chunk_id})", f"      “{citation.quote}”"]
    total = sum(answer.timings.values())
    lines.append(f"  {answer.route or 'answer'} · confidence {answer.confidence:.2f} · {total:.1f} s")
    if answer.degraded:
        lines.append(f"  degraded: {', '.join(answer.degraded)}")
    return "\n".join(lines)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise InputError(f"{text!r} is not a day", todo="Write --as-of YYYY-MM-DD.") from error


def _last_day(corpus: Path | None) -> date:
    """Today; in the generated world, whose calendar ends, its last day."""
    from labkit.world.chance import END

    return END if corpus is None else date.today()


# Benchmarks


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="a benchmark, or `list`")],
    profile: ProfileOption = "ci",
    seed: SeedOption = None,
    pack: PackOption = None,
    data: Annotated[Path | None, typer.Option(help="public evaluation sets (default: LABKIT_DATA)")] = None,
    split: Annotated[str, typer.Option(help="train, dev, test or hero")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="ask at most this many questions")] = None,
    system: Annotated[
        Path | None, typer.Option(help="measure the functions of this file, e.g. labs/my_system.py")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="multihop: a JSON list of {title, text}")] = None,
    questions: Annotated[Path | None, typer.Option(help="multihop: JSON lines of {question, gold_titles}")] = None,
    method: Annotated[
        str, typer.Option(help="multihop: flat, or hop along links; tune: parts, such as answer+judge")
    ] = "flat",
    adapters: Annotated[
        Path | None, typer.Option(help="tune: folder with an adapter per task, instead of those that ship")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the result here")] = None,
    rows_file: Annotated[Path | None, typer.Option("--rows", help="write one row per question here")] = None,
) -> None:
    """Measure something."""
    from labkit.bench import BENCHES, Options, run

    if name == "list":
        for found, what in BENCHES.items():
            typer.echo(f"{found:<10} {what}")
        return
    settings = get_settings()
    options = Options(
        settings, profile, _seed(seed), pack=pack, data=data or settings.data, split=split, limit=limit,
        system=_system(system, settings, profile, _seed(seed), pack), system_name=system.stem if system else "labkit",
        corpus=corpus, questions=questions, method=method, adapters=adapters,
    )  # fmt: skip
    result = run(name, options, json_file=json_file, rows_file=rows_file)
    if system is not None and name == "answer":
        result.write(settings.home / "runs" / "you.json")  # the scoreboard's *you* row
    typer.echo(result.table())


# Evaluation


@eval_app.command("gate")
def eval_gate(
    baseline: Annotated[Path, typer.Option(help="rows of the system in use: labkit bench answer --rows FILE")],
    candidate: Annotated[
        Path | None, typer.Option(help="rows of what may replace it (default: ask the present system now)")
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(help="watch this figure, NAME or NAME:lower where lower is better; repeat, most important first"),
    ] = None,
    system: Annotated[str | None, typer.Option(help="compare the rows of this system, where there are several")] = None,
    pack: PackOption = None,
    seed: SeedOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the report here")] = None,
) -> None:
    """Exit with 1 if the candidate is worse beyond chance, 0 if not, 2 if the two cannot be compared."""
    from labkit.bench import Options
    from labkit.bench.answer import run as ask_world
    from labkit.evaluate.gate import compare, figures_named, of_system, read_rows, run_fields

    before = of_system(read_rows(baseline), system)
    if candidate is None:
        profile, asked_seed, split = run_fields(before)
        options = Options(get_settings(), profile, asked_seed, pack=pack, split=split, limit=len(before))
        after = ask_world(options)[1]
    else:
        after = of_system(read_rows(candidate), system)
    report = compare(before, after, figures_named(figure) if figure else None, seed=_seed(seed))
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    typer.echo(report.table())
    if not report.passed:
        raise typer.Exit(1)


# The course


@app.command()
def course(
    names: Annotated[list[str] | None, typer.Argument(help="notebooks by name or number (default: all)")] = None,
    profile: Annotated[str, typer.Option(help="ci, laptop or gpu")] = "ci",
    seed: SeedOption = None,
    update: Annotated[
        bool, typer.Option("--update", help="write executed notebooks, labs and scoreboard back")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="execute even what has not changed")] = False,
) -> None:
    """Execute the notebooks, verify them, compare with the committed ones, and print the scoreboard."""
    from labkit.course.run import run_course
    from labkit.course.session import unpack_models

    unpack_models()
    report = run_course(_root(), names=names, profile=profile, seed=_seed(seed), force=force, update=update)
    typer.echo(report.table())
    report.raise_if_bad()


@app.command()
def lab() -> None:
    """Open JupyterLab on the notebooks and labs."""
    _run([sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir", str(_root())])


@app.command()
def doctor(json_: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """Say what this machine can run, and what is missing."""
    from labkit.doctor import examine

    report = examine()
    typer.echo(json.dumps(report.as_dict(), indent=1) if json_ else report.table())


# The maintainer's commands: `make NAME` does the same


@app.command()
def env(name: Annotated[str, typer.Argument(help="lab, phoenix, serve, quantize or legacy")] = "lab") -> None:
    """Build an environment from its lock, or see that it is built."""
    _run([sys.executable, "scripts/environment.py", name])


@app.command()
def lock(upgrade: Annotated[bool, typer.Option("--upgrade", help="take newer versions")] = False) -> None:
    """Resolve what is asked for again, then rewrite the bill of materials."""
    _run([sys.executable, "scripts/lock.py", *(["--upgrade"] if upgrade else [])])
    _run([sys.executable, "scripts/sbom.py", "lab", "docs/sbom.json"])


@app.command()
def lint() -> None:
    """Style, types and the import contract."""
    for command in LINT:
        _run([sys.executable, *command])


@app.command()
def unit() -> None:
    """The tests that take seconds."""
    _run([sys.executable, "-m", "pytest", "-q", "-m", "not slow", "tests/unit"])


@app.command()
def test() -> None:
    """Everything CI runs: lint, then all tests, the notebooks among them, each executed once."""
    lint()
    # Two workers, a file to a worker: what a file prepares once is prepared once, and each notebook runs once.
    _run([sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"])


LINT = (
    ("-m", "ruff", "check", "."),
    ("-m", "ruff", "format", "--check", "."),
    ("-m", "mypy"),
    ("-c", "from importlinter.cli import lint_imports_command as run; run()"),  # has no -m form
)


def _run(command: list[str]) -> None:
    """Run a tool from the repository's root; its failure is ours."""
    status = subprocess.run(command, cwd=_root(), check=False).returncode  # noqa: S603
    if status:
        raise typer.Exit(status)


def _root() -> Path:
    """The checkout this command is run in.

    Raises:
        ConfigError: not inside one.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "notebooks").is_dir() and (folder / "src" / "labkit").is_dir():
            return folder
    raise ConfigError("This is not inside a checkout of the course", where=str(Path.cwd()), todo="Change into it.")


def _system(file: Path | None, settings: Settings, profile: str, seed: int, pack: Path | None) -> Answerer | None:
    """The learner's own system, its gaps filled with the course's stages."""
    if file is None:
        return None
    from labkit.course.learner import learner_system
    from labkit.evaluate.corpus import prepare_world
    from labkit.llm import embedder

    corpus = prepare_world(settings, embedder(settings), seed=seed, pack_dir=pack, profile=profile)
    return learner_system(file, corpus.index, settings)


def _seed(seed: int | None) -> int:
    return get_settings().seed if seed is None else seed
