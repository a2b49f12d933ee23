"""Errors, settings and schema."""

import pickle
import threading
import time
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labkit import errors
from labkit.errors import (
    BudgetExceeded,
    Cancelled,
    ConfigError,
    DeadlineExceeded,
    DocumentError,
    LabkitError,
)
from labkit.schema import (
    Chunk,
    Document,
    NoTrace,
    Quarantined,
    RequestContext,
    TokenBudget,
    Usage,
    arrow_schema,
)
from labkit.settings import get_settings


def all_errors() -> list[type[LabkitError]]:
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, LabkitError)]


def test_message_says_what_where_and_what_to_do():
    error = ConfigError("The port is not a number", where="settings.toml", todo="Write digits.")
    assert str(error) == "The port is not a number at settings.toml. Write digits."


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_survives_a_process_boundary(kind):
    extra = {"reason": "corrupt"} if kind is DocumentError else {}
    copy = pickle.loads(pickle.dumps(kind("what", where="here", todo="Do it.", **extra)))
    assert type(copy) is kind
    assert str(copy) == "what at here. Do it."
    assert getattr(copy, "reason", "") == extra.get("reason", "")


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    named = {line.strip("│├└─ ").split()[0] for line in errors.__doc__.splitlines() if "──" in line}
    assert named | {"LabkitError"} == {kind.__name__ for kind in all_errors()}


@pytest.fixture
def fresh_settings():
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_environment_sets_a_field(monkeypatch, fresh_settings):
    monkeypatch.setenv("LABKIT_CHAT_URL", "http://localhost:8000/v1")
    assert get_settings().chat_url == "http://localhost:8000/v1"


def test_a_bad_setting_names_its_variable(monkeypatch, fresh_settings):
    monkeypatch.setenv("LABKIT_PROFILE", "huge")
    with pytest.raises(ConfigError, match="LABKIT_PROFILE"):
        get_settings()


def test_records_are_immutable_and_closed():
    quarantined = Quarantined(source_path="a.pdf", reason="empty", message="0 bytes", sha256="0")
    with pytest.raises(ValidationError):
        quarantined.reason = "bomb"
    with pytest.raises(ValidationError):
        Quarantined(source_path="a", reason="empty", message="", sha256="", colour="red")


@pytest.mark.parametrize("record", [Document, Chunk, Quarantined])
def test_arrow_schema_names_every_field(record):
    assert arrow_schema(record).names == list(record.model_fields)


def test_arrow_schema_round_trips_a_chunk():
    chunk = Chunk(
        chunk_id="c", doc_id="d", source_path="a.md", ordinal=0, text="x", start=0, end=1, tokens=1, content_hash="h",
        heading_path=("A", "B"), valid_from=date(2025, 1, 1), page=2, acl=("staff",),
    )  # fmt: skip
    table = pa.Table.from_pylist([chunk.model_dump()], schema=arrow_schema(Chunk))
    assert Chunk.model_validate(table.to_pylist()[0]) == chunk


def test_context_stops_a_cancelled_request():
    ctx = RequestContext(cancel=threading.Event())
    ctx.check()
    ctx.cancel.set()
    with pytest.raises(Cancelled):
        ctx.check()


def test_context_stops_a_late_request():
    with pytest.raises(DeadlineExceeded):
        RequestContext(deadline=time.monotonic() - 1).check()


def test_budget_ends():
    budget = TokenBudget(10)
    budget.spend(Usage(prompt_tokens=6, completion_tokens=4))
    assert budget.remaining == 0
    with pytest.raises(BudgetExceeded):
        budget.spend(Usage(completion_tokens=1))


def test_reading_needs_a_group_and_the_tenant():
    ctx = RequestContext(groups=frozenset({"staff"}), tenant="tidewater")
    assert ctx.may_read(("finance", "staff"), "tidewater")
    assert not ctx.may_read(("finance",), "tidewater")
    assert not ctx.may_read(("staff",), "norrland")


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@given(days, st.none() | days, st.none() | days)
def test_validity_is_a_half_open_interval(day, first, end):
    holds = RequestContext(as_of=day).in_force(first, end)
    assert holds == ((first is None or day >= first) and (end is None or day < end))


def test_nobody_watching_records_nothing():
    with NoTrace().span("retrieve", k=3) as span:
        assert span is None
