"""One settings object: profile, paths, endpoints, model names.

Every field can be set by an environment variable ``LABKIT_<FIELD>``, e.g. ``LABKIT_CHAT_URL``. The rest of labkit
takes values from here and never reads the environment itself.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_dir
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from labkit.errors import ConfigError

Profile = Literal["ci", "laptop", "gpu"]


class Settings(BaseSettings):
    """What a deployment may change without touching code."""

    model_config = SettingsConfigDict(env_prefix="LABKIT_", extra="ignore", frozen=True)

    profile: Profile = Field("ci", description="how large and how long: ci, laptop or gpu")
    seed: int = Field(7, description="seed of every random stream that is not given one")
    home: Path = Field(
        default_factory=lambda: Path(user_cache_dir("labkit")),
        description="where generated worlds, indexes and unpacked models are kept",
    )
    data: Path | None = Field(None, description="folder with the public evaluation sets (never shipped)")

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where in-process models run")
    threads: int = Field(0, ge=0, description="CPU threads for in-process models; 0 leaves the library's choice")

    chat_model: str = Field(
        "smollm2-135m-instruct", description="a name from models.toml, a local folder, or hub-id@revision"
    )
    chat_url: str | None = Field(None, description="base URL of an OpenAI-compatible chat endpoint, ends in /v1")
    chat_api_key: str = Field("not-needed", description="key for chat_url")
    chat_timeout_s: float = Field(120.0, gt=0, description="seconds before a chat request is given up")

    answer_adapter: str = Field(
        "",
        description="a tuned reader for answers: `shipped`, an adapter's folder, or its name at chat_url; '' for none",
    )

    embed_model: str = Field(
        "all-minilm-l6-v2", description="a name from models.toml, a local folder, or hub-id@revision"
    )
    embed_url: str | None = Field(None, description="base URL of an OpenAI-compatible embedding endpoint")
    embed_api_key: str = Field("not-needed", description="key for embed_url")

    own_domains: tuple[str, ...] = Field(
        (), description="mail domains of the organisation, as a JSON list; empty infers them from the documents"
    )
    pseudonym_key: str = Field(
        "no secret: set LABKIT_PSEUDONYM_KEY",
        min_length=16,
        description="secret that pseudonyms are derived with, 16 characters or more; set your own for real documents",
    )

    core_hour_eur: float = Field(
        0.04, ge=0, description="what one CPU core costs per hour; an assumption, yours to set"
    )

    weaviate_url: str | None = Field(None, description="use this Weaviate instead of the embedded store")
    weaviate_grpc_port: int = Field(50051, ge=1, le=65535, description="gRPC port on the host of weaviate_url")
    weaviate_api_key: str | None = Field(None, description="key for weaviate_url; none for a server without keys")
    weaviate_replicas: int = Field(1, ge=1, description="nodes that hold each chunk; a new collection is made with it")
    weaviate_consistency: Literal["one", "quorum", "all"] = Field(
        "quorum", description="how many of the replicas must confirm a write and agree on a read"
    )
    weaviate_timeout_s: float = Field(
        30.0, gt=0, description="seconds for one call to Weaviate, all its tries together"
    )


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigError: an environment variable holds a value its field does not accept.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{first['msg']} (got {first['input']!r})",
            where=f"environment variable LABKIT_{field.upper()}",
            todo="Correct or unset it.",
        ) from error
