"""MiniLM in this process, against sentence-transformers as the reference."""

import os
import random
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from labkit.errors import Cancelled
from labkit.llm import Embedder
from labkit.llm.embed import HttpEmbedder, LocalEmbedder, TokenEmbedder
from labkit.models import resolve
from labkit.schema import RequestContext
from labkit.settings import Settings

TEXTS = [
    "Error E-417: gripper torque below 18 N·m.",
    "a",
    "",
    "Älg — 東京の部品番号 PN-20-118 🤖",
    "the belt must be checked before every shift " * 80,  # beyond 256 tokens
    "Restart the controller, then wait two minutes.",
]
_WORDS = re.split(
    " ",
    "torque gripper belt E-417 PN-20-118 18.5 N·m supplier Linz invoice penalty shift warranty the of and was not "
    "Überprüfung Schraube façade élève привет насос 東京 部品 مضخة αντλία 🤖 {} == </td> 1,250.00 € 2024-03-01",
)


@pytest.fixture(scope="module")
def files():
    return resolve("all-minilm-l6-v2", Settings().home)


@pytest.fixture(scope="module")
def varied():
    """200 texts of 0 to 300 words, of several scripts, with numbers and markup."""
    chance = random.Random(7)
    lengths = [0, 1, 2, 3, 300, *(int(300 ** chance.random()) for _ in range(189))]
    return TEXTS + [" ".join(chance.choices(_WORDS, k=n)) for n in lengths]


@pytest.mark.parametrize("backend", ["numpy", "fp32"])
def test_vectors_equal_sentence_transformers(files, backend):
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(files.path), device="cpu").encode(TEXTS, normalize_embeddings=True)
    vectors = LocalEmbedder(files, backend=backend).encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors * reference).sum(axis=1).min() > 0.99999


LEAST = {"numpy": 0.99999, "fp32": 0.99999, "bf16": 0.999, "int8": 0.985}
"""Cosine to float32; with int8 the worst are texts of a single word, on CPUs without VNNI."""


def skip_unless_native(backend):
    from labkit.llm.precision import fastest

    if backend == "bf16" and fastest() != "bf16":
        pytest.skip("this CPU has no bfloat16, so the encoder does not choose it")
    if backend == "int8" and fastest() == "fp32":
        pytest.skip("PyTorch has no int8 product for this CPU, so the encoder does not choose it")


@pytest.mark.parametrize("backend", ["numpy", "bf16", "int8"])
def test_every_precision_gives_vectors_for_one_index(files, varied, backend):
    skip_unless_native(backend)
    reference = LocalEmbedder(files, backend="fp32").encode(varied)
    vectors = LocalEmbedder(files, backend=backend).encode(varied)
    assert len(varied) == 200
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    cosines = (vectors * reference).sum(axis=1)
    assert cosines.min() > LEAST[backend]
    assert cosines.mean() > 0.995


@pytest.mark.parametrize("backend", ["numpy", "fp32", "bf16", "int8"])
def test_order_and_company_hardly_matter(files, backend):
    skip_unless_native(backend)
    encoder = LocalEmbedder(files, backend=backend)
    together = encoder.encode(TEXTS)
    reversed_ = encoder.encode(TEXTS[::-1])[::-1]
    for text, vector, other in zip(TEXTS, together, reversed_, strict=True):
        assert encoder.encode([text])[0] @ vector > LEAST[backend]
        assert other @ vector > LEAST[backend]
    np.testing.assert_array_equal(encoder.encode(TEXTS), together)  # the same call gives the same bits
    assert encoder.encode([]).shape == (0, 384)


def test_token_states_come_with_the_vector(files):
    encoder = LocalEmbedder(files)
    assert isinstance(encoder, Embedder)
    assert isinstance(encoder, TokenEmbedder)
    encoded = encoder.encode_tokens(TEXTS)
    np.testing.assert_array_equal([one.vector for one in encoded], encoder.encode(TEXTS))
    counts = [min(encoder.count_tokens(text), 254) for text in TEXTS]
    assert [one.ids.shape for one in encoded] == [(n,) for n in counts]
    assert [one.states.shape for one in encoded] == [(n, 384) for n in counts]
    assert {(one.ids.dtype, one.states.dtype) for one in encoded} == {(np.dtype(np.int32), np.dtype(np.float32))}
    assert all(one.states.base is None for one in encoded)  # no view that keeps a batch alive
    assert encoder.encode_tokens([]) == []


def test_token_states_equal_transformers(files):
    import torch
    from transformers import AutoModel, AutoTokenizer

    text = TEXTS[0]
    tokens = AutoTokenizer.from_pretrained(files.path)(text, return_tensors="pt")
    with torch.inference_mode():
        wanted = AutoModel.from_pretrained(files.path)(**tokens).last_hidden_state[0, 1:-1].numpy()
    (one,) = LocalEmbedder(files, backend="numpy").encode_tokens([text])
    assert one.ids.tolist() == tokens["input_ids"][0, 1:-1].tolist()
    np.testing.assert_allclose(one.states, wanted, atol=1e-4)


def test_asking_an_endpoint_for_its_kind_sends_no_request():
    assert not isinstance(HttpEmbedder("http://127.0.0.1:9/v1", model="x"), TokenEmbedder)


def test_a_cancelled_request_stops(files):
    ctx = RequestContext()
    ctx.cancel.set()
    with pytest.raises(Cancelled):
        LocalEmbedder(files).encode_tokens(TEXTS, ctx)


def test_many_threads_get_what_one_gets(files):
    encoder = LocalEmbedder(files, backend="fp32")
    wanted, got = encoder.encode(TEXTS), {}

    def work(i):
        got[i] = encoder.encode(TEXTS)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(got) == 4
    for vectors in got.values():
        np.testing.assert_array_equal(vectors, wanted)


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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("capability", ["avx2", "default"])
def test_no_bfloat16_where_pytorch_was_told_the_cpu_is_older(capability):
    code = "from labkit.llm.precision import fastest; print(fastest())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "ATEN_CPU_CAPABILITY": capability},
    )  # fmt: skip
    assert done.stdout.strip() in {"avx2": ("int8", "fp32"), "default": ("fp32",)}[capability]
