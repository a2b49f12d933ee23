"""The worker's own side: takes requests from standard input, has graphrag do them, and answers on standard output.

Started by :class:`labkit.graph.graphrag.worker.Worker` and by nobody else. Whatever libraries print goes to the log of
the project that is worked on, so that nothing but answers reaches the caller.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from labkit.errors import IndexMismatch, LabkitError
from labkit.graph.graphrag.worker import failure
from labkit.settings import Settings

if TYPE_CHECKING:
    from labkit.graph.graphrag.engine import Searcher
    from labkit.graph.graphrag.writers import Writer


def main() -> None:
    """Serve requests from standard input until it ends."""
    requests: queue.Queue[str] = queue.Queue()
    settings = Settings.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    server = _Server(settings, lambda reply: replies.write(json.dumps(reply) + "\n"))
    while True:
        server.serve(json.loads(requests.get()))


def _listen(source: IO[str], requests: queue.Queue[str]) -> None:
    for line in source:
        requests.put(line)
    os._exit(0)  # the caller is gone, and nobody waits for what is being done


class _Server:
    def __init__(self, settings: Settings, send: Callable[[dict[str, Any]], object]) -> None:
        self._settings, self._send = settings, send
        self._problems: Counter[str] = Counter()
        self._counting = _Counting(self._problems)
        self._log: Path | None = None
        self._searcher = lru_cache(maxsize=8)(self._open)
        self._writer = lru_cache(maxsize=2)(self._make_writer)
        self._registered: str | None = None

    def serve(self, request: dict[str, Any]) -> None:
        """Do one thing and send its result or error."""
        try:
            self._write_to(Path(request["log"]))
            self._problems.clear()
            self._counting.forget()
            self._send({"result": getattr(self, request["what"])(**request["arguments"])})
        except LabkitError as error:
            self._send(_told(error))
        except Exception as error:  # a bug here or in graphrag: the caller must not wait for ever
            traceback.print_exc()
            self._send(_told(failure(f"graphrag failed during a {request['what']}", error, self._counting.first)))

    def build(self, folder: str, writer: str) -> dict[str, Any]:
        """Build the index of a project; see :func:`labkit.graph.graphrag.engine.index`."""
        began = time.perf_counter()
        self._register(writer)
        from labkit.graph.graphrag import engine, writers

        imports = round(time.perf_counter() - began, 3)

        def tell(step: str, done: int, of: int) -> None:
            self._send({"progress": [step, done, of]})

        found = engine.index(Path(folder), tell, self._problems, lambda: self._counting.first)
        if writer == "local" and found["quoted"]:
            # Counted in what was written: of a report from the cache nothing is said any more.
            self._problems.pop(f"graphrag: {writers.REPEATED}", None)
            self._problems["report that only quotes, since the chat model repeated itself"] = found["quoted"]
        found["seconds"] = {"start": imports} | found["seconds"]
        return found | {"problems": dict(self._problems), "writer": self._name(writer)}

    def search(
        self, folder: str, fingerprint: str, encoder: str, writer: str, models: dict[str, Any], method: str,
        question: str, level: int, response_type: str,
    ) -> dict[str, Any]:  # fmt: skip
        """Search a project; see :meth:`labkit.graph.graphrag.engine.Searcher.search`.

        Raises:
            IndexMismatch: another encoder made the project's vectors.
        """
        from labkit.llm import embedder

        if (ours := embedder(self._settings).fingerprint) != encoder:
            raise IndexMismatch(
                f"The graphrag index was built with encoder {encoder}, this is {ours}", where=Path(folder).name,
                todo="Build it again, or use the encoder it was built with.",
            )  # fmt: skip
        self._register(writer)
        searcher = self._searcher(folder, fingerprint, json.dumps(models, sort_keys=True))
        found = searcher.search(method, question, level, response_type)
        if self._counting.first and self._counting.failed >= found["asked"]:
            # graphrag answers that it knows nothing when its model did not answer.
            raise failure("The model failed at all that graphrag asked", self._counting.first)
        return found | {"problems": dict(self._problems), "writer": self._name(writer)}

    def _name(self, writer: str) -> str:
        """How a writer is named wherever its text is shown."""
        return self._settings.chat_model if writer == "endpoint" else self._writer(writer).name

    def _open(self, folder: str, fingerprint: str, models: str) -> Searcher:
        from labkit.graph.graphrag.engine import Searcher

        return Searcher(Path(folder), json.loads(models))

    def _register(self, writer: str) -> None:
        if self._registered == writer:
            return
        from labkit.graph.graphrag import endpoint, writers
        from labkit.llm import embedder

        if writer == "endpoint":
            endpoint.repair_json(self._problems)
        made = self._writer("local" if writer == "local" else "extractive")
        writers.register(made, embedder(self._settings))
        self._registered = writer

    def _make_writer(self, name: str) -> Writer:
        from labkit.graph.graphrag.writers import Writer
        from labkit.llm import chat_model, embedder

        return Writer(embedder(self._settings), chat_model(self._settings) if name == "local" else None)

    def _write_to(self, log: Path) -> None:
        """Send what libraries print to the log of the project that is worked on."""
        if log == self._log and log.exists():  # a fresh build removes the log of the one before
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        self._log = log
        logging.getLogger().handlers = [self._counting]


class _Counting(logging.Handler):
    """Counts what graphrag only logs: replies it could not read, contexts it cut, models that failed."""

    def __init__(self, problems: Counter[str]) -> None:
        super().__init__(logging.WARNING)
        self._problems = problems
        self.failed = 0
        self.first: BaseException | None = None

    def forget(self) -> None:
        """Begin with another request."""
        self.failed, self.first = 0, None

    def emit(self, record: logging.LogRecord) -> None:
        """Count a warning or error of graphrag by its text before values were filled in; keep the first exception."""
        if not record.name.startswith("graphrag"):
            return
        self._problems[f"graphrag: {str(record.msg).strip().splitlines()[0][:120]}"] += 1
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            self.failed, self.first = self.failed + 1, self.first or record.exc_info[1]


def _told(error: LabkitError) -> dict[str, Any]:
    return {"error": {"kind": type(error).__name__, "what": error.what, "where": error.where, "todo": error.todo}}


if __name__ == "__main__":
    main()
