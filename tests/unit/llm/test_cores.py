"""The threads that compute a batch on each core."""

import threading

import pytest
import torch

from labkit.llm.cores import Cores, cores


def test_the_order_is_that_of_the_items_whatever_takes_longest() -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(30)
        if item == 1:
            first_may_end.set()
        return item * item

    assert list(Cores(2).map(work, range(9))) == [(item, item * item) for item in range(9)]


def test_each_thread_computes_on_one_core_and_others_as_before() -> None:
    before = torch.get_num_threads()
    cores = Cores(2)
    assert {threads for _, threads in cores.map(lambda _: torch.get_num_threads(), range(8))} == {1}
    seen: list[int] = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert [torch.get_num_threads(), *seen] == [before, before]


def test_callers_that_come_together_get_the_same_threads() -> None:
    before, together = torch.get_num_threads(), threading.Barrier(8)
    got: list[Cores] = []

    def call() -> None:
        together.wait()
        got.append(cores(3))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in got}) == 1
    assert got[0].size == 3
    assert torch.get_num_threads() == before


def test_no_more_is_begun_than_keeps_the_cores_busy() -> None:
    begun: list[int] = []
    results = Cores(2).map(begun.append, range(100))
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert len(begun) <= 4


def test_what_work_raises_reaches_the_caller() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("the third")
        return item

    with pytest.raises(ValueError, match="the third"):
        list(Cores(2).map(work, range(9)))
