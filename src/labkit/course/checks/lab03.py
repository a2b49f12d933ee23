"""Checks of lab 03: dictated identifiers, fusion with an empty path, a contractor's rights, a time budget, search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from labkit.course.check import question

if TYPE_CHECKING:
    from labkit.schema import Chunk, Hit, RequestContext, Retriever

Written: TypeAlias = Callable[[str, set[str]], str]
Lists: TypeAlias = dict[str, list[tuple[str, float]]]
Fuse: TypeAlias = Callable[[Lists, dict[str, float], int], list[tuple[str, float]]]
Engine: TypeAlias = "Callable[[str, int], list[Chunk]]"
Safe: TypeAlias = "Callable[[Engine, str, int, RequestContext], list[Chunk]]"
Setting: TypeAlias = Mapping[str, Any]
Choose: TypeAlias = Callable[[Sequence[Setting], float], "str | None"]
Retrieve: TypeAlias = "Callable[..., list[Hit]]"

TOLERANCE = 1e-6
DIGITS = {"oh": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
          "seven": "7", "eight": "8", "nine": "9"}  # fmt: skip
MARKS = "?.,;:!"

KNOWN = {"E-417", "E-471", "E-410", "E-441", "GM-4168", "RMA-3088", "GM-41"}
DICTATED: tuple[tuple[str, str], ...] = (
    ("What does E four one seven mean?", "What does E-417 mean?"),
    ("What does e four seven one mean?", "What does E-471 mean?"),
    ("Is it E four one oh or E four one seven?", "Is it E-410 or E-417?"),
    ("Send me part GM 4168", "Send me part GM-4168"),
    ("Send me part G M four one six eight.", "Send me part GM-4168."),
    ("The screen says E double four one", "The screen says E-441"),
    ("Send GM four one six eight two times", "Send GM-4168 two times"),
    ("I need four of them and one E-417", "I need four of them and one E-417"),
    ("What is E nine nine nine?", "What is E nine nine nine?"),
    ("RMA three zero eight eight, please", "RMA-3088, please"),
    ("Pike two of six stands still", "Pike two of six stands still"),
    ("It shows E four. One seven is the gate", "It shows E four. One seven is the gate"),
)


@question(
    hint="From each word on, collect letters, then digits, and remember the longest stretch that is a known "
    "identifier. A mark at a word's end ends the stretch."
)
def q1(written: Written) -> str | None:
    """Dictated identifiers as the documents write them; nothing else is touched."""
    for spoken, wanted in DICTATED:
        got = written(spoken, set(KNOWN))
        if got != wanted:
            return f"of {spoken!r} it made {got!r}"
    return None


def _longest_known(text: str, known: set[str]) -> str:
    words, out, at = text.split(), [], 0
    while at < len(words):
        end, identifier = _stretch(words, at, known)
        out.append(identifier or words[at])
        at = end
    return " ".join(out)


q1.solution(_longest_known)


def _stretch(words: Sequence[str], at: int, known: set[str]) -> tuple[int, str]:
    letters, digits, times, best = "", "", 1, (at + 1, "")
    for end in range(at, len(words)):
        word = words[end].rstrip(MARKS)
        folded = word.lower()
        if letters and folded == "double":
            times = 2
        elif letters and (folded in DIGITS or word.isdigit()):
            digits += DIGITS.get(folded, word) * times
            times = 1
        elif not digits and word.isalpha() and len(word) <= 3 and folded not in DIGITS:
            letters += word.upper()
        else:
            break
        if f"{letters}-{digits}" in known:
            best = (end + 1, f"{letters}-{digits}{words[end][len(word) :]}")
        if word != words[end]:
            break
    return best


@q1.wrong
def _every_number(text: str, known: set[str]) -> str:
    """Digits for words wherever they stand."""
    words = [DIGITS.get(word.lower(), word) for word in text.split()]
    return " ".join(words)


@q1.wrong
def _any_identifier(text: str, known: set[str]) -> str:
    """Does not ask whether the documents have that identifier."""
    made = {f"{letters}-{n}" for letters in ("E", "GM", "RMA") for n in range(10_000)}
    return _longest_known(text, known | made)


@q1.wrong
def _first_known(text: str, known: set[str]) -> str:
    """Stops at the first identifier that fits: GM-41 for GM-4168."""
    out, words, at = [], text.split(), 0
    while at < len(words):
        for stop in range(at + 1, len(words) + 1):
            end, identifier = _stretch(words[:stop], at, known)
            if identifier:
                break
        out.append(identifier or words[at])
        at = end
    return " ".join(out)


FUSIONS: tuple[tuple[str, Lists, dict[str, float], int, list[tuple[str, float]]], ...] = (
    (
        "two paths",
        {"dense": [("a", 0.9), ("b", 0.7), ("c", 0.5)], "lexical": [("b", 20.0), ("d", 10.0)]},
        {"dense": 0.4, "lexical": 0.6},
        4,
        [("b", 0.8), ("a", 0.4), ("c", 0.0), ("d", 0.0)],
    ),
    (
        "a path that found nothing",
        {"dense": [("a", 0.9), ("b", 0.7), ("c", 0.5)], "lexical": []},
        {"dense": 0.4, "lexical": 0.6},
        2,
        [("a", 1.0), ("b", 0.5)],
    ),
    (
        "a path with one hit",
        {"dense": [("a", 0.9), ("b", 0.7), ("c", 0.5)], "lexical": [("c", 3.0)]},
        {"dense": 0.4, "lexical": 0.6},
        3,
        [("c", 0.6), ("a", 0.4), ("b", 0.2)],
    ),
    (
        "equal scores, and three paths",
        {"dense": [("b", 0.5), ("a", 0.5)], "lexical": [("a", 4.0), ("c", 2.0)], "names": [("c", 1.0)]},
        {"dense": 0.2, "lexical": 0.3, "names": 0.5},
        3,
        [("a", 0.5), ("c", 0.5), ("b", 0.2)],
    ),
    ("nothing at all", {"dense": [], "lexical": []}, {"dense": 0.4, "lexical": 0.6}, 3, []),
)


@question(
    hint="Leave empty paths out first, and divide the weights by the sum of those that are left. "
    "Where the scores of a path do not differ, each of its hits is worth 1."
)
def q2(fuse: Fuse) -> str | None:
    """Convex fusion in which an empty path counts for nothing instead of against everything."""
    for what, lists, weights, k, wanted in FUSIONS:
        got = fuse({path: list(hits) for path, hits in lists.items()}, dict(weights), k)
        if [name for name, _ in got] != [name for name, _ in wanted]:
            return f"with {what} the order is {[name for name, _ in got]}"
        if any(abs(score - right) > TOLERANCE for (_, score), (_, right) in zip(got, wanted, strict=True)):
            return f"with {what} the scores are {[round(score, 3) for _, score in got]}"
    return None


def _empty_left_out(lists: Lists, weights: dict[str, float], k: int) -> list[tuple[str, float]]:
    found = {path: hits for path, hits in lists.items() if hits}
    whole = sum(weights[path] for path in found)
    total: dict[str, float] = {}
    for path, hits in found.items():
        scores = [score for _, score in hits]
        low, span = min(scores), max(scores) - min(scores)
        for name, score in hits:
            share = (score - low) / span if span else 1.0
            total[name] = total.get(name, 0.0) + weights[path] / whole * share
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


q2.solution(_empty_left_out)


@q2.wrong
def _weights_stay(lists: Lists, weights: dict[str, float], k: int) -> list[tuple[str, float]]:
    total = dict(_empty_left_out(lists, weights, 10_000))
    whole = sum(weights[path] for path, hits in lists.items() if hits)
    return sorted(((name, score * whole) for name, score in total.items()), key=lambda pair: (-pair[1], pair[0]))[:k]


@q2.wrong
def _divides_by_nothing(lists: Lists, weights: dict[str, float], k: int) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for path, hits in lists.items():
        low, high = min(score for _, score in hits), max(score for _, score in hits)
        for name, score in hits:
            total[name] = total.get(name, 0.0) + weights[path] * (score - low) / (high - low)
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


@q2.wrong
def _by_rank(lists: Lists, weights: dict[str, float], k: int) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for hits in lists.values():
        for rank, (name, _) in enumerate(hits, 1):
            total[name] = total.get(name, 0.0) + 1 / (60 + rank)
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


@q2.wrong
def _one_hit_is_worth_nothing(lists: Lists, weights: dict[str, float], k: int) -> list[tuple[str, float]]:
    found = {path: hits for path, hits in lists.items() if hits}
    whole = sum(weights[path] for path in found)
    total: dict[str, float] = {}
    for path, hits in found.items():
        low, high = hits[-1][1], hits[0][1]
        for name, score in hits:
            total[name] = total.get(name, 0.0) + weights[path] / whole * (score - low) / ((high - low) or 1)
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


TODAY = date(2025, 12, 31)


def passage(number: int, acl: Sequence[str] = ("public",), document: str = "", until: date | None = None) -> Chunk:
    """A passage for a check: number ``n`` in a document of its own, unless one is named."""
    from labkit.schema import Chunk

    name = document or f"d{number}"
    return Chunk(
        chunk_id=f"c{number:03}", doc_id=name, source_path=f"{name}.md", ordinal=0, text=f"passage {number}", start=0,
        end=9, acl=tuple(acl), tenant="tidewater", valid_to=until, tokens=2, content_hash="",
    )  # fmt: skip


def _drive() -> list[Chunk]:
    """Two hundred passages, few of them a contractor's: some further down, one withdrawn, one of another company."""
    made = [passage(n) for n in range(200)]
    for n in (4, 61, 118, 170):
        made[n] = passage(n, ("public", "contractors"))
    made[30] = passage(30, ("contractors",), until=date(2025, 6, 1))
    made[40] = passage(40, ("contractors",)).model_copy(update={"tenant": "norrland"})
    made[90] = passage(90, ("finance",))
    return made


