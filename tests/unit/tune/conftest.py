"""A small tokenizer with a chat template, a context, and a world of four facts."""

import json

import pytest

from labkit.llm.tasks import Quote, Shown
from labkit.tune.context import Asked, Context, Readable

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


RUN = Quote(1, "Edna Marsh")
HAS = Quote(1, "42")
OTHER = Quote(2, "Piet Ruiz")


@pytest.fixture(scope="session")
def tokenizer():
    """One token a byte, SmolLM2's marks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: place for place, token in enumerate([*marks, *letters])}, []))
    made.add_special_tokens(marks)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=CHATML
    )


@pytest.fixture
def context():
    """Two passages, three facts, two questions they do not answer."""
    return Context(
        passages=(
            Shown("Sites > Crosswater", "Crosswater is looked after by Edna Marsh. It has 42 robots."),
            Shown("", "Tollerby is looked after by Piet Ruiz."),
        ),
        facts=[
            Readable(
                "Crosswater", "site.manager", "Edna Marsh", (RUN,), ["Who looks after Crosswater?"],
                ["Edna Marsh is the manager of Crosswater."], ["Piet Ruiz", "Mia Quist"],
            ),
            Readable("Crosswater", "site.robots", "42", (HAS,), ["How many robots has Crosswater?"], [], ["17", "60"]),
            Readable(
                "Tollerby", "site.manager", "Piet Ruiz", (OTHER,), ["Who looks after Tollerby?"],
                ["Piet Ruiz is the manager of Tollerby."], ["Edna Marsh", "Mia Quist"],
            ),
        ],
        absent=[("How many robots has Tollerby?", "42"), ("When did Crosswater open?", "")],
        source="tidewater-test",
        asked=Asked("Under whose care is Crosswater?", "Edna Marsh", (RUN,), "single_hop", wrong="Piet Ruiz"),
    )  # fmt: skip


FACTS = [
    ("f1", "site-train", "site.manager", "Edna Marsh", ["E. Marsh"], "person-train"),
    ("f2", "site-train", "site.robots", "42", [], None),
    ("f3", "part-test", "part.torque", "12 N·m", ["12 Nm"], None),
    ("f4", "part-test", "part.price", "9.50 EUR", [], None),
]
ENTITIES = [
    ("site-train", "site", "Crosswater", "train", ["XNT"]),
    ("person-train", "person", "Edna Marsh", "train", ["E. Marsh"]),
    ("part-test", "part", "wrist flange WF-1727", "test", ["WF-1727"]),
    ("error-test", "error", "E-417", "test", []),
    ("error-train", "error", "E-417", "train", []),
    ("site-dev", "site", "Ferrant's Gate", "dev", ["WPV"]),
]
TEXTS = {
    "d1": ("sites/crosswater.md", "train", "Crosswater\n\nThe site XNT is run by E. Marsh. It has 42 robots in all."),
    "d2": ("parts/sheet.csv", "test", "Part | Torque | Price\nwrist flange WF-1727 | 12 Nm | 9.50 EUR"),
}
STATED = [
    ("d1", "f1", "The site XNT is run by E. Marsh."),
    ("d1", "f2", "It has 42 robots in all."),
    ("d2", "f3", "wrist flange WF-1727 | 12 Nm"),
    ("d2", "f4", "wrist flange WF-1727 | 12 Nm | 9.50 EUR"),
]
QUESTIONS = {
    "train": ["Who runs Crosswater?"],
    "dev": ["Who is in charge of Ferrant's Gate?"],
    "test": ["How tight is the wrist flange WF-1727 to be?", "What does one do on E-417?"],
}


@pytest.fixture
def world(tmp_path):
    """The folder of a world as :mod:`labkit.world.build` lays it out, as far as truth is read."""
    folder = tmp_path / "tidewater-tiny"
    _write(
        folder / "truth" / "facts.jsonl",
        [
            {"fact_id": key, "subject_id": subject, "relation": relation, "value": value, "aliases": aliases,
             "object_id": thing, "valid_from": "2024-01-01", "valid_to": None}
            for key, subject, relation, value, aliases, thing in FACTS
        ],
    )  # fmt: skip
    _write(
        folder / "truth" / "entities.jsonl",
        [dict(zip(("entity_id", "kind", "name", "pool", "aliases"), row, strict=True)) for row in ENTITIES],
    )
    _write(folder / "truth" / "texts.jsonl", [{"doc_id": key, "text": text} for key, (_, _, text) in TEXTS.items()])
    _write(
        folder / "truth" / "documents.jsonl",
        [{"doc_id": key, "path": path, "pool": pool} for key, (path, pool, _) in TEXTS.items()]
        + [{"path": "broken.pdf", "doc_id": ""}],
    )
    evidence = []
    for key, fact, said in STATED:
        start = TEXTS[key][2].index(said)
        evidence.append({"doc_id": key, "fact_id": fact, "start": start, "end": start + len(said)})
    _write(folder / "truth" / "evidence.jsonl", evidence)
    for split, questions in QUESTIONS.items():
        _write(folder / "questions" / f"{split}.jsonl", [_question(split, text) for text in questions])
    return folder


def _question(split, text):
    from labkit.world.questions import Question

    return Question(f"{split}-{text[:9]}", split, "single_hop", text, "a value").row()


def _write(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
