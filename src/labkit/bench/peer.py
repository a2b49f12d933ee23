"""Speed of ingestion against MarkItDown on the same files, on one core each.

Both are started as commands and charged the CPU seconds of all their processes. Ours does everything: sniffing,
parsing, cleaning, redaction, duplicates, chunks, tables; MarkItDown converts to Markdown. Starting up (imports, its
file-type model) is left out for both by measuring twice, over the sample and over one file of each kind, and taking
the difference; ``speed_ratio_with_start`` leaves it in. Figures are of the medians of three repetitions in alternating
order.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path

from labkit.bench.process import ONE_THREAD, Cost, measure
from labkit.bench.result import Figure
from labkit.bench.truth import Case
from labkit.world.chance import stream

SAMPLE = 150
REPETITIONS = 3
_CONVERT = """
import sys
from markitdown import MarkItDown
converter = MarkItDown()
for line in sys.stdin:
    try:
        print(bool(converter.convert(line.rstrip("\\n")).text_content.strip()), line, end="")
    except Exception:
        print(False, line, end="")
"""


def speed_figures(documents: Path, cases: Sequence[Case], seed: int) -> dict[str, Figure]:
    """Documents per second per core of ``labkit ingest``, as multiples of MarkItDown's; the interval is min to max."""
    names = ("speed_ratio", "speed_ratio_with_start", "documents_per_core_s")
    if util.find_spec("markitdown") is None:
        return {name: Figure(value=None, status="skipped: markitdown is not installed") for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        return _measured(documents, cases, seed, Path(scratch))


def _measured(documents: Path, cases: Sequence[Case], seed: int, scratch: Path) -> dict[str, Figure]:
    readable = sorted(case.path for case in cases if case.document is not None)
    stream(seed, "speed").shuffle(readable)
    sample = _accepted(documents, readable[: 2 * SAMPLE], scratch)[:SAMPLE]
    suffixes = {Path(name).suffix: name for name in sample}
    few = sorted(suffixes.values())
    for folder, names in (("all", sample), ("few", few)):
        _copy(documents, names, scratch / folder)
    for warm_up in (_ours, _theirs):
        warm_up(scratch / "few", scratch)
    runs: list[dict[str, Cost]] = []
    for repetition in range(REPETITIONS):
        order = [("ours", "few"), ("theirs", "few"), ("ours", "all"), ("theirs", "all")]
        costs = {}
        for tool, folder in order if repetition % 2 == 0 else reversed(order):
            costs[f"{tool} {folder}"] = (_ours if tool == "ours" else _theirs)(scratch / folder, scratch)
        runs.append(costs)
    peer = f"markitdown {metadata.version('markitdown')}"
    return {
        "speed_ratio": _figure(runs, lambda cost: _net(cost, "theirs") / _net(cost, "ours"), peer),
        "speed_ratio_with_start": _figure(runs, lambda cost: cost["theirs all"] / cost["ours all"], peer),
        "documents_per_core_s": _figure(runs, lambda cost: (len(sample) - len(few)) / _net(cost, "ours"), ""),
    }


def _net(cost: Mapping[str, float], tool: str) -> float:
    """CPU seconds for the files alone; a machine that is too busy to tell counts as a hundredth of a second."""
    return max(cost[f"{tool} all"] - cost[f"{tool} few"], 0.01)


def _figure(runs: Sequence[Mapping[str, Cost]], value: Callable[[Mapping[str, float]], float], peer: str) -> Figure:
    """The figure of the medians; its interval reaches over the repetitions, each by itself."""
    seconds = [{name: cost.cpu_s for name, cost in run.items()} for run in runs]
    middle = {name: statistics.median(run[name] for run in seconds) for name in seconds[0]}
    found = [value(middle), *(value(run) for run in seconds)]
    return Figure(value=found[0], n=len(runs), ci95=(min(found), max(found)), direction="higher", peer=peer)


def _ours(folder: Path, scratch: Path) -> Cost:
    with tempfile.TemporaryDirectory(dir=scratch) as fresh:  # ingestion remembers what it read beside its output
        command = ["labkit", "ingest", str(folder), "--out", f"{fresh}/tables", "--workers", "1", "--quiet"]
        return measure([sys.executable, "-m", *command], env=_environment(scratch), one_core=True)


def _theirs(folder: Path, scratch: Path) -> Cost:
    listed = scratch / "listed.txt"
    listed.write_text("".join(f"{p}\n" for p in sorted(folder.rglob("*")) if p.is_file()), encoding="utf-8")
    return measure([sys.executable, "-c", _CONVERT], stdin=listed, env=_environment(scratch), one_core=True)


def _environment(scratch: Path) -> dict[str, str]:
    """One thread, and bytecode kept where it surely can be: compiling libraries anew is nobody's work."""
    return {**ONE_THREAD, "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}


def _accepted(documents: Path, names: Sequence[str], scratch: Path) -> list[str]:
    """Those files of which MarkItDown makes some text."""
    listed, converted = scratch / "asked.txt", scratch / "converted.txt"
    listed.write_text("".join(f"{documents / name}\n" for name in names), encoding="utf-8")
    head = f"import sys\nsys.stdout = open({str(converted)!r}, 'w', encoding='utf-8')"
    program = f"{head}\n{_CONVERT}\nsys.stdout.close()\n"
    measure([sys.executable, "-c", program], stdin=listed)
    good = {line[5:] for line in converted.read_text(encoding="utf-8").splitlines() if line.startswith("True ")}
    return [name for name in names if str(documents / name) in good]


def _copy(documents: Path, names: Sequence[str], target: Path) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(documents / name, target / name)
