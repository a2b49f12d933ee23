"""Prompts as files with a version: what a model was told is part of what produced an answer.

A prompt file has a ``# system`` and a ``# user`` part; ``{name}`` marks a place to fill. The version is the short
hash of the file's bytes, so no edit goes unnoticed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from labkit.errors import ConfigError, InputError
from labkit.schema import Message

_PART = re.compile(r"^# (system|user)\s*$", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt template.

    Attributes:
        name: the file's name without its ending.
        version: name and short hash, e.g. ``answer@1f0c9a2b``.
        parts: role and template of each message.
    """

    name: str
    version: str
    parts: tuple[tuple[str, str], ...]

    def messages(self, **values: str) -> list[Message]:
        """Fill the places. Braces inside values are left alone: passages may contain any text.

        Raises:
            InputError: a place has no value, or a value has no place.
        """
        places = {place for _, text in self.parts for place in _PLACE.findall(text)}
        if places != values.keys():
            raise InputError(f"The prompt {self.name} takes {sorted(places)}, was given {sorted(values)}")
        return [
            {"role": role, "content": _PLACE.sub(lambda match: values[match[1]], text)} for role, text in self.parts
        ]


def parse_prompt(name: str, text: str) -> Prompt:
    """Read a prompt from the text of its file.

    Raises:
        ConfigError: it has no ``# user`` part.
    """
    pieces = _PART.split(text)  # [before, role, body, role, body …]
    parts = tuple((role, body.strip()) for role, body in zip(pieces[1::2], pieces[2::2], strict=True))
    if "user" not in dict(parts):
        raise ConfigError("The prompt has no '# user' part", where=f"{name}.md", todo="Add a line '# user'.")
    return Prompt(name, f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:8]}", parts)


def load_prompt(name: str) -> Prompt:
    """One of the prompts that ship with labkit, by name.

    Raises:
        ConfigError: there is none of that name.
    """
    file = resources.files("labkit.llm").joinpath("prompts", f"{name}.md")
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        raise ConfigError(f"There is no prompt named {name!r}", where="labkit/llm/prompts")
    return parse_prompt(name, file.read_text(encoding="utf-8"))
