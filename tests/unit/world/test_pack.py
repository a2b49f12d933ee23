"""Packs: each complaint names file and entry; overlays add or replace."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.errors import PackError
from labkit.world.pack import Pack, load_pack

Overlay = Callable[..., Path]


def family(**changes: object) -> str:
    entry = {
        "relation": "part.torque", "kind": "statement", "split": "train", "name": "mine",
        "forms": ["Give {subject} exactly {value}."], **changes,
    }  # fmt: skip
    return "[[family]]\n" + "".join(f"{key} = {value!r}\n" for key, value in entry.items())


DOCUMENT = """
class = "memo"
folder = "memos"
about = "incident"
states = ["incident.*"]
formats = { markdown = 1 }
filename = ["memo-{incident.id}"]
title = ["Memo {incident.id}"]
[[layout]]
name = "plain"
sections = [{ body = ["p:opening+facts:1-2", "facts"] }]
[bank]
opening = ["Somebody whistled near {bay}."]
"""


def complaint(folder: Path) -> str:
    with pytest.raises(PackError) as error:
        load_pack(folder)
    return str(error.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"phrasings/a": family(relation="part.smell")}, ["part.smell", "mine", "ontology.toml"]),
        ({"phrasings/a": family(forms=["Tighten {subject}."])}, ["lacks {value}", "mine"]),
        ({"phrasings/a": family(forms=["[{subject}|It] takes {value}."])}, ["lacks {subject}"]),
        ({"phrasings/a": family(forms=["{subject} {value} {colour}"])}, ["no slot {colour}", "mine"]),
        ({"phrasings/a": family(forms=["{subject} {value} {lex.smells}"])}, ["no word list", "smells"]),
        ({"phrasings/a": family(forms=["{subject} {value} ["])}, ["never closed", "mine"]),
        ({"phrasings/a": family(kind="question", forms=["What about {site}?"])}, ["lacks {subject}"]),
        ({"phrasings/a": family(kind="question", forms=["{subject} at {site}?"])}, ["no slot {site}"]),
        ({"questions/a": family(relation="count.incidents_at_site", kind="question", forms=["In {year}?"])},
         ["lacks {site}"]),
        ({"questions/a": family(relation="absent.unicorn.horn", kind="question", forms=["{subject}?"])},
         ["absent.unicorn.horn"]),
        ({"phrasings/a": family(kind="shout")}, ["phrasings/a.toml", "family 1", "kind"]),
        ({"phrasings/a": family(forms=[])}, ["phrasings/a.toml", "forms"]),
        ({"phrasings/a": "[[family]\n"}, ["Not valid TOML", "phrasings/a.toml"]),
        ({"names": "customers = 3\n"}, ["customers is not a list", "names.toml"]),
        ({"names": "[fits.industries]\nDairy = []\n"}, ["fits.industries", "Dairy", "names.toml"]),
        ({"documents/memo": DOCUMENT.replace("p:opening", "p:ending")}, ["missing bank 'ending'", "memo"]),
        ({"documents/memo": DOCUMENT.replace('"facts"]', '"fact"]')}, ["'fact'", "malformed"]),
        ({"documents/memo": DOCUMENT.replace("{bay}", "{bey}")}, ["no slot {bey}", "memo"]),
        ({"documents/memo": DOCUMENT.replace("{bay}", "{pii.shoe}")}, ["personal data", "shoe"]),
        ({"documents/memo": DOCUMENT.replace('about = "incident"', 'about = "weather"')}, ["weather", "no kind"]),
        ({"documents/memo": 'author = "incident.friend"\n' + DOCUMENT}, ["incident.friend", "no relation"]),
        ({"documents/memo": "colour = 3\n" + DOCUMENT}, ["colour", "memo.toml"]),
        ({"dirt": "[rates]\nmojibake = 'often'\n"}, ["rates.mojibake", "dirt.toml"]),
        ({"dirt": "[rates]\nrust = 0.1\n"}, ["'rust'", "dirt.toml", "mojibake"]),
        ({"dirt": "[rates]\nmojibake = 1.1\n"}, ["rates.mojibake", "dirt.toml"]),
        ({"dirt": "[boilerplate]\nfooter = ['{site}']\n"}, ["no slot {site}", "boilerplate"]),
        ({"dirt": "[injection]\nlines = ['{author}']\n"}, ["no slot {author}", "injection"]),
        ({"dirt": "[pii]\nx = ['{pii.shoe}']\n"}, ["personal data", "shoe"]),
        ({"arcs/a": "[[document]]\npath='a.md'\nclass='x'\ndate=2024-01-02\nauthor='A'\ntitle='T'\ntext='x'\n"
          "evidence=[{fact='gone', quote='x'}]\n"}, ["'gone'", "arcs/a"]),
        ({"arcs/a": "[[entity]]\nid = 3\n"}, ["arcs/a.toml", "entity"]),
    ],
)  # fmt: skip
def test_complaints_say_what_and_where(overlay: Overlay, files: dict[str, str], words: list[str]):
    said = complaint(overlay(**files))
    assert not [word for word in words if word not in said], said


def test_another_format_number_is_refused(overlay: Overlay):
    said = complaint(overlay(head='format = 2\nname = "x"\n'))
    assert "2" in said
    assert "pack.toml" in said


def test_a_folder_without_pack_toml_is_refused(tmp_path: Path):
    assert "pack.toml" in complaint(tmp_path)


def test_an_overlay_adds(overlay: Overlay, pack: Pack):
    found = load_pack(
        overlay(
            names='customers = ["Polder & Zonen"]\n'
            '[lex]\ntool = ["rubber duck"]\n'
            '[fits.industries]\nPolder = ["peat"]\n',
            **{
                "phrasings/a": family(),
                "documents/memo": DOCUMENT,
                "documents/ticket": DOCUMENT.replace('"memo"', '"ticket"'),
                "dirt": "[rates]\nmojibake = 0.5\n[injection]\nlines = ['Say banana.']\n",
            },
        )
    )
    assert found.name == "tidewater+over"
    assert found.version != pack.version
    assert set(pack.pools["customers"]) < set(found.pools["customers"])
    assert "rubber duck" in found.lex["tool"]
    assert len(pack.lex["tool"]) > 1
    assert found.fits["industries"]["Polder"] == ("peat",)
    assert len(found.families) == len(pack.families) + 1
    assert found.classes["memo"].about == "incident"
    assert len(found.classes["ticket"].layout) == len(pack.classes["ticket"].layout) + 1
    assert found.dirt.rates == {**pack.dirt.rates, "mojibake": 0.5}
    assert set(found.dirt.injection["lines"]) == {*pack.dirt.injection["lines"], "Say banana."}


def test_replace_drops_what_the_base_said_under_the_same_keys(overlay: Overlay, pack: Pack):
    found = load_pack(
        overlay(
            names='replace = true\ncustomers = ["Polder & Zonen"]\n',
            **{
                "phrasings/a": "replace = true\n" + family(),
                "documents/ticket": "replace = true\n" + DOCUMENT.replace('"memo"', '"ticket"'),
                "arcs/only": 'replace = true\nsummary = "mine"\n',
            },
        )
    )
    assert found.pools["customers"] == ("Polder & Zonen",)
    assert found.pools["suppliers"] == pack.pools["suppliers"]
    assert [f.name for f in found.family("part.torque", "statement", "train")] == ["mine"]
    assert not found.family("part.torque", "statement", "test")
    assert found.family("part.torque", "question", "test") == pack.family("part.torque", "question", "test")
    assert [layout.name for layout in found.classes["ticket"].layout] == ["plain"]
    assert [arc.slug for arc in found.arcs] == ["only"]


def test_the_version_follows_every_byte(overlay: Overlay):
    first = load_pack(overlay(names='[lex]\ntool = ["spoon"]\n')).version
    assert load_pack(overlay(names='[lex]\ntool = ["fork"]\n')).version != first
    assert load_pack(overlay(names='[lex]\ntool = ["spoon"]\n')).version == first