class _Counted:
    """An engine that knows no rights, and how often it was asked."""

    def __init__(self) -> None:
        self.drive, self.calls = _drive(), 0

    def __call__(self, question: str, n: int) -> list[Chunk]:
        self.calls += 1
        return self.drive[:n]


@question(
    hint="Ask for more until k are left or the engine has no more to give, several times as many each time. "
    "For a contractor, `public` is not enough."
)
def q3(safe_search: Safe) -> str | None:
    """Rights around an engine that has none, for staff and for a contractor."""
    from labkit.schema import RequestContext

    contractor = frozenset({"contractors", "public"})
    for who, groups, k, wanted in (
        ("a contractor", contractor, 2, ["c004", "c061"]),
        ("a contractor", contractor, 4, ["c004", "c061", "c118", "c170"]),
        ("a contractor", contractor, 10, ["c004", "c061", "c118", "c170"]),
        ("an employee", frozenset({"public"}), 3, ["c000", "c001", "c002"]),
        ("somebody in no group", frozenset[str](), 3, []),
    ):
        engine = _Counted()
        ctx = RequestContext(groups=groups, tenant="tidewater", as_of=TODAY)
        got = [chunk.chunk_id for chunk in safe_search(engine, "which part", k, ctx)]
        if got != wanted:
            return f"{who} who asks for {k} got {got or 'nothing'}"
        if engine.calls > 10:
            return f"{who} who asks for {k} made the engine search {engine.calls} times; ask for several times as many"
    return None


