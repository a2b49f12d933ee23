"""Calls to a Weaviate server that end: bounded in tries and time, with errors that say what to do.

The Weaviate client repeats a call to a dead node for about a minute and knows nothing of a request's deadline. Its
stub is therefore wrapped: every call gets :class:`labkit.settings.Settings.weaviate_timeout_s` for all its tries, less
where the request's own deadline is nearer. All calls that are repeated are idempotent: reads, deletions, and batches
of objects whose ids follow from their chunks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from labkit.errors import ConfigError, EndpointError, InputError, StoreError
from labkit.schema import RequestContext
from labkit.settings import Settings

if TYPE_CHECKING:
    from weaviate import WeaviateClient

TRIES = 5
"""Most tries of one call."""

_PAUSE_S = 0.1  # before the second try; doubled before each further one
# How long gRPC waits before it looks for a lost server again, at first and at most. If left alone it waits 1 s, then
# ever longer up to two minutes, and a server that is back goes unnoticed.
_RECONNECT_MS, _RECONNECT_MOST_MS = 100, 1_000
_KEY = "Set LABKIT_WEAVIATE_API_KEY to a key that may do this."
_asker: ContextVar[RequestContext | None] = ContextVar("asker", default=None)


class Rejected(Exception):
    """The server took a batch and refused some of its objects.

    Attributes:
        errors: position in the batch → the server's reason.
    """

    def __init__(self, errors: dict[int, str]) -> None:
        super().__init__(f"{len(errors)} objects refused")
        self.errors = errors


class BoundedStub:
    """The five calls the store makes, in place of the client's own stub.

    It relies on one private attribute of the client, ``_connection._grpc_stub``, because the client offers no way to
    set its retries or a deadline per call; the wire tests fail should a release move it.

    Args:
        stub: the client's gRPC stub.
        where: the server's address, for messages.
        limit_s: seconds for a call with all its tries.
    """

    def __init__(self, stub: Any, where: str, limit_s: float) -> None:
        self._stub, self._where, self._limit_s = stub, where, limit_s

    def Search(self, request: Any, *, metadata: Any = None, timeout: object = None) -> Any:  # noqa: N802 (gRPC's name)
        """Search or read objects."""
        return self._call(self._stub.Search, request, metadata)

    def Aggregate(self, request: Any, *, metadata: Any = None, timeout: object = None) -> Any:  # noqa: N802
        """Count objects."""
        return self._call(self._stub.Aggregate, request, metadata)

    def TenantsGet(self, request: Any, *, metadata: Any = None, timeout: object = None) -> Any:  # noqa: N802
        """List tenants."""
        return self._call(self._stub.TenantsGet, request, metadata)

    def BatchDelete(self, request: Any, *, metadata: Any = None, timeout: object = None) -> Any:  # noqa: N802
        """Delete the objects a filter matches."""
        return self._call(self._stub.BatchDelete, request, metadata)

    def BatchObjects(self, request: Any, *, metadata: Any = None, timeout: object = None) -> Any:  # noqa: N802
        """Write objects.

        Raises:
            Rejected: some were refused. Raised here because the client would log them, texts included.
        """
        reply = self._call(self._stub.BatchObjects, request, metadata)
        if reply.errors:
            raise Rejected({error.index: error.error for error in reply.errors})
        return reply

    def _call(self, method: Any, request: Any, metadata: Any) -> Any:
        import grpc  # type: ignore[import-untyped]

        again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        asker = _asker.get()
        begun = time.monotonic()
        end = begun + self._limit_s
        if asker is not None and asker.deadline is not None:
            end = min(end, asker.deadline)
        failure: Any = None
        tried = 0
        while tried < TRIES and (left := end - time.monotonic()) > 0:
            if asker is not None:
                asker.check()
            try:
                # Half the limit for one try: a node that hangs leaves time to ask again.
                return method(request, metadata=metadata, timeout=min(left, self._limit_s / 2))
            except grpc.RpcError as error:
                if error.code() not in again:
                    raise _refusal(error.code().name, error.details() or "", self._where) from error
                failure = error
            tried += 1
            if tried < TRIES:
                _pause(min(_PAUSE_S * 2 ** (tried - 1), max(0.0, end - time.monotonic())), asker)
        if asker is not None:
            asker.check()
        reason = f"{failure.code().name}: {(failure.details() or '')[:300]}" if failure else "no time was left"
        raise EndpointError(
            f"Weaviate did not answer in {time.monotonic() - begun:.1f} s and {tried} tries ({reason})",
            where=self._where,
            todo="Check that the server runs and that LABKIT_WEAVIATE_GRPC_PORT is its gRPC port.",
        ) from failure


@contextmanager
def asked_by(ctx: RequestContext) -> Iterator[None]:
    """Within it, calls stop at the deadline of ``ctx`` and when it is cancelled."""
    ctx.check()
    token = _asker.set(ctx)
    try:
        yield
    finally:
        _asker.reset(token)


def connect(settings: Settings) -> WeaviateClient:
    """A client of the server in ``settings``, connected; to be closed by the caller.

    Raises:
        ConfigError: no address is set, or it is not one.
        EndpointError: the server does not answer or refuses the key.
    """
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Auth, Timeout
    from weaviate.config import GrpcConfig
    from weaviate.connect import ConnectionParams

    url = settings.weaviate_url
    if not url:
        raise ConfigError("No Weaviate server is set", todo="Set LABKIT_WEAVIATE_URL, e.g. http://localhost:8080.")
    limit = settings.weaviate_timeout_s
    try:
        address = ConnectionParams.from_url(url, settings.weaviate_grpc_port)
    except ValueError as error:
        raise ConfigError(
            f"{url!r} with gRPC port {settings.weaviate_grpc_port} is no address of a Weaviate server",
            where="LABKIT_WEAVIATE_URL",
            todo="Give http://host:port or https://host:port, and another port for gRPC.",
        ) from error
    client = weaviate.WeaviateClient(
        connection_params=address,
        auth_client_secret=Auth.api_key(settings.weaviate_api_key) if settings.weaviate_api_key else None,
        additional_config=AdditionalConfig(
            timeout=Timeout(init=limit, query=limit, insert=limit),
            grpc_config=GrpcConfig(
                channel_options=[
                    ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
                    ("grpc.max_reconnect_backoff_ms", _RECONNECT_MOST_MS),
                ]
            ),
        ),
        skip_init_checks=True,  # they look for a newer client on the package index
    )
    try:
        with explained(url):
            client.connect()
    except BaseException:
        client.close()  # it may hold a connection already
        raise
    connection: Any = client._connection
    connection._grpc_stub = BoundedStub(connection._grpc_stub, url, limit)
    return client


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what the Weaviate client raises into labkit's errors; those of labkit pass."""
    import httpx
    from weaviate import exceptions

    gone = (
        exceptions.WeaviateConnectionError,
        exceptions.WeaviateStartUpError,
        exceptions.WeaviateTimeoutError,
        httpx.HTTPError,
    )
    try:
        yield
    except gone as error:
        raise EndpointError(
            f"Weaviate does not answer: {_first_line(error)}",
            where=where,
            todo="Check LABKIT_WEAVIATE_URL and that the server runs.",
        ) from error
    except exceptions.UnexpectedStatusCodeError as error:
        if error.status_code in (401, 403):
            raise EndpointError("Weaviate refuses the key or its rights", where=where, todo=_KEY) from error
        if error.status_code >= 500:
            raise _refusal(str(error.status_code), str(error), where) from error
        raise StoreError(f"Weaviate refused: {_first_line(error)}", where=where) from error
    except exceptions.WeaviateInvalidInputError as error:
        raise InputError(f"Weaviate's client refused: {_first_line(error)}", where=where) from error
    except exceptions.WeaviateBaseError as error:
        raise StoreError(f"Weaviate failed: {_first_line(error)}", where=where) from error


def _refusal(code: str, details: str, where: str) -> EndpointError | StoreError:
    """The error for an answer that says no: of the key, of too few replicas, or of what was asked."""
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return EndpointError(f"Weaviate refuses the key or its rights: {details[:300]}", where=where, todo=_KEY)
    # The words of Weaviate's coordinator when too few nodes answer.
    if "consistency level" in details or "enough replicas" in details:
        return EndpointError(
            f"Too few nodes of Weaviate are alive: {details[:300]}",
            where=where,
            todo="Bring the nodes back, or lower LABKIT_WEAVIATE_CONSISTENCY for reads that may be stale.",
        )
    return StoreError(f"Weaviate failed ({code}): {details[:300]}", where=where)


def _pause(seconds: float, asker: RequestContext | None) -> None:
    if asker is None:
        time.sleep(seconds)
    else:
        asker.cancel.wait(seconds)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
