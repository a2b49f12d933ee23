"""Mail writer: RFC 5322 messages, older mails of a thread quoted below the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from labkit.world.blocks import Block, Draft, Heading, Items, Look, Message, Pairs, Paragraph, Table, Turn


def eml(draft: Draft, look: Look) -> bytes:
    """One .eml file: the newest message, the ones before it quoted, signature and disclaimer added."""
    first, *earlier = [block for block in draft.body if isinstance(block, Message)]
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = (f"Re: {draft.title}" if earlier else draft.title).replace("\n", " ")
    mail["From"] = f"{first.sender.text} <{first.address.text}>"
    mail["To"] = f"{first.to.text} <{first.to_address.text}>"
    hour, minute = (int(part) for part in first.time.split(":"))
    mail["Date"] = format_datetime(
        datetime(draft.date.year, draft.date.month, draft.date.day, hour, minute, tzinfo=UTC)
    )
    mail["Message-ID"] = f"<{draft.seed:08x}.{draft.doc_id}@tidewaterrobotics.example>"
    body = [*_lines(first.blocks)]
    body += ["", "-- ", look.signature] if look.signature else []
    body += ["", look.disclaimer] if look.disclaimer else []
    depth = 1
    for message in earlier:
        body += [
            "",
            f"On {message.sent.isoformat()} {message.time}, {message.sender.text} <{message.address.text}> wrote:",
        ]
        body += [f"{'>' * depth} {line}".rstrip() for line in _lines(message.blocks)]
        depth += 1
    mail.set_content("\n".join(body) + "\n", cte="quoted-printable")
    return mail.as_bytes()


def _lines(blocks: Sequence[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [*block_lines(block), ""]
    return lines[:-1]


def block_lines(block: Block) -> list[str]:
    """A block as plain text lines."""
    match block:
        case Heading(text):
            return [text.upper() if len(text) < 40 else text]
        case Paragraph(found):
            return [" ".join(sentence.text for sentence in found)]
        case Items(items, ordered):
            return [f"{f'{n}.' if ordered else '*'} {item.text}" for n, item in enumerate(items, 1)]
        case Table(header, rows):
            return ["\t".join(header), *("\t".join(cell.text for cell in row) for row in rows)]
        case Pairs(pairs):
            return [f"{label}: {sentence.text}" for label, sentence in pairs]
        case Turn(speaker, time, sentence):
            return [f"[{time}] {speaker.text}: {sentence.text}"]
        case Message(blocks=inner):
            return [line for part in inner for line in block_lines(part)]
