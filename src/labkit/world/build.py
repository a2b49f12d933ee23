"""Building a world: cell after cell, streamed to disk.

``documents/`` holds what an enterprise would have; ``truth/`` what nobody there knows; ``questions/`` and ``traffic/`` what is asked.
The same profile, seed and pack give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tqdm import tqdm

from labkit.errors import WorldError
from labkit.world.arcs import add_arcs, arc_drafts
from labkit.world.blocks import Draft, Paragraph, flatten, plain
from labkit.world.chance import END, SHARES_NOTE, day_between, stream
from labkit.world.company import build_company
from labkit.world.compose import compose, revised
from labkit.world.dirt import File, Soiler
from labkit.world.facts import Fact, FactGraph
from labkit.world.pack import Pack, load_pack
from labkit.world.planner import Planner
from labkit.world.prose import Scene, Writer
from labkit.world.questions import Asker, Ledger, Question, Source
from labkit.world.traffic import events, traffic
