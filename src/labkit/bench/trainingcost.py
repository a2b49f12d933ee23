"""What training costs: memory and time of full fine-tuning, LoRA and QLoRA, of trl over a plain loop, and forgetting.

Each method runs in a process of its own for a few steps on the same conversations; memory is the highest resident set
of the whole process, libraries and all. Forgetting is the perplexity on prose that has nothing to do with the task,
with the adapter over without: text from PEPs (python/peps, public domain or CC0), of LABKIT_DATA.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from labkit.bench.process import measure
from labkit.bench.registry import Options
from labkit.bench.result import Figure
from labkit.models import go_offline, resolve
from labkit.quantize.perplexity import Loss, losses, perplexity, ratio
from labkit.tune import answering, made
from labkit.tune.recipe import quiet

STEPS, CONVERSATIONS = 6, 60
TOKENS = 20_000
"""Of prose that forgetting is measured on."""
METHODS = ("full", "lora", "qlora")
_LIMIT_S = 1_800.0
_PROGRAM = """
import json, sys
from pathlib import Path
from transformers import AutoTokenizer
from labkit.models import go_offline
from labkit.tune.handloop import by_hand, by_trl
from labkit.tune.recipe import Recipe, shares, trainable
folder, method, loop, file, out = sys.argv[1:6]
go_offline()
rows, steps = json.loads(Path(file).read_text()), int(sys.argv[6])
tokenizer = AutoTokenizer.from_pretrained(folder)
recipe = Recipe(method=method, steps=steps)
model = trainable(Path(folder), recipe)
trained, total = shares(model)
if loop == "hand":
    ran = by_hand(model, rows, recipe, pad=tokenizer.pad_token_id)
else:
    as_it_comes = loop == "trl-defaults"
    ran = by_trl(model, rows, recipe, tokenizer, recompute=as_it_comes, every_position=as_it_comes)
Path(out).write_text(json.dumps({"seconds": ran.seconds, "losses": ran.losses, "share": trained / total}))
"""


def cost_figures(options: Options) -> dict[str, Figure]:
    """Figures of training; each ratio names its peer."""
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as scratch:
        rows = _rows(options, Path(scratch))
        runs = {(method, "trl"): _run(options, method, "trl", rows) for method in METHODS}
        runs |= {("qlora", loop): _run(options, "qlora", loop, rows) for loop in ("hand", "trl-defaults")}
    full, default = runs["full", "trl"], runs["qlora", "trl"]
    figures["trainable_share"] = Figure(value=default["share"], direction="lower")
    for method in ("lora", "qlora"):
        name = "peak_memory_ratio" if method == "qlora" else f"peak_memory_ratio_{method}"
        figures[name] = Figure(
            value=runs[method, "trl"]["peak"] / full["peak"], direction="lower", peer="full fine-tuning"
        )
        seconds = runs[method, "trl"]["step"] / full["step"]
        figures[f"step_time_ratio_{method}"] = Figure(
            value=seconds, n=STEPS - 1, direction="lower", peer="full fine-tuning"
        )
    for loop, name in (("trl", "trl_step_time_ratio"), ("trl-defaults", "trl_defaults_step_time_ratio")):
        seconds = runs["qlora", loop]["step"] / runs["qlora", "hand"]["step"]
        figures[name] = Figure(value=seconds, n=STEPS - 1, direction="lower", peer="a plain loop of the same maths")
    return figures | forgetting(options)


def forgetting(options: Options) -> dict[str, Figure]:
    """Perplexity on general prose with the answer adapter over that without; skipped where there is no prose."""
    texts = prose(options.data)
    if not texts:
        skipped = Figure(value=None, direction="lower", status="skipped: LABKIT_DATA has no peps")
        return {"forgetting_ratio": skipped}
    go_offline()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():  # importing peft imports bitsandbytes
        from peft import PeftModel
    base = resolve(options.settings.chat_model, options.settings.home)
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32).eval()
        before = losses(model, tokenizer, texts, tokens=TOKENS)
        tuned = PeftModel.from_pretrained(model, options.adapter("answer")).eval()
        after: list[Loss] = losses(tuned, tokenizer, texts, tokens=TOKENS)
    found, start = ratio(before, after, options.seed), perplexity(before, options.seed)
    return {
        "forgetting_ratio": Figure(
            value=found.value, n=found.tokens, ci95=found.ci95, direction="lower", peer="the base"
        ),
        "general_perplexity_base": Figure(value=start.value, n=start.tokens, ci95=start.ci95, direction="lower"),
    }


def prose(data: Path | None) -> list[str]:
    """Prose of PEPs in a fixed random order, markup lines left out; [] where there are none."""
    folder = data / "peps" if data else None
    files = sorted(folder.glob("*.rst")) if folder and folder.is_dir() else []
    random.Random(0).shuffle(files)
    found = []
    for file in files:
        parts = [part.strip() for part in file.read_text(encoding="utf-8", errors="replace").split("\n\n")]
        kept = [" ".join(part.split()) for part in parts if len(part) > 200 and part[0].isalpha()]
        if kept:
            found.append("\n\n".join(kept)[:6_000])
    return found


def _rows(options: Options, scratch: Path) -> Path:
    """Conversations over invented subjects, encoded, in a file."""
    from transformers import AutoTokenizer

    from labkit.tune.dialogue import dataset_rows

    go_offline()
    rng = random.Random(options.seed)
    dialogues = (one for context in made.contexts(rng) for one in answering.dialogues(context, rng))
    some = list(islice(dialogues, CONVERSATIONS))
    base = resolve(options.settings.chat_model, options.settings.home)
    rows = dataset_rows(some, AutoTokenizer.from_pretrained(base.path), 512)
    file = scratch / "rows.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    return file


def _run(options: Options, method: str, loop: str, rows: Path) -> dict[str, Any]:
    base = resolve(options.settings.chat_model, options.settings.home)
    out = rows.with_name(f"{method}-{loop}.json")
    command: list[str | Path] = [sys.executable, "-c", _PROGRAM, base.path, method, loop, rows, out, str(STEPS)]
    cost = measure(command, limit_s=_LIMIT_S)
    read: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    # The first step allocates and, in libraries, decides how to compute.
    return {**read, "peak": cost.peak_bytes, "step": statistics.median(read["seconds"][1:])}
