"""Chooses the chat model a deployment asked for: in this process, or behind an HTTP endpoint.

The interface itself is :class:`labkit.schema.ChatModel`; this module holds the choice and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.schema import ChatModel
    from labkit.settings import Settings


def chat_model(settings: Settings, *, enough: Callable[[str], bool] | None = None) -> ChatModel:
    """The chat model of ``settings``: the endpoint if ``chat_url`` is set, else the weights of ``chat_model``.

    Args:
        settings: names the model or endpoint.
        enough: ends an in-process answer early, see :class:`labkit.llm.local.LocalChat`; endpoints do not take it.

    Raises:
        ModelError: the weights cannot be found.
        ModelMismatch: they are not the pinned ones.
    """
    if settings.chat_url:
        from labkit.llm.http import HttpChat

        return HttpChat(
            settings.chat_url,
            model=settings.chat_model,
            api_key=settings.chat_api_key,
            timeout_s=settings.chat_timeout_s,
        )
    from labkit.llm.local import LocalChat
    from labkit.models import resolve

    files = resolve(settings.chat_model, settings.home)
    return LocalChat(files, device=settings.device, threads=settings.threads, enough=enough)
