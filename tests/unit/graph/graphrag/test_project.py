"""Who reads which project: audiences, the days a project serves, and what a request may use."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import AccessDenied, IndexMissing, StoreError
from labkit.graph.graphrag.project import Audience, Built, Project, projects, usable
from labkit.schema import Chunk, RequestContext

DAY = date(2025, 6, 1)


def chunk(name, *, acl=("staff",), tenant="t", since=None, until=None, ordinal=0):
    return Chunk(
        chunk_id=name, doc_id="d", source_path="a.md", ordinal=ordinal, text=name, start=0, end=1, tokens=1,
        content_hash=name, acl=acl, tenant=tenant, valid_from=since, valid_to=until,
    )  # fmt: skip


def audience(group="staff", tenant="t", as_of=DAY):
    return Audience(tenant=tenant, group=group, as_of=as_of)


def save(home, reader, *, since=None, until=None, corpus="c"):
    project = Project(home, corpus, "rules", reader)
    built = Built(
        corpus=corpus, extractor="rules", audience=reader, since=since, until=until, fingerprint="f", encoder="e",
        writer="extractive", chunks=1, entities=2, relationships=1, communities=1, levels=1, reports=1,
    )  # fmt: skip
    project.folder.mkdir(parents=True)
    (project.folder / "built.json").write_text(built.model_dump_json())
    return project


def test_an_audience_reads_its_group_its_tenant_and_its_day_in_one_order():
    found = audience().chunks(
        [
            chunk("late", ordinal=2),
            chunk("early", ordinal=1),
            chunk("early", ordinal=1),
            chunk("both", acl=("staff", "board")),
            chunk("board", acl=("board",)),
            chunk("other", tenant="u"),
            chunk("past", until=DAY),
            chunk("future", since=date(2025, 6, 2)),
        ]
    )
    assert [each.chunk_id for each in found] == ["both", "early", "late"]


days = st.dates(date(2025, 1, 1), date(2025, 1, 12))


@given(st.lists(st.tuples(st.none() | days, st.none() | days), max_size=6), days, days)
def test_a_period_is_exactly_the_days_on_which_the_same_is_read(spans, day, other):
    chunks = [chunk(str(i), since=a, until=b) for i, (a, b) in enumerate(spans)]
    since, until = audience(as_of=day).period(chunks)
    if (since is None or since <= other) and (until is None or other < until):
        assert audience(as_of=other).chunks(chunks) == audience(as_of=day).chunks(chunks)
    assert since is None or since <= day
    assert until is None or day < until


def test_folders_differ_where_names_differ_and_are_safe(tmp_path):
    names = ["staff", "Staff", "staff/../board", "..", "", "Ä", "staff board"]
    folders = {Project(tmp_path, "c", "rules", audience(name)).folder for name in names}
    assert len(folders) == len(names)
    split = [audience("ops", "acme-eu"), audience("eu-ops", "acme"), audience("acme,ops", "eu")]
    assert len({Project(tmp_path, "c", "rules", who).folder for who in split}) == len(split)
    assert {folder.parent for folder in folders} == {tmp_path / "graphrag"}


def test_a_project_tells_what_it_is_or_that_it_is_not(tmp_path):
    with pytest.raises(IndexMissing, match="no graphrag index"):
        Project(tmp_path, "c", "rules", audience()).read()
    project = save(tmp_path, audience())
    assert project.read().audience == audience()
    (project.folder / "built.json").write_text(
        (project.folder / "built.json").read_text().replace('"staff"', '"board"')
    )
    with pytest.raises(StoreError, match="t/board"):
        project.read()
    (project.folder / "built.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        project.read()
    with pytest.raises(StoreError, match="cannot be read"):
        projects(tmp_path, "c", "rules")


def test_a_request_uses_the_projects_of_its_groups_tenant_and_day(tmp_path):
    save(tmp_path, audience("staff"), since=date(2025, 5, 1), until=date(2025, 7, 1))
    save(tmp_path, audience("board"))
    save(tmp_path, audience("staff", tenant="u"))
    save(tmp_path, audience("staff"), corpus="other")
    found = projects(tmp_path, "c", "rules")
    assert len(found) == 3

    def ask(*groups, tenant="t", as_of=DAY):
        chosen, notes = usable(found, RequestContext(groups=frozenset(groups), tenant=tenant, as_of=as_of))
        return [str(built.audience) for _, built in chosen], notes

    assert ask("staff") == (["t/staff on 2025-06-01"], ())
    assert ask("board", "staff", as_of=date(2025, 6, 30))[0] == ["t/board on 2025-06-01", "t/staff on 2025-06-01"]
    assert ask("board", "finance", tenant="t")[1] == ("no graphrag index of group finance in t for 2025-06-01",)
    assert ask("board", "staff", as_of=date(2025, 7, 1))[0] == ["t/board on 2025-06-01"]
    for refused in ({"tenant": "u", "groups": ("board",)}, {"groups": ("staff",), "as_of": date(2025, 7, 1)}):
        groups = refused.pop("groups")
        with pytest.raises(AccessDenied, match="no graphrag index"):
            ask(*groups, **refused)
    with pytest.raises(AccessDenied, match="names no group"):
        ask()