def _allowed(chunk: Chunk, ctx: RequestContext) -> bool:
    if "contractors" in ctx.groups and "contractors" not in chunk.acl:
        return False
    return ctx.may_read(chunk.acl, chunk.tenant) and ctx.in_force(chunk.valid_from, chunk.valid_to)


def _deeper(engine: Engine, question: str, k: int, ctx: RequestContext) -> list[Chunk]:
    n = 4 * k
    while True:
        found = engine(question, n)
        kept = [chunk for chunk in found if _allowed(chunk, ctx)]
        if len(kept) >= k or len(found) < n:
            return kept[:k]
        n *= 4


q3.solution(_deeper)


@q3.wrong
def _filtered_after_k(engine: Engine, question: str, k: int, ctx: RequestContext) -> list[Chunk]:
    return [chunk for chunk in engine(question, k) if _allowed(chunk, ctx)]


@q3.wrong
def _public_is_enough(engine: Engine, question: str, k: int, ctx: RequestContext) -> list[Chunk]:
    found = [chunk for chunk in engine(question, 1000) if ctx.may_read(chunk.acl, chunk.tenant)]
    return [chunk for chunk in found if ctx.in_force(chunk.valid_from, chunk.valid_to)][:k]


@q3.wrong
def _forgets_the_day(engine: Engine, question: str, k: int, ctx: RequestContext) -> list[Chunk]:
    found = [chunk for chunk in engine(question, 1000) if "contractors" in chunk.acl or "contractors" not in ctx.groups]
    return [chunk for chunk in found if ctx.may_read(chunk.acl, chunk.tenant)][:k]


