"""A Weaviate server's wire, in memory: gRPC from the client's own protobufs, HTTP for the schema.

It records what it is asked, answers in the shapes Weaviate documents, and fails on demand. Its searches are good
enough to tell a right request from a wrong one (filters are evaluated, vectors compared exactly, words counted); they
are no model of Weaviate's ranking, and passing here says nothing about a real server.
"""

import copy
import json
import re
import struct
import threading
import uuid
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    tenants_pb2,
    weaviate_pb2_grpc,
)

VERSION = "1.38.0"
HNSW_DEFAULTS = {
    "cleanupIntervalSeconds": 300, "dynamicEfMin": 100, "dynamicEfMax": 500, "dynamicEfFactor": 8, "ef": -1,
    "efConstruction": 128, "flatSearchCutoff": 40_000, "maxConnections": 32, "skip": False,
    "vectorCacheMaxObjects": 1_000_000_000_000,
}  # fmt: skip
OP = base_pb2.Filters.Operator


class Wire(weaviate_pb2_grpc.WeaviateServicer):
    """Start with :meth:`start`; ``calls`` and ``http`` hold the requests, ``faults`` what goes wrong next.

    A fault is a status code (the call is refused with it), a pair of code and details, or "hang".
    """

    def __init__(self):
        self.calls, self.http = [], []
        self.faults = defaultdict(deque)
        self.refused = {}  # part of a text → the reason its object is refused for
        self.collections, self.tenants, self.objects = {}, defaultdict(set), defaultdict(dict)
        self.delete_at_most = 10_000
        self.key = None
        self.released = threading.Event()
        self.seconds_left = None  # of the last call, as its caller allowed
        self._pool = ThreadPoolExecutor(8)
        self.grpc_port = self._server = None

    def start(self):
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.start_grpc()
        return self

    def start_grpc(self):
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(self, self._server)
        self.grpc_port = self._server.add_insecure_port(f"127.0.0.1:{self.grpc_port or 0}")
        self._server.start()

    def stop_grpc(self):
        self._server.stop(0).wait()

    def stop(self):
        self.released.set()
        self.stop_grpc()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._pool.shutdown()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def asked(self, name):
        """The requests of one kind, oldest first."""
        return [request for kind, request, _ in self.calls if kind == name]

    def _enter(self, name, request, context):
        self.calls.append((name, request, dict(context.invocation_metadata())))
        self.seconds_left = context.time_remaining()
        if self.key and ("authorization", f"Bearer {self.key}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "anonymous access not enabled")
        if self.faults[name]:
            fault = self.faults[name].popleft()
            if fault == "hang":
                self.released.wait(5)
                context.abort(grpc.StatusCode.CANCELLED, "too late")
            code, details = fault if isinstance(fault, tuple) else (fault, "on demand")
            context.abort(code, details)

    def _shard(self, request, context):
        if request.tenant not in self.tenants[request.collection]:
            context.abort(grpc.StatusCode.UNKNOWN, f'tenant not found: "{request.tenant}"')
        return self.objects[request.collection, request.tenant]

    def TenantsGet(self, request, context):
        self._enter("TenantsGet", request, context)
        hot = tenants_pb2.TENANT_ACTIVITY_STATUS_ACTIVE
        names = sorted(self.tenants[request.collection])
        return tenants_pb2.TenantsGetReply(tenants=[tenants_pb2.Tenant(name=n, activity_status=hot) for n in names])

    def BatchObjects(self, request, context):
        self._enter("BatchObjects", request, context)
        errors = []
        for index, given in enumerate(request.objects):
            text = values(given).get("text", "")
            reason = next((why for part, why in self.refused.items() if part in text), None)
            if reason:
                errors.append(batch_pb2.BatchObjectsReply.BatchError(index=index, error=reason))
            else:
                self._shard(given, context)[given.uuid] = given
        return batch_pb2.BatchObjectsReply(errors=errors)

    def BatchDelete(self, request, context):
        self._enter("BatchDelete", request, context)
        shard = self._shard(request, context)
        hit = [one for one, given in shard.items() if passes(request.filters, given)][: self.delete_at_most]
        for one in hit:
            del shard[one]
        return batch_delete_pb2.BatchDeleteReply(matches=len(hit), successful=len(hit))

    def Aggregate(self, request, context):
        self._enter("Aggregate", request, context)
        count = len(self._shard(request, context))
        return aggregate_pb2.AggregateReply(single_result=aggregate_pb2.AggregateReply.Single(objects_count=count))

    def Search(self, request, context):
        self._enter("Search", request, context)
        shard = self._shard(request, context)
        given = [each for _, each in sorted(shard.items()) if passes(request.filters, each)]
        results = [search_get_pb2.SearchResult(
            properties=search_get_pb2.PropertiesResult(
                non_ref_props=_answered(each, request.properties.non_ref_properties)
            ),
            metadata=search_get_pb2.MetadataResult(
                id=each.uuid,
                id_as_bytes=uuid.UUID(each.uuid).bytes,
                vectors=list(each.vectors) if request.metadata.vectors else [],
                **told,
            ),
        ) for each, told in _ranked(request, given)]  # fmt: skip
        return search_get_pb2.SearchReply(results=results[: request.limit or 10])


def passes(filters, given):
    """Whether an object passes a filter tree."""
    if filters.operator == OP.OPERATOR_UNSPECIFIED:
        return True
    if filters.operator == OP.OPERATOR_AND:
        return all(passes(each, given) for each in filters.filters)
    value = given.uuid if filters.target.property == "_id" else values(given).get(filters.target.property)
    if value is None:
        return False
    if filters.operator == OP.OPERATOR_CONTAINS_ANY:
        # Weaviate's tokenization "field" trims both sides.
        wanted = {each.strip() for each in filters.value_text_array.values}
        return bool(wanted.intersection(each.strip() for each in (value if isinstance(value, list) else [value])))
    compare = {
        OP.OPERATOR_LESS_THAN_EQUAL: value <= filters.value_int,
        OP.OPERATOR_GREATER_THAN_EQUAL: value >= filters.value_int,
        OP.OPERATOR_GREATER_THAN: value > filters.value_int,
    }
    return compare[filters.operator]


def values(given):
    """An object's properties as Python values."""
    plain = {}
    for name, value in given.properties.non_ref_properties.fields.items():
        kind = value.WhichOneof("kind")
        plain[name] = int(value.number_value) if kind == "number_value" else getattr(value, kind)
    return plain | {each.prop_name: list(each.values) for each in given.properties.text_array_properties}


def _answered(given, names):
    fields = {}
    for name, value in values(given).items():
        if name not in names:
            continue
        if name == "token_vectors":
            fields[name] = properties_pb2.Value(blob_value=value)
        elif isinstance(value, int):
            fields[name] = properties_pb2.Value(int_value=value)
        elif isinstance(value, list):
            texts = properties_pb2.TextValues(values=value)
            fields[name] = properties_pb2.Value(list_value=properties_pb2.ListValue(text_values=texts))
        else:
            fields[name] = properties_pb2.Value(text_value=value)
    return properties_pb2.Properties(fields=fields)


def _ranked(request, given):
    """Objects with what the reply says of each, best first."""
    if request.HasField("near_vector"):
        asked = _floats(request.near_vector.vectors[0].vector_bytes)
        found = sorted(((1.0 - _cosine(asked, each), each) for each in given), key=lambda pair: pair[0])
        return [(each, {"distance": distance, "distance_present": True}) for distance, each in found]
    if request.HasField("bm25_search"):
        found = [(_matches(request.bm25_search, each), each) for each in given]
        found = sorted((pair for pair in found if pair[0] > 0), key=lambda pair: -pair[0])
        return [(each, {"score": score, "score_present": True}) for score, each in found]
    if request.HasField("hybrid_search"):
        return _fused(request.hybrid_search, given)
    return [(each, {}) for each in given if each.uuid > request.after]


def _fused(asked, given):
    vector = _floats(asked.vectors[0].vector_bytes if asked.vectors else asked.vector_bytes)
    sets = {
        "keyword,bm25": {each.uuid: score for each in given if (score := _matches(asked, each))},
        "vector,hybridVector": {each.uuid: _cosine(vector, each) for each in given},
    }
    alpha = asked.alpha_param if asked.use_alpha_param else asked.alpha
    total, told = defaultdict(float), defaultdict(list)
    for (name, scores), weight in zip(sets.items(), (1 - alpha, alpha), strict=True):
        low, high = min(scores.values(), default=0), max(scores.values(), default=0)
        for one, score in scores.items():
            scaled = weight * ((score - low) / (high - low) if high > low else 1.0)
            total[one] += scaled
            told[one].append(
                f"Hybrid (Result Set {name}) Document {one}: original score {score}, normalized score: {scaled}"
            )
    by_id = {each.uuid: each for each in given}
    return [
        (by_id[one], {
            "score": total[one], "score_present": True,
            "explain_score": "\n" + " - \n".join(told[one]), "explain_score_present": True,
        })
        for one in sorted(total, key=lambda one: -total[one])
    ]  # fmt: skip


def _matches(asked, given):
    words, known, score = asked.query.split(), values(given), 0.0
    for stated in asked.properties:
        name, _, weight = stated.partition("^")
        said = known.get(name, "").split()
        score += float(weight or 1) * sum(word in said for word in words)
    return score


def _floats(data):
    return np.array(struct.unpack(f"{len(data) // 4}f", data))


def _cosine(asked, given):
    held = _floats(given.vectors[0].vector_bytes)
    return float(asked @ held / (np.linalg.norm(asked) * np.linalg.norm(held)))


def _handler(wire):
    """The HTTP side, for one wire."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def _do(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null")
            wire.http.append((self.command, self.path, copy.deepcopy(body)))
            status, answer = self._answer(body)
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _do

        def _answer(self, body):
            if wire.faults["http"]:
                return wire.faults["http"].popleft()
            if wire.key and self.headers.get("Authorization") != f"Bearer {wire.key}":
                return 401, {"code": 401, "message": "anonymous access not enabled"}
            if self.path == "/v1/meta":
                return 200, {"version": VERSION, "hostname": wire.url, "modules": {}}
            if self.path == "/v1/schema" and self.command == "POST":
                if body["class"] in wire.collections:
                    return 422, {"error": [{"message": f"class name {body['class']} already exists"}]}
                for stated in body["properties"]:  # a server states all defaults
                    stated.setdefault("indexSearchable", False)
                for stated in body["vectorConfig"].values():
                    stated["vectorIndexConfig"] = HNSW_DEFAULTS | stated["vectorIndexConfig"]
                wire.collections[body["class"]] = body
                return 200, body
            name, tenants = re.fullmatch(r"/v1/schema/(\w+)(/tenants)?", self.path).groups()
            if tenants and self.command == "POST":
                wire.tenants[name].update(tenant["name"] for tenant in body)
                return 200, body
            if self.command == "DELETE":
                wire.tenants.pop(name, None)
                return 200 if wire.collections.pop(name, None) else 400, None
            if name not in wire.collections:
                return 404, None
            return 200, wire.collections[name]

    return Handler
