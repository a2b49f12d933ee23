"""The course from end to end: every notebook executed once, verified, compared, its figures and rows collected.

:func:`run_course` is what ``labkit course`` and the notebook tests call; :func:`run_labs` executes the labs'
solutions. One bad notebook does not stop the others: the report holds what is wrong with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course import cache
from labkit.course.compare import compare
from labkit.course.execute import execute
from labkit.course.expected import Expectation, all_figures, check_figures, load_expected
from labkit.course.finding import Finding
from labkit.course.labs import check_lab, check_solutions, lab_sources, write_labs
from labkit.course.output import normalise, places
from labkit.course.scoreboard import Row, check_scoreboard, plain_table, rows_of, target_row, write_scoreboard, you_row
from labkit.course.source import (
    declared_parameters,
    notebook_sources,
    read_notebook,
    read_source,
    write_notebook,
)
from labkit.course.verify import verify
from labkit.errors import CourseError, InputError, NotebookInvalid
from labkit.settings import get_settings

YOU = "you.json"
"""Name, in the results folder, of the learner's own benchmark result."""


@dataclass(frozen=True, slots=True)
class NotebookReport:
    """What became of one notebook: ``error`` when it did not run, ``findings`` when it ran and is not right."""

    name: str
    minutes: float = 0.0
    peak_mb: float = 0.0
    reused: bool = False
    written: bool = False
    figures: int = 0
    findings: tuple[Finding, ...] = ()
    error: CourseError | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.error is None and not self.findings

    @property
    def status(self) -> str:
        """One word for the table."""
        if self.error is not None:
            return "failed"
        if self.findings:
            return "invalid"
        return "ok, written" if self.written else "ok, kept" if self.reused else "ok"


