"""Checks of lab 02b: windowed attention, a bounded cache, a sampler, a memory budget, and the order of passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labkit.course.check import question

Array: TypeAlias = NDArray[Any]
Attend: TypeAlias = Callable[[Array, Array, Array, int], Array]
Append: TypeAlias = Callable[[Array, Array, int], Array]
Choice: TypeAlias = Callable[[Array, float, float], Array]
Fit: TypeAlias = Callable[[dict[str, int], int, int, int], int]
Order: TypeAlias = Callable[[str, list[str]], list[int]]

TOLERANCE = 1e-6


@question(hint="Two conditions hide a key: it lies in the future, or it lies `window` or more positions back.")
def q1(attend: Attend) -> str | None:
    """One head of causal attention that looks back over a window."""
    q, k, v = np.random.default_rng(2).normal(size=(3, 6, 4))
    for window, what in ((6, "a window as long as the text"), (3, "a window of 3"), (1, "a window of 1")):
        got = np.asarray(attend(q.copy(), k.copy(), v.copy(), window))
        if got.shape != v.shape:
            return f"for six positions of width 4 it gave an array of shape {got.shape}"
        wanted = _windowed(q, k, v, window)
        off = np.flatnonzero(np.abs(got - wanted).max(axis=1) > TOLERANCE)
        if len(off):
            return f"with {what}, position {off[0]} (from 0) does not get the right mix of values"
    return None


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    mixed: Array = e / e.sum(axis=-1, keepdims=True)
    return mixed


def _windowed(q: Array, k: Array, v: Array, window: int) -> Array:
    back = np.arange(len(q))[:, None] - np.arange(len(k))
    hidden = (back < 0) | (back >= window)
    mixed: Array = _softmax(np.where(hidden, -np.inf, q @ k.T / np.sqrt(k.shape[1]))) @ v
    return mixed


q1.solution(_windowed)


@q1.wrong
def _no_window(q: Array, k: Array, v: Array, window: int) -> Array:
    return _windowed(q, k, v, len(q))


@q1.wrong
def _one_too_many(q: Array, k: Array, v: Array, window: int) -> Array:
    return _windowed(q, k, v, window + 1)


@q1.wrong
def _not_scaled(q: Array, k: Array, v: Array, window: int) -> Array:
    return _windowed(q * np.sqrt(k.shape[1]), k, v, window)


@q1.wrong
def _masked_after_the_softmax(q: Array, k: Array, v: Array, window: int) -> Array:
    back = np.arange(len(q))[:, None] - np.arange(len(k))
    mixed: Array = (_softmax(q @ k.T / np.sqrt(k.shape[1])) * ((back >= 0) & (back < window))) @ v
    return mixed


@q1.wrong
def _sees_the_future(q: Array, k: Array, v: Array, window: int) -> Array:
    back = np.abs(np.arange(len(q))[:, None] - np.arange(len(k)))
    mixed: Array = _softmax(np.where(back >= window, -np.inf, q @ k.T / np.sqrt(k.shape[1]))) @ v
    return mixed


@question(hint="Append first. If that is too long, drop the row after the sink: the oldest one that may go.")
def q2(append: Append) -> str | None:
    """A cache with room for a few positions, which keeps the first one."""
    row = np.arange(1.0, 9.0)[:, None] * np.ones(3)
    cache = row[:1].copy()
    for position in range(1, len(row)):
        before = cache.copy()
        grown = np.asarray(append(cache, row[position].copy(), 4))
        if not np.array_equal(cache, before):
            return "it changed the cache it was given; other requests may share it, so return a new array"
        wanted = _keep_first_and_newest(before, row[position], 4)
        if grown.shape != wanted.shape:
            return f"with room for 4 and {len(before)} kept, it returned an array of shape {grown.shape}"
        if not np.array_equal(grown, wanted):
            kept = [int(value) for value in grown[:, 0]]
            return f"after {position + 1} positions and room for 4 it keeps {kept}"
        cache = grown
    return None


def _keep_first_and_newest(cache: Array, new: Array, room: int) -> Array:
    grown = np.concatenate([cache, new[None]])
    return grown if len(grown) <= room else np.concatenate([grown[:1], grown[-(room - 1) :]])


q2.solution(_keep_first_and_newest)


@q2.wrong
def _loses_the_sink(cache: Array, new: Array, room: int) -> Array:
    return np.concatenate([cache, new[None]])[-room:]


@q2.wrong
def _keeps_the_oldest(cache: Array, new: Array, room: int) -> Array:
    return np.concatenate([cache, new[None]])[:room]


@q2.wrong
def _never_forgets(cache: Array, new: Array, room: int) -> Array:
    return np.concatenate([cache, new[None]])


@q2.wrong
def _overwrites(cache: Array, new: Array, room: int) -> Array:
    if len(cache) < room:
        return np.concatenate([cache, new[None]])
    cache[1:-1] = cache[2:]
    cache[-1] = new
    return cache


@question(hint="Temperature first, then sort, then keep up to and including the token that reaches the share.")
def q3(choice: Choice) -> str | None:
    """Probabilities after temperature and top-p, with greedy decoding at temperature zero."""
    scores = np.log(np.array([0.05, 0.5, 0.05, 0.3, 0.1]))
    for temperature, top_p in ((1.0, 1.0), (1.0, 0.7), (0.5, 0.7), (2.0, 0.9), (1.0, 0.01), (0.0, 0.9), (0.0, 1.0)):
        with np.errstate(all="ignore"):
            got = np.asarray(choice(scores.copy(), temperature, top_p), dtype=float)
        wanted = _nucleus(scores, temperature, top_p)
        if got.shape != wanted.shape or not np.allclose(got, wanted, atol=TOLERANCE):
            told = np.round(got, 3).tolist() if got.shape == wanted.shape else f"an array of shape {got.shape}"
            return f"at temperature {temperature:g} and top-p {top_p:g} it gave {told}"
    large = np.array([1000.0, 1000.0, 0.0])
    with np.errstate(all="ignore"):
        if not np.allclose(choice(large, 1.0, 1.0), [0.5, 0.5, 0.0], atol=TOLERANCE):
            return "scores of a thousand overflow in it; subtract the largest before you exponentiate"
    return None


def _nucleus(scores: Array, temperature: float, top_p: float) -> Array:
    if temperature == 0:
        greedy: Array = np.eye(len(scores))[scores.argmax()]
        return greedy
    p = _softmax(scores / temperature)
    order = np.argsort(-p)
    kept = order[: np.searchsorted(np.cumsum(p[order]), top_p - 1e-12) + 1]
    narrowed = np.zeros_like(p)
    narrowed[kept] = p[kept] / p[kept].sum()
    return narrowed


q3.solution(_nucleus)


@q3.wrong
def _top_p_before_temperature(scores: Array, temperature: float, top_p: float) -> Array:
    if temperature == 0:
        return _nucleus(scores, temperature, top_p)
    kept = _nucleus(scores, 1.0, top_p) > 0
    return _softmax(np.where(kept, scores / temperature, -np.inf))


@q3.wrong
def _stops_short(scores: Array, temperature: float, top_p: float) -> Array:
    if temperature == 0 or top_p == 1:
        return _nucleus(scores, temperature, top_p)
    p = _softmax(scores / temperature)
    order = np.argsort(-p)
    kept = order[: max(1, int((np.cumsum(p[order]) <= top_p).sum()))]
    narrowed = np.zeros_like(p)
    narrowed[kept] = p[kept] / p[kept].sum()
    return narrowed


@q3.wrong
def _not_renormalised(scores: Array, temperature: float, top_p: float) -> Array:
    narrowed = _nucleus(scores, temperature, top_p)
    return narrowed if temperature == 0 else np.where(narrowed > 0, _softmax(scores / temperature), 0.0)


@q3.wrong
def _multiplies(scores: Array, temperature: float, top_p: float) -> Array:
    return _nucleus(scores, 1 / temperature if temperature else 0.0, top_p)


@q3.wrong
def _divides_by_zero(scores: Array, temperature: float, top_p: float) -> Array:
    return _softmax(scores / temperature) if temperature == 0 else _nucleus(scores, temperature, top_p)


@question(hint="Bytes per token: layers × two arrays × key/value heads × head size × two bytes. Count whole requests.")
def q4(fit: Fit) -> str | None:
    """How many requests fit beside the weights, with a cache of two bytes a number."""
    small = {"layers": 30, "heads": 9, "kv_heads": 3, "head_dim": 64}
    large = {"layers": 32, "heads": 32, "kv_heads": 8, "head_dim": 128}
    giga = 10**9
    for config, weights, memory, context in (
        (small, 269_000_000, 2 * giga, 8192),
        (small, 269_000_000, 2 * giga, 1000),
        (large, 16 * giga, 24 * giga, 8192),
        (large, 16 * giga, 16 * giga, 8192),
        (large, 16 * giga, 8 * giga, 8192),
    ):
        got, wanted = fit(dict(config), weights, memory, context), _whole_requests(config, weights, memory, context)
        if got != wanted:
            where = f"{config['layers']} layers, {weights / giga:g} of {memory / giga:g} GB for weights"
            return f"for {where} and {context:,} tokens each it gave {got!r}"
    return None


def _whole_requests(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    each = config["layers"] * 2 * config["kv_heads"] * config["head_dim"] * 2 * context
    return max(0, memory - weights) // each


q4.solution(_whole_requests)


@q4.wrong
def _every_query_head(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    return _whole_requests({**config, "kv_heads": config["heads"]}, weights, memory, context)


@q4.wrong
def _keys_only(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    return max(0, memory - weights) // (config["layers"] * config["kv_heads"] * config["head_dim"] * 2 * context)


@q4.wrong
def _forgets_the_weights(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    return _whole_requests(config, 0, memory, context)


@q4.wrong
def _less_than_none(config: dict[str, int], weights: int, memory: int, context: int) -> int:
    each = config["layers"] * 2 * config["kv_heads"] * config["head_dim"] * 2 * context
    return (memory - weights) // each


@question(hint="Sort by two things: how many of the question's words it has, then its place, the first one last.")
def q5(order: Order) -> str | None:
    """In which order the model reads the passages: the one nearest the question's words last."""
    asked = "May I restart the shuttle from the panel?"
    whole = "You must not restart the shuttle from the panel."
    for passages, wanted in (
        ([whole, "The pin hangs at the gate.", "Shuttle rails"], [2, 1, 0]),
        (["crank", whole, "restart the shuttle"], [0, 2, 1]),
        (["Restart THE Shuttle!", "restart"], [1, 0]),
        (["restart restart restart", "restart the panel"], [0, 1]),
        (["the crank", "a cord", "a gate", "a pin"], [3, 2, 1, 0]),
        (["restarting shuttles", "the panel"], [0, 1]),
        (["one passage"], [0]),
        ([], []),
    ):
        got = order(asked, list(passages))
        if not isinstance(got, Sequence) or sorted(got) != list(range(len(passages))):
            return f"for {len(passages)} passages it gave {got!r}: every position once is needed"
        if list(got) != wanted:
            return f"for {passages} it gave {list(got)}"
    return None


