"""Threads that compute with PyTorch, each on one core.

One batch over all cores meets after every operation, and the quicker core waits; a batch per core has nobody to wait
for. It does not know what is computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


class Cores:
    """Computes on ``size`` cores. Safe to share between threads: who comes later waits for at most a few items.

    Args:
        size: cores.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads = ThreadPoolExecutor(size, "core", initializer=_alone)
        before, all_started = torch.get_num_threads(), Barrier(size)
        list(self._threads.map(lambda _: all_started.wait(), range(size)))
        # What a thread sets for itself PyTorch also takes as the default of threads to come, which are not ours.
        torch.set_num_threads(before)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Each item with what ``work`` makes of it, in order; no more are begun than keep the cores busy."""
        begun: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                begun.append((item, self._threads.submit(work, item)))
                if len(begun) > self.size:
                    done, future = begun.popleft()
                    yield done, future.result()
            while begun:
                done, future = begun.popleft()
                yield done, future.result()
        finally:
            for _, future in begun:
                future.cancel()


def _alone() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # PyTorch makes the default this thread's own on first use only


_made: dict[int, Cores] = {}
_making = Lock()


def cores(size: int = 0) -> Cores:
    """The threads of this process, the same for the same size.

    Args:
        size: cores; 0 leaves PyTorch's choice.
    """
    with _making:  # while they are made, PyTorch's choice is one
        size = size or torch.get_num_threads()
        if size not in _made:
            _made[size] = Cores(size)
        return _made[size]