@q3.wrong
def _one_by_one(engine: Engine, question: str, k: int, ctx: RequestContext) -> list[Chunk]:
    n, found = k, engine(question, k)
    while sum(_allowed(chunk, ctx) for chunk in found) < k and len(found) == n:
        n += 1
        found = engine(question, n)
    return [chunk for chunk in found if _allowed(chunk, ctx)][:k]


def setting(name: str, found: float, ms: Sequence[float]) -> dict[str, Any]:
    """A measured setting: the share of a hundred questions whose passage was found, and each one's milliseconds."""
    hits = round(100 * found)
    return {"name": name, "found": [1] * hits + [0] * (100 - hits), "ms": list(ms)}


def steady(ms: float) -> list[float]:
    """A hundred times that are alike."""
    return [ms] * 100


SLOW_TAIL = [10.0] * 90 + [400.0] * 10
MENUS: tuple[tuple[str, list[dict[str, Any]], float, str | None], ...] = (
    ("one that is clearly best", [setting("a", 0.8, steady(20)), setting("b", 0.9, steady(40))], 50, "b"),
    ("a gain below the least that matters", [setting("a", 0.9, steady(40)), setting("b", 0.89, steady(20))], 50, "b"),
    ("the best one too slow", [setting("a", 0.95, steady(80)), setting("b", 0.9, steady(40))], 50, "b"),
    ("one with a quick mean and a slow tail", [setting("a", 0.95, SLOW_TAIL), setting("b", 0.9, steady(45))], 60, "b"),
    (
        "a tail of three in a hundred",
        [setting("a", 0.95, [10.0] * 97 + [400.0] * 3), setting("b", 0.9, steady(45))],
        60,
        "a",
    ),
    ("none that is quick enough", [setting("a", 0.95, steady(80)), setting("b", 0.9, steady(70))], 50, None),
    (
        "three, where two are as good",
        [setting("a", 0.70, steady(5)), setting("b", 0.91, steady(30)), setting("c", 0.92, steady(45))],
        50,
        "b",
    ),
)


@question(
    hint="First drop what is too slow by its 95th percentile. Of the rest, the quickest whose share found is at most "
    "0.02 below the best of the rest."
)
def q4(choose: Choose) -> str | None:
    """The setting to run under a latency budget, from measurements."""
    for what, settings, budget, wanted in MENUS:
        got = choose([dict(one) for one in settings], budget)
        if got != wanted:
            return f"with {what} and {budget} ms it chose {got!r}"
    return None


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def _share(one: Setting) -> float:
    return sum(one["found"]) / len(one["found"])


def _quickest_that_is_good(settings: Sequence[Setting], budget_ms: float) -> str | None:
    quick = [one for one in settings if _p95(one["ms"]) <= budget_ms]
    if not quick:
        return None
    best = max(_share(one) for one in quick)
    good = [one for one in quick if _share(one) >= best - 0.02 - 1e-9]
    chosen: str = min(good, key=lambda one: sum(one["ms"]))["name"]
    return chosen


q4.solution(_quickest_that_is_good)


@q4.wrong
def _by_the_mean(settings: Sequence[Setting], budget_ms: float) -> str | None:
    quick = [one for one in settings if sum(one["ms"]) / len(one["ms"]) <= budget_ms]
    return _quickest_that_is_good([{**one, "ms": [0.0]} for one in quick], budget_ms)


@q4.wrong
def _by_the_worst(settings: Sequence[Setting], budget_ms: float) -> str | None:
    return _quickest_that_is_good([one for one in settings if max(one["ms"]) <= budget_ms], budget_ms)


@q4.wrong
def _best_whatever_it_gains(settings: Sequence[Setting], budget_ms: float) -> str | None:
    quick = [one for one in settings if _p95(one["ms"]) <= budget_ms]
    return str(max(quick, key=_share)["name"]) if quick else None


@q4.wrong
def _best_of_all_then_slow(settings: Sequence[Setting], budget_ms: float) -> str | None:
    best = max(_share(one) for one in settings)
    fit = [one for one in settings if _share(one) >= best - 0.02 and _p95(one["ms"]) <= budget_ms]
    return str(min(fit, key=lambda one: sum(one["ms"]))["name"]) if fit else None


WEIGHTS = {"dense": 0.4, "lexical": 0.6}
DEPTH = 50


