"""GPTQ in its environment, and the engines that read what is made; each is skipped where it is not built."""

import pytest

from labkit.errors import ConfigError
from labkit.quantize import gguf, gptq, load, serving, w8a8
from labkit.quantize.job import python_of
from labkit.quantize.perplexity import losses, ratio

pytestmark = pytest.mark.slow


def needs(environment):
    try:
        python_of(environment)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def gptq_folder(source, texts, tmp_path_factory):
    needs("quantize")
    out = tmp_path_factory.mktemp("gptq") / "out"
    told = []
    gptq(source, out, texts, group=32, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (30, 30)
    return out


def answer(engine, folder, prompt, tmp_path):
    return serving.answers(engine, folder, [prompt], log=tmp_path / "engine.log", tokens=12)


def test_what_gptqmodel_makes_is_read_here(gptq_folder, source, texts):
    first, loaded = load(source), load(gptq_folder)
    found = ratio(
        losses(first.model, first.tokenizer, texts), losses(loaded.model, loaded.tokenizer, texts)
    )  # fmt: skip
    assert 0.9 < found.value < 1.5


def test_gptqmodel_answers(gptq_folder, prompt, tmp_path):
    served = answer("gptqmodel", gptq_folder, prompt, tmp_path)
    assert "Paris" in served.texts[0]


def test_auto_gptq_itself_reads_it(gptq_folder, prompt, tmp_path):
    needs("legacy")
    served = answer("auto-gptq", gptq_folder, prompt, tmp_path)
    assert served.version.startswith("0.7.1")
    assert "read 210 layers of 4 bits in groups of 32" in served.note
    if served.device != "cpu":  # on a CPU it reads the checkpoint, and what it says then makes no sense
        assert "Paris" in served.texts[0]


def test_vllm_answers_with_gptq(gptq_folder, prompt, tmp_path):
    needs("serve-cpu")
    assert "Paris" in answer("vllm-cpu", gptq_folder, prompt, tmp_path).texts[0]


def test_vllm_answers_with_w8a8(source, prompt, tmp_path):
    needs("serve-cpu")
    w8a8(source, tmp_path / "out")
    assert "Paris" in answer("vllm-cpu", tmp_path / "out", prompt, tmp_path).texts[0]


def test_openvino_answers_with_gguf(source, prompt, tmp_path):
    pytest.importorskip("openvino_genai", reason="openvino-genai is not installed")
    gguf(source, tmp_path / "out", weights="Q8_0")
    assert "Paris" in answer("openvino", tmp_path / "out", prompt, tmp_path).texts[0]
