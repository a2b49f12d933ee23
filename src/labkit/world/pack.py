"""Packs: everything about the enterprise that a person wrote by hand, loaded and laid over each other.

The format is documented in ``docs/packs.md``. Every complaint names the file, the entry and what to do. This module
does not know what the words mean: ``check`` knows what they may refer to, ``prose`` and ``planner`` what they are for.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from labkit.errors import PackError
from labkit.world.check import check
from labkit.world.entries import Arc, Dirt, DocumentClass, Family, Kind

BASE = "tidewater"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pack:
    """A loaded pack, or a base pack with an overlay."""

    name: str
    version: str
    """Name and short hash of every file's bytes: what artefacts are stamped with."""
    pools: dict[str, tuple[str, ...]]
    lists: dict[str, tuple[str, ...]]
    lex: dict[str, tuple[str, ...]]
    fits: dict[str, dict[str, tuple[str, ...]]]
    """Per value list: words of a subject's name (or of what is known about it) → the values that suit it."""
    families: tuple[Family, ...]
    classes: dict[str, DocumentClass]
    arcs: tuple[Arc, ...]
    dirt: Dirt
    _index: dict[tuple[str, str, str], tuple[Family, ...]] = field(default_factory=dict, repr=False, compare=False)

    def family(self, relation: str, kind: Kind, split: str) -> tuple[Family, ...]:
        """The families for a relation, kind and split; empty when nobody wrote any."""
        if not self._index:
            grouped: dict[tuple[str, str, str], list[Family]] = {}
            for family in self.families:
                grouped.setdefault((family.relation, family.kind, family.split), []).append(family)
            self._index.update({key: tuple(found) for key, found in grouped.items()})
        return self._index.get((relation, kind, split), ())


def load_pack(overlay: Path | None = None) -> Pack:
    """The course's own pack, with another laid over it.

    Raises:
        PackError: a file is missing, is not TOML, or breaks the format.
    """
    base = Path(str(files("labkit.world") / "packs" / BASE))
    merged = _Merged()
    digest = hashlib.sha256((files("labkit.world") / "ontology.toml").read_bytes())
    names = []
    for folder in (base, overlay):
        if folder is not None:
            names.append(_read(folder, merged, digest))
    pack = Pack(
        name="+".join(names),
        version=f"{'+'.join(names)}-{digest.hexdigest()[:8]}",
        pools={key: tuple(dict.fromkeys(words)) for key, words in merged.pools.items()},
        lists={key: tuple(dict.fromkeys(words)) for key, words in merged.lists.items()},
        lex={key: tuple(dict.fromkeys(words)) for key, words in merged.lex.items()},
        fits={key: {word: tuple(values) for word, values in found.items()} for key, found in merged.fits.items()},
        families=tuple(merged.families),
        classes=merged.classes,
        arcs=tuple(merged.arcs[slug] for slug in sorted(merged.arcs)),
        dirt=merged.dirt,
    )
    check(pack, str(overlay or BASE))
    return pack


class _Merged:
    def __init__(self) -> None:
        self.pools: dict[str, list[str]] = {}
        self.lists: dict[str, list[str]] = {}
        self.lex: dict[str, list[str]] = {}
        self.fits: dict[str, dict[str, list[str]]] = {}
        self.families: list[Family] = []
        self.classes: dict[str, DocumentClass] = {}
        self.arcs: dict[str, Arc] = {}
        self.dirt = Dirt()


def _read(folder: Path, merged: _Merged, digest: hashlib._Hash) -> str:
    head = _toml(folder / "pack.toml", digest)
    if head.get("format") != FORMAT:
        raise PackError(
            f"Pack format {head.get('format')!r} is not {FORMAT}",
            where=str(folder / "pack.toml"),
            todo=f"Write format = {FORMAT}.",
        )
    if (folder / "names.toml").exists():
        _merge_names(_toml(folder / "names.toml", digest), merged, folder / "names.toml")
    for path in [*sorted(folder.glob("phrasings/*.toml")), *sorted(folder.glob("questions/*.toml"))]:
        data = _toml(path, digest)
        families = [_entry(Family, row, path, f"family {n}") for n, row in enumerate(data.get("family", []), 1)]
        if data.get("replace"):
            dropped = {(family.relation, family.kind) for family in families}
            merged.families = [f for f in merged.families if (f.relation, f.kind) not in dropped]
        merged.families.extend(families)
    for path in sorted(folder.glob("documents/*.toml")):
        data = _toml(path, digest)
        replace = data.pop("replace", False)
        _merge_class(_entry(DocumentClass, data, path, "class"), merged, replace=bool(replace))
    for path in sorted(folder.glob("arcs/*.toml")):
        data = _toml(path, digest)
        if data.pop("replace", False):
            merged.arcs.clear()
        data.setdefault("slug", path.stem)
        merged.arcs[data["slug"]] = _entry(Arc, data, path, "arc")
    if (folder / "dirt.toml").exists():
        _merge_dirt(_entry(Dirt, _toml(folder / "dirt.toml", digest), folder / "dirt.toml", "dirt"), merged)
    return str(head.get("name", folder.name))


def _toml(path: Path, digest: hashlib._Hash) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PackError(f"Cannot read a pack file: {error.strerror}", where=str(path), todo="Create it.") from error
    digest.update(path.name.encode() + b"\0" + raw)
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError(f"Not valid TOML: {error}", where=str(path)) from error


_M = TypeVar("_M", bound=BaseModel)


def _entry(model: type[_M], data: dict[str, Any], path: Path, what: str) -> _M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        label = data.get("name") or data.get("relation") or ""
        raise PackError(
            f"{what} {label}: {place}: {first['msg']}", where=str(path), todo="See docs/packs.md."
        ) from error


def _merge_names(data: dict[str, Any], merged: _Merged, path: Path) -> None:
    replace = data.pop("replace", False)
    if replace:
        merged.fits.clear()
    for key, found in data.pop("fits", {}).items():
        target_fits = merged.fits.setdefault(key, {})
        for word, values in found.items():
            if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
                raise PackError(f"[fits.{key}] {word!r} is not a list of values", where=str(path))
            target_fits[word] = values
    groups: tuple[tuple[dict[str, list[str]], dict[str, Any]], ...] = (
        (merged.lists, data.pop("lists", {})),
        (merged.lex, data.pop("lex", {})),
        (merged.pools, data),
    )
    for target, source in groups:
        for key, words in source.items():
            if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
                raise PackError(f"{key} is not a list of words", where=str(path))
            target[key] = list(words) if replace else [*target.get(key, []), *words]


def _merge_class(found: DocumentClass, merged: _Merged, *, replace: bool) -> None:
    base = merged.classes.get(found.name)
    if base is None or replace:
        merged.classes[found.name] = found
        return
    banks = {**base.bank, **{key: (*base.bank.get(key, ()), *lines) for key, lines in found.bank.items()}}
    merged.classes[found.name] = base.model_copy(
        update={
            "bank": banks,
            "layout": (*base.layout, *found.layout),
            "title": (*base.title, *found.title),
            "filename": (*base.filename, *found.filename),
        }
    )


def _merge_dirt(found: Dirt, merged: _Merged) -> None:
    base = merged.dirt
    merged.dirt = Dirt(
        rates={**base.rates, **found.rates},
        **{
            name: {
                key: (*getattr(base, name).get(key, ()), *getattr(found, name).get(key, ()))
                for key in {**getattr(base, name), **getattr(found, name)}
            }
            for name in ("boilerplate", "injection", "languages", "pii")
        },
    )