@dataclass(frozen=True, slots=True)
class CourseReport:
    """What became of a run: per notebook, and for the repository as a whole."""

    notebooks: tuple[NotebookReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    rows: tuple[Row, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong at all."""
        return not self.findings and all(report.ok for report in self.notebooks)

    def table(self) -> str:
        """The compact summary, then every finding and error, then the scoreboard with the *you* row."""
        width = max([len(report.name) for report in self.notebooks] + [8])
        lines = [f"{'notebook':{width}}  minutes  peak MB  figures  status"]
        for report in self.notebooks:
            off = len([finding for finding in report.findings if finding.check == "figures"])
            figures = f"{report.figures}" if not off else f"{report.figures}, {off} off"
            numbers = f"{report.minutes:7.1f}  {report.peak_mb:7.0f}  {figures:>7}"
            lines.append(f"{report.name:{width}}  {numbers}  {report.status}")
        parts = ["\n".join(lines), *self.problems()]
        if self.rows:
            parts.append(plain_table(self.rows))
        return "\n\n".join(parts)

    def problems(self) -> list[str]:
        """Everything that is wrong, one text per notebook."""
        texts = []
        for report in self.notebooks:
            if report.error is not None:
                texts.append(f"{report.name} failed: {report.error}")
            elif report.findings:
                texts.append(
                    "\n".join([f"{report.name} is invalid:", *(f"  {finding}" for finding in report.findings)])
                )
        if self.findings:
            texts.append("\n".join(["the course:", *(f"  {finding}" for finding in self.findings)]))
        return texts

    def raise_if_bad(self) -> None:
        """Raise the first failure, or all findings as one error.

        Raises:
            NotebookFailed: a notebook did not run to its end.
            NotebookInvalid: something that ran is not right.
        """
        for report in self.notebooks:
            if report.error is not None:
                raise report.error
        if not self.ok:
            raise NotebookInvalid("The course ran but is not right:\n\n" + "\n\n".join(self.problems()))


def run_course(
    root: Path,
    *,
    names: Sequence[str] | None = None,
    profile: str = "ci",
    seed: int = 7,
    force: bool = False,
    update: bool = False,
    results: Path | None = None,
) -> CourseReport:
    """Execute, verify and compare notebooks, and check what follows from them.

    Args:
        root: of the repository.
        names: notebooks to run, by name or number (``00``); all when None. Labs and the scoreboard are looked at
            only when all are run.
        profile: ``ci``, ``laptop`` or ``gpu``. Ranges and committed executions are those of the notebooks' defaults;
            another profile or seed is executed and verified only.
        seed: of every random stream.
        force: execute again even what is unchanged since its last good execution.
        update: write the executions, labs and scoreboard into the repository where they differ from what is there.
            An execution that agrees with the committed one leaves it untouched.
        results: where executions and run records are kept; ``runs`` under the settings' home when None.

    Raises:
        InputError: a name is unknown, or ``update`` is asked for with other than the default parameters.
    """
    results = results if results is not None else get_settings().home / "runs"
    expected = load_expected(root / "notebooks" / "expected.toml")
    sources = notebook_sources(root)
    parameters = {"profile": profile, "seed": seed}
    reports = tuple(
        _run_notebook(
            root,
            name,
            sources[name],
            parameters,
            expected.get(name, Expectation()),
            results,
            force=force,
            update=update,
        )
        for name in _chosen(sources, names)
    )
    if update and names is None:
        write_labs(root)
    rows = committed_rows(root)
    if update and rows:
        write_scoreboard(root, rows)
    findings = _check_repository(root, expected.keys(), rows) if names is None else []
    return CourseReport(reports, tuple(findings), (*rows, *you_row(results / YOU)))


def run_labs(
    root: Path,
    *,
    names: Sequence[str] | None = None,
    profile: str = "ci",
    seed: int = 7,
    force: bool = False,
    results: Path | None = None,
) -> CourseReport:
    """Execute the labs with their solutions: each has to run, and every check in it to say *right*.

    Raises:
        InputError: a name is unknown.
    """
    results = results if results is not None else get_settings().home / "runs"
    sources = lab_sources(root)
    reports = tuple(
        _run_lab(root, name, sources[name], {"profile": profile, "seed": seed}, results, force=force)
        for name in _chosen(sources, names)
    )
    return CourseReport(reports)


def committed_rows(root: Path) -> list[Row]:
    """The scoreboard as the committed executions give it: the target first, then the chapters in order."""
    executed = [path.with_suffix(".ipynb") for path in notebook_sources(root).values()]
    rows = [row for path in executed if path.exists() for _, row in rows_of(read_notebook(path))]
    return [*target_row(root / "notebooks" / "scoreboard.toml"), *rows] if rows else []


def _chosen(sources: dict[str, Path], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return list(sources)
    chosen = []
    for wanted in names:
        found = [name for name in sources if wanted == name or name.rpartition("/")[2].startswith(f"{wanted}_")]
        if not found:
            raise InputError(f"There is no notebook {wanted!r}", todo=f"There are: {', '.join(sources) or 'none'}.")
        chosen += [name for name in found if name not in chosen]
    return chosen


def _run_notebook(
    root: Path,
    name: str,
    source: Path,
    parameters: dict[str, Any],
    expectation: Expectation,
    results: Path,
    *,
    force: bool,
    update: bool,
) -> NotebookReport:
    try:
        unexecuted = read_source(source)
        canonical = parameters == {key: declared_parameters(unexecuted).get(key) for key in parameters}
        if update and not canonical:
            todo = f"Leave profile and seed at the defaults {name} declares."
            raise InputError("Only the default execution is committed", where=name, todo=todo)
        fresh, reused = _executed(root, name, source, parameters, expectation.timeout_minutes, results, force=force)
        found = verify(fresh, unexecuted)
        written = False
        if canonical:
            target = source.with_suffix(".ipynb")
            committed = read_notebook(target) if target.exists() else None
            differences = _differences(fresh, committed, unexecuted, expectation)
            if update and differences and not found:
                write_notebook(fresh, target)
                written = True
            elif not update or found:
                found = [*found, *differences]
            found = [*found, *check_figures(fresh, expectation.figures)]
    except CourseError as error:
        return NotebookReport(name, error=error)
    facts = fresh.metadata["labkit"]
    return NotebookReport(
        name, facts["minutes"], facts["peak_mb"], reused, written, len(all_figures(fresh)), tuple(found)
    )


def _run_lab(
    root: Path, name: str, source: Path, parameters: dict[str, Any], results: Path, *, force: bool
) -> NotebookReport:
    try:
        declared = declared_parameters(read_source(source))
        given = {key: value for key, value in parameters.items() if key in declared}
        limit = Expectation().timeout_minutes
        executed, reused = _executed(root, name, source, given, limit, results, force=force)
    except CourseError as error:
        return NotebookReport(name, error=error)
    facts = executed.metadata["labkit"]
    return NotebookReport(name, facts["minutes"], facts["peak_mb"], reused, findings=tuple(check_solutions(executed)))


def _executed(
    root: Path, name: str, source: Path, parameters: dict[str, Any], timeout: float, results: Path, *, force: bool
) -> tuple[NotebookNode, bool]:
    key = cache.key_of(source, parameters, root)
    kept = None if force else cache.load(results, name, key)
    if kept is not None:
        return kept, True
    try:
        execution = execute(
            read_source(source),
            name=name,
            folder=source.parent,
            output=cache.notebook_path(results, name),
            parameters=parameters,
            timeout_minutes=timeout,
        )
    except CourseError as error:
        cache.save_failure(results, name, key, error)
        raise
    nb = execution.notebook
    nb.metadata["labkit"] = {
        **parameters,
        "minutes": round(execution.minutes, 1),
        "peak_mb": round(execution.peak_mb, -1),
    }
    normalise(nb, places(root))
    exact = {"minutes": execution.minutes, "peak_mb": execution.peak_mb, "parameters": parameters}
    cache.save(results, name, key, nb, exact)
    return nb, False


def _differences(
    fresh: NotebookNode, committed: NotebookNode | None, unexecuted: NotebookNode, expectation: Expectation
) -> list[Finding]:
    """What is wrong with the committed execution, seen from a fresh one."""
    if committed is None:
        return [Finding("committed", "there is no committed execution: run `labkit course --update`")]
    own = [*verify(committed, unexecuted), *check_figures(committed, expectation.figures)]
    return [*compare(fresh, committed, expectation.figures), *(finding.about("committed") for finding in own)]


def _check_repository(root: Path, expected: Sequence[str] | Any, rows: Sequence[Row]) -> list[Finding]:
    sources = notebook_sources(root)
    found = [
        Finding("expected", f"expected.toml has a table for {name}, which does not exist")
        for name in expected
        if name not in sources
    ]
    folders = {path.parent for path in sources.values()} | {root / "notebooks"}
    found += [
        Finding("source", f"{path.name} has no .py source")
        for folder in sorted(folders)
        for path in sorted(folder.glob("*.ipynb"))
        if not path.with_suffix(".py").exists()
    ]
    for name, source in lab_sources(root).items():
        try:
            found += [finding.about(name) for finding in check_lab(source)]
        except CourseError as error:
            found.append(Finding(name, str(error)))
    return [*found, *check_scoreboard(root, rows)]
