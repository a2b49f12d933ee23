"""The large index that is timed: as many rows as asked for, none equal, access as in the real ones."""

import numpy as np
import pytest

from labkit.bench.crowd import crowd
from labkit.retrieve.store import Rows
from labkit.schema import Chunk, RequestContext


@pytest.fixture
def real():
    chunks = [
        Chunk(
            chunk_id=f"c{n}", doc_id=f"d{n}", source_path=f"{n}.md", ordinal=0, text=f"tighten bolt {n} to the torque",
            start=0, end=30, tokens=7, content_hash=str(n), acl=("board",) if n % 2 else ("public",),
        )
        for n in range(6)
    ]  # fmt: skip
    vectors = np.random.default_rng(0).normal(size=(6, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Rows(chunks, vectors, [np.ones((2, 4), np.int8)] * 6)


@pytest.mark.parametrize("tokens", [True, False])
def test_a_crowd_of_copies(real, tokens, tmp_path):
    store = crowd(real, 50, tmp_path, seed=7, tokens=tokens)
    rows = list(store.rows())
    chunks = [chunk for part in rows for chunk in part.chunks]
    vectors = np.concatenate([part.vectors for part in rows])
    assert len({chunk.chunk_id for chunk in chunks}) == 50
    assert len(np.unique(vectors, axis=0)) == 50
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert [chunk for chunk in chunks if chunk.chunk_id.startswith("c") and len(chunk.chunk_id) == 2] == real.chunks
    assert sum(chunk.acl == ("board",) for chunk in chunks) == 25
    assert {len(each) for part in rows for each in part.tokens} == ({2} if tokens else {0})


def test_the_crowd_is_indexed_and_searched_under_access(real, tmp_path):
    store = crowd(real, 50, tmp_path, seed=7, tokens=False)
    stats = store._table.index_stats("terms_idx")
    assert (stats.num_indexed_rows, stats.num_unindexed_rows) == (50, 0)
    hits = store.search_dense(real.vectors[1], 50, RequestContext())
    assert len(hits) == 25
    assert {hit.chunk.acl for hit in hits} == {("public",)}
