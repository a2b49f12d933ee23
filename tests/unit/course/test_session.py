import os
from collections.abc import Iterator

import pytest

from labkit.course import setup, show
from labkit.errors import ConfigError, InputError
from labkit.settings import get_settings


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from labkit.course.session import OFFLINE, QUIET

    for name in (*OFFLINE, *QUIET, "LABKIT_PROFILE", "LABKIT_SEED"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    yield
    get_settings.cache_clear()


def test_setup_sets_profile_seed_and_offline() -> None:
    lab = setup("laptop", 11)
    assert (lab.profile, lab.seed) == ("laptop", 11)
    assert get_settings() is lab
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["WANDB_MODE"] == "disabled"


def test_setup_refuses_an_unknown_profile() -> None:
    with pytest.raises(ConfigError, match="LABKIT_PROFILE"):
        setup("cluster")


def test_lines_differ_in_dash_and_marker() -> None:
    from matplotlib import pyplot

    setup()
    styles = list(pyplot.rcParams["axes.prop_cycle"])
    assert (
        len({str(style["linestyle"]) for style in styles}) == len({style["marker"] for style in styles}) == len(styles)
    )


@pytest.mark.parametrize(
    ("alt", "data"),
    [("plot", {"x": [1]}), ("a line that rises steeply", {}), ("a line that rises steeply", {"x": [1], "y": [1, 2]})],
)
def test_a_plot_needs_alt_text_and_a_table(alt: str, data: dict[str, list[int]]) -> None:
    from matplotlib.figure import Figure

    with pytest.raises(InputError):
        show(Figure(), alt=alt, data=data)


def test_a_data_frame_is_a_table() -> None:
    import pandas

    from labkit.course.picture import _table

    table = _table(pandas.DataFrame({"k<1": [1, 2], "recall": [0.123456, True]}))
    assert '<th scope="col">k&lt;1</th>' in table
    assert "<td>0.1235</td>" in table
