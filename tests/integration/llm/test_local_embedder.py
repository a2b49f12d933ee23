"""MiniLM in this process, against sentence-transformers as the reference."""

import subprocess
import sys

import numpy as np
import pytest

from labkit.llm import Embedder
from labkit.llm.embed import LocalEmbedder
from labkit.models import resolve
from labkit.settings import Settings

TEXTS = [
    "Error E-417: gripper torque below 18 N·m.",
    "a",
    "",
    "Älg — 東京の部品番号 PN-20-118 🤖",
    "the belt must be checked before every shift " * 80,  # beyond 256 tokens
    "Restart the controller, then wait two minutes.",
]


@pytest.fixture(scope="module")
def files():
    return resolve("all-minilm-l6-v2", Settings().home)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_vectors_equal_sentence_transformers(files, backend):
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(files.path), device="cpu").encode(TEXTS, normalize_embeddings=True)
    vectors = LocalEmbedder(files, backend=backend).encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors * reference).sum(axis=1).min() > 0.99999


def test_order_and_company_do_not_matter(files):
    encoder = LocalEmbedder(files)
    assert isinstance(encoder, Embedder)
    together = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)


def test_tokens_are_counted_uncut(files):
    encoder = LocalEmbedder(files)
    assert encoder.count_tokens("") == 0
    assert encoder.count_tokens("torque wrench") == 3
    assert encoder.count_tokens("belt " * 1000) == 1000


def test_a_question_needs_no_torch(files):
    """Importing PyTorch takes longer than everything else a question waits for."""
    code = (
        "import sys; from labkit.llm import embedder; from labkit.settings import Settings;"
        "embedder(Settings()).encode(['hello']); print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
