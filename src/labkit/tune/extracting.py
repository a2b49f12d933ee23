"""What the ``extract`` adapter learns from: a sentence under its title, and a line for every fact it states."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.llm.tasks import Shown, Triple, flat, line, prompt_of
from labkit.tune.dialogue import Dialogue, Turn
from labkit.tune.truth import Seen


def dialogue(passage: Shown, seen: Sequence[Seen], source: str) -> Dialogue:
    """A sentence with the facts found in it, in the order of the text; the reply is empty where there are none."""
    told = dict.fromkeys(line(Triple(one.subject, one.relation, one.value)) for one in seen)
    user = prompt_of("extract").messages(passage=flat(passage))[1]["content"]
    return Dialogue("extract", (Turn(user, "\n".join(told), "passage"),), source)