class _Path:
    """A retriever that holds a list, and remembers who asked for what."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)
        self.asked: list[tuple[str, int, RequestContext]] = []

    def search(self, query: str, k: int, ctx: RequestContext) -> list[Hit]:
        self.asked.append((query, k, ctx))
        return self.hits[:k]


def _hits(*scored: tuple[int, str, float]) -> list[Hit]:
    from labkit.schema import Hit

    return [Hit(chunk=passage(number, document=document), score=score) for number, document, score in scored]


@question(
    hint="Ask every path for at least 50 with the request's own ctx, fuse as in q2, then walk down the ranking "
    "and take a document's first passage only, until k are taken."
)
def q5(retrieve: Retrieve) -> str | None:
    """Search for the phone desk: both paths, an empty one survived, no document twice."""
    from labkit.schema import Hit, RequestContext

    ctx = RequestContext(principal="Tomasz", groups=frozenset({"staff"}), tenant="tidewater", as_of=TODAY)
    deep = [(n, f"d{n}", 1.0 - n / 100) for n in range(40)]
    two = _hits((1, "pike", 30.0), (2, "pike", 28.0), (3, "ticket", 12.0), (5, "rma", 10.0))
    for what, dense, lexical, k, wanted in (
        ("two paths", _hits((3, "ticket", 0.9), (1, "pike", 0.6), (4, "mail", 0.5)), two, 3, ["c001", "c003", "c004"]),
        ("two passages of one page", [], two, 2, ["c001", "c003"]),
        ("a path that finds nothing", [], _hits((1, "pike", 3.0), (2, "rma", 1.0)), 5, ["c001", "c002"]),
        ("two paths that find nothing", [], [], 5, []),
        ("an answer far down one path", _hits(*deep), _hits((30, "d30", 9.0), (99, "x", 1.0)), 2, ["c030", "c000"]),
    ):
        paths: dict[str, Retriever] = {"dense": _Path(dense), "lexical": _Path(lexical)}
        got = retrieve("which part", k, ctx, paths=paths)
        if not isinstance(got, list) or not all(isinstance(hit, Hit) for hit in got):
            return f"with {what} it returned no list of Hit"
        for path in paths.values():
            assert isinstance(path, _Path)
            if any(asked is not ctx for *_, asked in path.asked):
                return "it searched with another request than the asker's: their rights and their day are lost"
        if [hit.chunk.chunk_id for hit in got] != wanted:
            return f"with {what} and k = {k} it found {[hit.chunk.chunk_id for hit in got]}"
        if any(a.score < b.score for a, b in pairwise(got)):
            return f"with {what} the scores do not fall: give each hit its fused score"
    return None


def _fused(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever], depth: int) -> list[Hit]:
    lists = {name: path.search(question, depth, ctx) for name, path in paths.items()}
    known = {hit.chunk.chunk_id: hit for hits in lists.values() for hit in hits}
    scored = {name: [(hit.chunk.chunk_id, hit.score) for hit in hits] for name, hits in lists.items()}
    ranked = _empty_left_out(scored, WEIGHTS, len(known))
    return [known[name].model_copy(update={"score": score}) for name, score in ranked]


def _first_of_each(hits: Sequence[Hit]) -> list[Hit]:
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.chunk.doc_id, hit)
    return list(first.values())


def _phone_desk(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever] | None = None) -> list[Hit]:
    return _first_of_each(_fused(question, k, ctx, paths or {}, max(k, DEPTH)))[:k]


q5.solution(_phone_desk)


@q5.wrong
def _pages_twice(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever]) -> list[Hit]:
    return _fused(question, k, ctx, paths, DEPTH)[:k]


@q5.wrong
def _cut_too_early(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever]) -> list[Hit]:
    return _first_of_each(_fused(question, k, ctx, paths, DEPTH)[:k])


@q5.wrong
def _asks_for_k(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever]) -> list[Hit]:
    return _first_of_each(_fused(question, k, ctx, paths, k))[:k]


@q5.wrong
def _as_nobody(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever]) -> list[Hit]:
    from labkit.schema import RequestContext

    return _phone_desk(question, k, RequestContext(), paths)


@q5.wrong
def _needs_both(question: str, k: int, ctx: RequestContext, paths: Mapping[str, Retriever]) -> list[Hit]:
    found = _first_of_each(_fused(question, k, ctx, paths, DEPTH))
    return found[:k] if all(path.search(question, 1, ctx) for path in paths.values()) else []
