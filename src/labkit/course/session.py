"""The one setup line of a notebook: offline, quiet about known noise, plots readable without colour.

This module loads no model and draws nothing; :func:`unpack_models` is for whoever executes notebooks.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec

from labkit.settings import Settings, get_settings

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "RAGAS_DO_NOT_TRACK": "true",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
    "WANDB_MODE": "offline",
}
QUIET = {
    "TOKENIZERS_PARALLELISM": "false",  # otherwise every fork prints a warning
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
KNOWN_NOISE = ("IProgress not found.*",)  # tqdm without ipywidgets; the text bar is what we want


def setup(profile: str = "ci", seed: int = 7) -> Settings:
    """Prepare a notebook's session and return its settings.

    Sets the environment of this process; a variable that is already set wins, except profile and seed.

    Args:
        profile: ``ci``, ``laptop`` or ``gpu``.
        seed: of every random stream.

    Raises:
        ConfigError: the profile is unknown.
    """
    for name, value in {**OFFLINE, **QUIET}.items():
        os.environ.setdefault(name, value)
    os.environ["LABKIT_PROFILE"], os.environ["LABKIT_SEED"] = profile, str(seed)
    for message in KNOWN_NOISE:
        warnings.filterwarnings("ignore", message=message)
    if find_spec("matplotlib"):
        _plot_style()
    get_settings.cache_clear()
    return get_settings()


def _plot_style() -> None:
    from cycler import cycler
    from matplotlib import pyplot

    # Lines differ in dash and marker, and in lightness, so they stay apart in grey and for every kind of sight.
    colours = cycler(color=["#000000", "#0072b2", "#d55e00", "#7f7f7f", "#56b4e9", "#e69f00"])
    dashes = cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))])
    markers = cycler(marker=["o", "s", "^", "D", "v", "x"])
    pyplot.rcParams.update(
        {
            "axes.prop_cycle": colours + dashes + markers,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.figsize": (7, 4),
            "font.size": 11,
            "image.cmap": "cividis",
            "svg.hashsalt": "labkit",
        }
    )


def unpack_models() -> None:
    """Unpack the in-process models now, so that no notebook is the first to need them and says so in its outputs.

    Raises:
        ModelError: a model cannot be found.
    """
    from labkit.models import resolve

    settings = get_settings()
    if settings.chat_url is None:
        resolve(settings.chat_model, settings.home)
    if settings.embed_url is None:
        resolve(settings.embed_model, settings.home)
