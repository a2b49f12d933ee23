"""What is replaced and what stays: the choices an organisation makes."""

from __future__ import annotations

from pydantic import Field

from labkit.schema import Record


class Policy(Record):
    """Redaction policy; the defaults are those of an organisation that reads its own documents."""

    own_domains: tuple[str, ...] = Field(
        (), description="mail domains of the organisation; () infers one from the corpus"
    )
    keep_staff: bool = Field(True, description="names and own addresses of staff stay; False replaces them as well")
