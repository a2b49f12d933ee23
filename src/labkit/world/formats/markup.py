"""Markdown and HTML writers."""

from __future__ import annotations

import random
from html import escape

from labkit.world.blocks import Block, Draft, Heading, Items, Look, Message, Pairs, Paragraph, Table, Turn


def markdown(draft: Draft, look: Look) -> bytes:
    """Markdown, in most documents with YAML front matter."""
    rng = random.Random(draft.seed)
    lines: list[str] = []
    if rng.random() < 0.75:
        lines += ["---", f'title: "{draft.title}"', f"author: {draft.author}", f"date: {draft.date.isoformat()}", "---"]
    else:
        lines += [f"<!-- {draft.author}, {draft.date.isoformat()} -->"]
    lines += ["", f"# {draft.title}", ""]
    for block in draft.body:
        lines += [*_markdown_block(block, rng), ""]
    return "\n".join(lines).encode()


def _markdown_block(block: Block, rng: random.Random) -> list[str]:
    match block:
        case Heading(text, level):
            return [f"{'#' * level} {text}"]
        case Paragraph(found):
            return [" ".join(sentence.text for sentence in found)]
        case Items(items, ordered):
            return [f"{f'{n}.' if ordered else '-'} {item.text}" for n, item in enumerate(items, 1)]
        case Table(header, rows):
            body = [f"| {' | '.join(cell.text for cell in row)} |" for row in rows]
            return [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}", *body]
        case Pairs(pairs):
            return [f"**{label}:** {sentence.text}  " for label, sentence in pairs]
        case Turn(speaker, time, sentence):
            return [f"**{speaker.text}** {time}: {sentence.text}"]
        case Message(sender=sender, sent=sent, blocks=inner):
            lines = [f"> {sender.text}, {sent.isoformat()}:", ">"]
            for part in inner:
                lines += [f"> {line}" for line in _markdown_block(part, rng)]
            return lines


def html(draft: Draft, look: Look) -> bytes:
    """A page of the intranet: the main text inside whatever the site wraps around it."""
    rng = random.Random(draft.seed)
    main = "\n".join([f"<h1>{escape(draft.title)}</h1>", *(_html_block(block, rng) for block in draft.body)])
    before: list[str] = []
    after: list[str] = []
    if look.cookie:
        banner = f'<div class="cookie-banner" role="dialog"><p>{escape(look.cookie)}</p><button>OK</button></div>'
        (before if rng.random() < 0.5 else after).append(banner)
    if look.navigation:
        links = "".join(f'<li><a href="#">{escape(entry.strip())}</a></li>' for entry in look.navigation.split("|"))
        before.append(
            rng.choice((f"<nav><ul>{links}</ul></nav>", f'<div id="menu" class="nav"><ul>{links}</ul></div>'))
        )
    if look.footer:
        after.append(
            rng.choice(
                (
                    f"<footer><p>{escape(look.footer)}</p></footer>",
                    f'<div class="footer"><small>{escape(look.footer)}</small></div>',
                )
            )
        )
    wrap = rng.choice(("<main>{}</main>", "<article>{}</article>", '<div id="content" class="page">{}</div>'))
    head = [
        '<meta charset="utf-8">',
        f"<title>{escape(draft.title)}</title>",
        f'<meta name="author" content="{escape(draft.author)}">',
        f'<meta name="date" content="{draft.date.isoformat()}">',
    ]
    page = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        *head,
        "</head>",
        "<body>",
        *before,
        wrap.format(f"\n{main}\n"),
        *after,
        "</body>",
        "</html>",
    ]
    return "\n".join(page).encode()


def _html_block(block: Block, rng: random.Random) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(found):
            return f"<p>{escape(' '.join(sentence.text for sentence in found))}</p>"
        case Items(items, ordered):
            tag = "ol" if ordered else "ul"
            return f"<{tag}>{''.join(f'<li>{escape(item.text)}</li>' for item in items)}</{tag}>"
        case Table(header, rows):
            head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
            body = "".join(f"<tr>{''.join(f'<td>{escape(c.text)}</td>' for c in row)}</tr>" for row in rows)
            return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        case Pairs(pairs):
            if rng.random() < 0.5:
                lines = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v.text)}</td></tr>" for k, v in pairs)
                return f'<table class="facts">{lines}</table>'
            return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v.text)}</dd>' for k, v in pairs)}</dl>"
        case Turn(speaker, time, sentence):
            return f"<p><b>{escape(speaker.text)}</b> <i>{time}</i> {escape(sentence.text)}</p>"
        case Message(sender=sender, sent=sent, blocks=inner):
            quoted = "".join(_html_block(part, rng) for part in inner)
            return f"<blockquote><p>{escape(sender.text)}, {sent.isoformat()}:</p>{quoted}</blockquote>"
