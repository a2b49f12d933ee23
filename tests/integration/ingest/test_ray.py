"""The same stages on a (local) Ray cluster give the same bytes, and the same refusals."""

from pathlib import Path

import pytest

from labkit.ingest import ingest
from labkit.world.build import build_world

pytest.importorskip("ray", reason="Ray is not installed (requirements/lab.in)")
pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_ray_and_the_process_pool_write_the_same_bytes(tmp_path: Path) -> None:
    build_world("60", 6, tmp_path / "world", progress=False)
    documents = tmp_path / "world" / "documents"
    pool = ingest(documents, tmp_path / "pool", workers=2, progress=False)
    cluster = ingest(documents, tmp_path / "ray", workers=2, engine="ray", progress=False)
    assert cluster.tables == pool.tables
    for name in (*pool.tables, "report.json"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "pool" / name).read_bytes()
