"""Who writes, as graphrag's configuration names them; and the endpoint's replies, repaired where that can be done."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from labkit.errors import ConfigError
from labkit.graph.graphrag.worker import KEY_VARIABLE
from labkit.settings import Settings

WriterName = Literal["extractive", "local", "endpoint"]
"""Who writes: quotations, the chat model in this process on top of quotations, or the endpoint of the settings."""

_TRIES = 3


def completion_model(writer: WriterName, settings: Settings) -> dict[str, Any]:
    """A writer as graphrag configures completion models; the endpoint goes through graphrag's own client.

    Raises:
        ConfigError: the endpoint is not set.
    """
    if writer != "endpoint":
        return {"type": "labkit-writer", "model_provider": "openai", "model": "gpt-4o"}  # named for its tokenizer only
    if not settings.chat_url:
        raise ConfigError("There is no endpoint to write with", todo="Set LABKIT_CHAT_URL.")
    return {
        "type": "litellm",
        "model_provider": "openai",
        "model": settings.chat_model,
        "api_base": settings.chat_url,
        "api_key": f"${{{KEY_VARIABLE}}}",
        "call_args": {"temperature": 0, "timeout": settings.chat_timeout_s},
        "retry": {"type": "exponential_backoff", "max_retries": _TRIES},
    }


def repair_json(problems: Counter[str]) -> None:
    """Let graphrag's endpoint client mend JSON replies, and count those it mended and those it could not.

    graphrag repairs the JSON of its search replies but not of reports: there it asks the model again, which says the
    same at temperature 0, and then drops the report.
    """
    from graphrag.query.llm.text_utils import try_parse_json_object
    from graphrag_llm.completion import lite_llm_completion
    from graphrag_llm.utils import structure_completion_response

    lite_llm_completion.litellm.enable_json_schema_validation = False

    def structured(response: str, model: type[BaseModel]) -> BaseModel:
        try:
            result: BaseModel = structure_completion_response(response, model)
            return result
        except (ValueError, TypeError):  # what json and pydantic raise
            _, mended = try_parse_json_object(response, verbose=False)
        try:
            result = model(**mended)
        except (ValidationError, TypeError):
            problems[f"{model.__name__} that is no JSON of that form, lost"] += 1
            raise
        problems[f"{model.__name__} with broken JSON, repaired"] += 1
        return result

    lite_llm_completion.structure_completion_response = structured
