"""JSON and JSON lines: chat exports, records, anything else.

A list of objects that have a text and a speaker or a time is a conversation, one paragraph a message. A list of flat
objects is a table. Everything else becomes ``path.to.key: value`` lines. No product's export format is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from labkit.errors import DocumentError
from labkit.ingest.parse import Block, Parsed

_TEXT = ("text", "content", "message", "body")
_SPEAKER = ("user_name", "username", "display_name", "author", "sender", "from", "user", "name", "role", "speaker")
_TIME = ("timestamp", "created_at", "datetime", "sent_at", "time", "date", "ts")
_TITLE = ("title", "subject", "channel", "topic", "name", "id")


def parse_json(content: str) -> Parsed:
    """Parse one JSON value, or one per line.

    Raises:
        DocumentError: ``corrupt``, it is neither.
    """
    value = _load(content.lstrip("\ufeff"))
    metadata: dict[str, str] = {}
    if isinstance(value, dict):
        metadata = {key.lower(): str(item) for key, item in value.items() if isinstance(item, str | int | float)}
    title = next((metadata[key] for key in _TITLE if metadata.get(key)), "")
    return Parsed(_value_blocks(value, "", 1), title=title, metadata=metadata)


def _load(content: str) -> Any:
    try:
        return json.loads(content)
    except RecursionError as error:
        raise DocumentError("The JSON is nested too deeply", reason="corrupt", todo="Flatten it.") from error
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise DocumentError("The JSON does not parse", reason="corrupt", todo="Fetch it again.") from error


def _value_blocks(value: Any, path: str, level: int) -> list[Block]:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        messages = [_message(item) for item in value]
        if all(messages):
            return [Block("paragraph", message) for message in messages if message]
        return [Block("table", "\n".join(line for item in value if (line := _row(item))))]
    if isinstance(value, dict):
        nested = {key: item for key, item in value.items() if _is_records(item)}
        lines = [line for key, item in value.items() if key not in nested for line in _lines(item, f"{path}{key}")]
        blocks = [Block("fields", "\n".join(lines))] if lines else []
        for key, item in nested.items():
            blocks.append(Block("heading", f"{path}{key}", min(level, 6)))
            blocks += _value_blocks(item, f"{path}{key}.", level + 1)
        return blocks
    lines = list(_lines(value, path.rstrip(".")))
    return [Block("fields", "\n".join(lines))] if lines else []


def _is_records(value: Any) -> bool:
    """A list of objects, or an object that holds one further down."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and any(_is_records(item) for item in value.values())


def _message(item: dict[str, Any]) -> str:
    """One chat message as ``speaker (time): text``, '' if the object is none."""
    lowered = {key.lower(): key for key in item}
    text = _first(item, lowered, _TEXT)
    speaker, time = _first(item, lowered, _SPEAKER), _first(item, lowered, _TIME)
    if text is None or (speaker is None and time is None):
        return ""
    used = {key for key in (text, speaker, time) if key}
    head = str(_name(item[speaker])) if speaker else ""
    if time:
        head = f"{head} ({item[time]})" if head else str(item[time])
    extra = [line for key in item if key not in used for line in _lines(item[key], key)]
    body = " ".join(_lines(item[text], ""))
    return f"{head}: {body}" + (f"\n[{' | '.join(extra)}]" if extra else "")


def _first(item: dict[str, Any], lowered: dict[str, str], wanted: tuple[str, ...]) -> str | None:
    return next((lowered[name] for name in wanted if name in lowered and item[lowered[name]] not in (None, "")), None)


def _name(value: Any) -> Any:
    if isinstance(value, dict):
        return next(
            (value[key] for key in (*_SPEAKER, "real_name", "id") if value.get(key)), " ".join(_lines(value, ""))
        )
    return value


def _row(item: dict[str, Any]) -> str:
    return " | ".join(line.replace("\n", " ") for line in _lines(item, ""))


def _lines(value: Any, path: str) -> Iterator[str]:
    """``path: value`` for every scalar below ``value``."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _lines(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        if all(not isinstance(item, dict | list) for item in value):
            if value:
                yield _line(path, ", ".join(_scalar(item) for item in value))
        else:
            for number, item in enumerate(value, 1):
                yield from _lines(item, f"{path}[{number}]" if path else f"[{number}]")
    elif value is not None and value != "":
        yield _line(path, _scalar(value))


def _line(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text


def _scalar(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
