"""Questions and passages about invented subjects."""

import random
import tomllib
from collections import Counter

import pytest

from labkit.tune.relation import FOLDER, invented

FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_everything_it_must(file):
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    named = Counter((relation["subject"], relation["name"]) for relation in content["relation"])
    assert max(named.values()) == 1
    for relation in content["relation"]:
        assert content["subjects"][relation["subject"]]
        assert len(relation["values"]) >= 5
        assert len(relation["labels"]) == 3
        assert all(text.count("{s}") == 1 and "{v}" not in text for text in relation["questions"])
        assert all(text.count("{s}") == text.count("{v}") == 1 for text in relation["statements"])
        assert len({*relation["questions"]}) == len({*relation["statements"]}) == 10


def test_a_right_passage_states_what_is_asked_and_the_wrong_ones_do_not():
    passages, asked = invented(random.Random(0))
    assert len(asked) > 5_000
    for one in asked:
        about = passages[one.right].about
        assert about in one.question
        own = [passages[i] for i in one.wrong if passages[i].about == about]
        # Some relation is stated by the right passage and by no wrong passage about the same subject.
        assert any(all(name not in passage.states for passage in own) for name in passages[one.right].states)
        assert one.right not in one.wrong


def test_the_same_seed_gives_the_same():
    assert invented(random.Random(3)) == invented(random.Random(3)) != invented(random.Random(4))
