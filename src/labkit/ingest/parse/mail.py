"""Mail (RFC 5322, MIME): headers, body, quoted replies marked, attachments listed.

Text quoted from earlier mails stays, as ``reply`` blocks, so that a chunk never mixes it with what is new. Signatures
below the standard delimiter (RFC 3676, 4.3) and legal notices at the end of a message go, as the defect
``boilerplate``; a name typed under a letter stays. Attachments are named with type and size; their content is not
read.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime

from labkit.errors import DocumentError
from labkit.ingest.decode import decode
from labkit.ingest.mojibake import repair
from labkit.ingest.parse import Block, Parsed
from labkit.ingest.parse.signature import REPLY_BEGINS, trim_message
from labkit.ingest.parse.text import text_blocks

_SHOWN = ("From", "To", "Cc", "Date", "Subject")
_MAX_HEADER = 16_000


def parse_eml(content: bytes) -> Parsed:
    """Parse one mail.

    Raises:
        DocumentError: ``corrupt``, it has neither headers nor a body; ``encrypted``, the body is S/MIME or PGP.
    """
    message = email.message_from_bytes(content.lstrip(b"\xef\xbb\xbf\r\n"), policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise DocumentError("No mail headers", reason="corrupt", todo="Fetch it again.")
    if message.get_content_type() in ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"):
        raise DocumentError("The mail is encrypted", reason="encrypted", todo="Store it decrypted.")
    headers = {name: value for name in _SHOWN if (value := _header(message, name))}
    stated = headers.get("Date", "")
    headers |= {"Date": shown} if (shown := _moment(stated)) else {}
    subject = headers.get("Subject", "")
    blocks = [Block("heading", subject, 1)] if subject else []
    blocks.append(
        Block("fields", "\n".join(f"{name}: {value}" for name, value in headers.items() if name != "Subject"))
    )
    body, trimmed = _body(message)
    blocks += body
    if attachments := _attachments(message):
        blocks.append(Block("fields", "\n".join(attachments)))
    metadata = {name.lower(): value for name, value in headers.items()}
    metadata |= {"date": moment[:10]} if (moment := _moment(stated)) else {}
    defects = ["mail_structure"] if any(part.defects for part in message.walk()) else []
    defects += ["boilerplate"] if trimmed else []
    return Parsed([block for block in blocks if block.text], title=subject, metadata=metadata, defects=defects)


def _header(message: EmailMessage, name: str) -> str:
    # Decoding takes time with the square of the length, so it is the raw value that is cut.
    raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    try:
        return " ".join(str(message.policy.header_fetch_parse(name, str(raw)[:_MAX_HEADER])).split())
    except (ValueError, IndexError, AttributeError, LookupError):  # the library fails on some broken headers
        return ""


def _moment(stated: str) -> str:
    """The time as ``2025-03-14 09:12``, with its offset unless that is zero; "" if there is no telling."""
    try:
        moment = parsedate_to_datetime(stated)
        return moment.isoformat(" ", "minutes").removesuffix("+00:00")
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _body(message: EmailMessage) -> tuple[list[Block], bool]:
    """Blocks of the message's text, and whether something was taken from it."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return [], False
    text, html = _content(part), part.get_content_subtype() == "html"
    if html or not text.strip():
        other = message.get_body(preferencelist=("html",))
        if other is not None:
            from labkit.ingest.parse.html import parse_html

            return (parse_html(_content(other)).blocks if _content(other).strip() else []), False
    kept = trim_message(text)
    return _reply_blocks(kept), kept != text


def _content(part: MIMEPart) -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    charset = part.get_content_charset("")
    try:
        # US-ASCII is what a mail without a charset claims, whatever it holds.
        if charset and charset != "us-ascii":
            return repair(raw.decode(charset).replace("\r\n", "\n"))
    except (LookupError, UnicodeDecodeError):
        pass
    return repair(decode(raw)[0]) if raw.strip() else ""


def _reply_blocks(text: str) -> list[Block]:
    """Paragraphs; those quoted from earlier mail as ``reply``."""
    blocks: list[Block] = []
    below = False  # everything under a separator line is the earlier mail
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        run: list[str] = []
        quoted = False
        for line in (line.rstrip() for line in paragraph.split("\n") if line.strip()):
            below = below or bool(REPLY_BEGINS.match(line.strip()))
            is_quote = below or line.startswith(">")
            if run and is_quote != quoted:
                blocks += _run(run, quoted)
                run = []
            run.append(line)
            quoted = is_quote
        if run:
            blocks += _run(run, quoted)
        if below and blocks and blocks[-1].kind == "reply" and not blocks[-1].text.startswith(("-", "_")):
            # "On … wrote:" announces lines with ">"; new text may follow them.
            below = not any(line.startswith(">") for line in blocks[-1].text.split("\n"))
    return blocks


def _run(lines: list[str], quoted: bool) -> list[Block]:
    return [Block("reply", "\n".join(lines))] if quoted else text_blocks(lines)


def _attachments(message: EmailMessage) -> list[str]:
    lines = []
    for part in message.iter_attachments() if message.is_multipart() else ():
        name = part.get_filename() or part.get_content_type()
        payload = part.get_payload(decode=True)
        size = f", {len(payload)} bytes" if isinstance(payload, bytes) else ""
        lines.append(f"Attachment: {' '.join(name.split())} ({part.get_content_type()}{size})")
    return lines
