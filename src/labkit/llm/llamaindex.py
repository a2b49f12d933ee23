"""Our models where LlamaIndex expects its own: an ``LLM`` and an embedding over the course's chat model and encoder.

Source: https://developers.llamaindex.ai (custom LLMs and embeddings).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from pydantic import PrivateAttr

from labkit.llm.embed import Embedder
from labkit.schema import ChatModel, Message, RequestContext


class LabkitLLM(CustomLLM):  # type: ignore[misc]
    """A :class:`labkit.schema.ChatModel` as a LlamaIndex ``LLM``."""

    max_tokens: int = 64
    context_window: int = 2048
    _model: ChatModel = PrivateAttr()

    def __init__(self, model: ChatModel, *, max_tokens: int = 64) -> None:
        super().__init__(max_tokens=max_tokens)
        self._model = model

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex sizes its prompts by."""
        return LLMMetadata(
            context_window=self.context_window,
            num_output=self.max_tokens,
            model_name=self._model.name,
            is_chat_model=True,
        )

    @llm_chat_callback()  # type: ignore[untyped-decorator]
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One reply to a conversation."""
        sent = [{"role": message.role.value, "content": message.content or ""} for message in messages]
        return ChatResponse(message=ChatMessage(role="assistant", content=self._reply(sent)))

    @llm_completion_callback()  # type: ignore[untyped-decorator]
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """One reply to a prompt."""
        return CompletionResponse(text=self._reply([{"role": "user", "content": prompt}]))

    @llm_completion_callback()  # type: ignore[untyped-decorator]
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        """The reply piece by piece."""
        text = ""
        message = {"role": "user", "content": prompt}
        for piece in self._model.stream([message], max_tokens=self.max_tokens, ctx=RequestContext()):
            text += piece
            yield CompletionResponse(text=text, delta=piece)

    def _reply(self, messages: Sequence[Message]) -> str:
        return self._model.chat(messages, max_tokens=self.max_tokens, ctx=RequestContext()).text


class LabkitEmbedding(BaseEmbedding):  # type: ignore[misc]
    """An :class:`labkit.llm.embed.Embedder` as a LlamaIndex embedding."""

    _encoder: Embedder = PrivateAttr()

    def __init__(self, encoder: Embedder) -> None:
        super().__init__(model_name=encoder.name, embed_batch_size=64)
        self._encoder = encoder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in self._encoder.encode(texts)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