def _words(text: str) -> set[str]:
    return {word.strip(".,;:!?").casefold() for word in text.split()}


def _best_last(question: str, passages: list[str]) -> list[int]:
    shared = [len(_words(question) & _words(passage)) for passage in passages]
    return sorted(range(len(passages)), key=lambda place: (shared[place], -place))


q5.solution(_best_last)


@q5.wrong
def _best_first(question: str, passages: list[str]) -> list[int]:
    return _best_last(question, passages)[::-1]


@q5.wrong
def _ties_as_they_came(question: str, passages: list[str]) -> list[int]:
    shared = [len(_words(question) & _words(passage)) for passage in passages]
    return sorted(range(len(passages)), key=lambda place: shared[place])


@q5.wrong
def _reversed(question: str, passages: list[str]) -> list[int]:
    return list(range(len(passages)))[::-1]


@q5.wrong
def _counts_repeats(question: str, passages: list[str]) -> list[int]:
    wanted = _words(question)
    shared = [sum(word.strip(".,;:!?").casefold() in wanted for word in passage.split()) for passage in passages]
    return sorted(range(len(passages)), key=lambda place: (shared[place], -place))


@q5.wrong
def _case_matters(question: str, passages: list[str]) -> list[int]:
    shared = [len(set(question.split()) & set(passage.split())) for passage in passages]
    return sorted(range(len(passages)), key=lambda place: (shared[place], -place))


q5.wrong(lambda question, passages: [place for place, text in enumerate(passages) if _words(text) & _words(question)])
