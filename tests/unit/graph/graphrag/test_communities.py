"""What a build writes before graphrag runs, and what it refuses; graphrag itself is not loaded."""

import json
from datetime import date

import pytest

from labkit.errors import ConfigError, InputError
from labkit.graph.graphrag import communities
from labkit.graph.graphrag.communities import build
from labkit.graph.graphrag.endpoint import completion_model
from labkit.graph.graphrag.given import Given
from labkit.graph.graphrag.project import Audience, Project
from labkit.graph.tables import Entity, Extraction, Statement
from labkit.schema import Chunk
from labkit.settings import Settings

STAFF = Audience(tenant="default", group="staff", as_of=date(2025, 6, 1))


def settings(tmp_path, **changes):
    return Settings(home=tmp_path, **changes)


def write(project, *names, fresh=False):
    communities._write(project, Given([{"id": name, "title": name, "text": name} for name in names]), {}, fresh=fresh)


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path, "c", "rules", STAFF)
    write(made, "a", "b")
    for name in ("cache", "output", "building"):
        (made.folder / name).mkdir()
    (made.folder / "built.json").write_text("{}")
    return made


def left(project):
    return {path.name for path in project.folder.iterdir()} - {"input", "graph.json", "settings.json"}


def test_a_build_keeps_the_cache_and_the_last_index_until_the_new_one_is_whole(project):
    write(project, "a", "b", "c")
    assert left(project) == {"cache", "output", "built.json"}
    write(project, "a", "b", "c", fresh=True)
    assert left(project) == {"output", "built.json"}


def test_nothing_that_may_quote_a_withdrawn_passage_stays(project):
    write(project, "a")
    assert left(project) == set()


def test_each_model_has_a_cache_of_its_own_because_the_key_ignores_it(tmp_path):
    parts = set()
    for writer, model in (("extractive", "m"), ("local", "m"), ("local", "n"), ("endpoint", "m")):
        given = settings(tmp_path, chat_model=model, chat_url="http://127.0.0.1:1/v1")
        config = communities._configuration(given, "encoder", 384, writer, 10, ("person",))
        parts.add(config["community_reports"]["model_instance_name"])
    assert len(parts) == 4


def test_the_key_of_the_endpoint_is_not_written_down(tmp_path):
    given = settings(tmp_path, chat_url="http://127.0.0.1:1/v1", chat_api_key="geheim")
    config = communities._configuration(given, "encoder", 384, "endpoint", 10, ("person",))
    assert config["completion_models"]["default_completion_model"]["api_base"] == "http://127.0.0.1:1/v1"
    assert "geheim" not in json.dumps(config)


def test_what_cannot_be_built_is_refused_before_anything_starts(tmp_path):
    chunk = Chunk(
        chunk_id="c", doc_id="d", source_path="d.md", ordinal=0, text="Alpha is fine.", start=0, end=14, tokens=4,
        content_hash="h", acl=("staff",),
    )  # fmt: skip
    alone = Extraction("rules", [Entity(entity_id="a", name="Alpha")])
    alone.statements.append(Statement(subject_id="a", relation="x.state", value="fine", chunk_id="c", start=0, end=14))
    given = settings(tmp_path)
    with pytest.raises(InputError, match="nothing that default/board"):
        build([chunk], STAFF.model_copy(update={"group": "board"}), given, corpus="c", extraction=alone)
    with pytest.raises(InputError, match="relates two entities"):
        build([chunk], STAFF, given, corpus="c", extraction=alone)
    with pytest.raises(InputError, match="made by graphrag"):
        build([chunk], STAFF, given, corpus="c", extraction=Extraction("llm"))
    with pytest.raises(ConfigError, match="no endpoint"):
        build([chunk], STAFF, given, corpus="c")
    with pytest.raises(ConfigError, match="no endpoint"):
        completion_model("endpoint", given)
    assert not (tmp_path / "graphrag").exists()
