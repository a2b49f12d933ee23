"""Where work is done: worker processes of this machine, or those of a Ray cluster.

Both apply a function to tasks in order, under the same limits per task, so the tables do not depend on the engine. On
Ray each remote task takes a batch of files and serves it with the very pool used here; every node must see the source
files at the same path (a shared file system), as is usual on a cluster.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, Protocol, TypeVar

from labkit.errors import ConfigError
from labkit.ingest.pool import Failure, run_tasks

T = TypeVar("T")
R = TypeVar("R")
EngineName = Literal["pool", "ray"]
_BATCH = 32
"""Files a remote task serves: enough to make its overhead small, few enough to keep all nodes busy to the end."""


class Engine(Protocol):
    """How :func:`labkit.ingest.pool.run_tasks` is called."""

    def __call__(
        self,
        function: Callable[[T], R],
        tasks: Iterable[T],
        *,
        workers: int,
        seconds: float,
        megabytes: int,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[T, R | Failure]]:
        """Results in the order of the tasks."""


def engine_of(name: EngineName) -> Engine:
    """The engine of that name. That Ray is missing shows when it is used."""
    return run_on_ray if name == "ray" else run_tasks


def run_on_ray(
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    workers: int,
    seconds: float,
    megabytes: int,
    preload: Sequence[str] = (),
) -> Iterator[tuple[T, R | Failure]]:
    """As :func:`labkit.ingest.pool.run_tasks`, on the cluster ``RAY_ADDRESS`` names, or on one started here.

    Args:
        workers: CPUs of a cluster started here; twice as many batches are in flight.

    Raises:
        ConfigError: Ray is not installed, or does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "Ray is not installed", where="engine ray", todo="Install labkit with its ray extra."
        ) from error
    started = not ray.is_initialized()
    if started:
        _start(ray, workers)
    remote: Any = ray.remote(num_cpus=1)(_serve_batch)
    shared = ray.put(function)
    waiting: deque[tuple[list[T], Any]] = deque()
    source = iter(tasks)
    try:
        while True:
            while len(waiting) < 2 * workers and (batch := list(islice(source, _BATCH))):
                waiting.append((batch, remote.remote(shared, batch, seconds, megabytes, tuple(preload))))
            if not waiting:
                return
            batch, pending = waiting.popleft()
            yield from zip(batch, ray.get(pending), strict=True)
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any, workers: int) -> None:
    """Join the cluster, or start one here: tried twice, because Ray gives a busy machine thirty seconds only."""
    cpus = None if os.environ.get("RAY_ADDRESS") else workers
    for last in (False, True):
        try:
            ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception as error:  # Ray raises plain exceptions here
            ray.shutdown()
            if last:
                raise ConfigError(
                    f"Ray did not start ({error})",
                    where=os.environ.get("RAY_ADDRESS") or "this machine",
                    todo="Check RAY_ADDRESS, or use the engine pool.",
                ) from error


def _serve_batch(
    function: Callable[[Any], Any], batch: list[Any], seconds: float, megabytes: int, preload: tuple[str, ...]
) -> list[Any]:
    """What a remote task does."""
    results = run_tasks(function, batch, workers=1, seconds=seconds, megabytes=megabytes, preload=preload)
    return [result for _, result in results]
