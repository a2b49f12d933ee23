"""Check the licence of every installed package against requirements/licences.toml.

    python scripts/licences.py lab        run by the environment's own Python

A package states its licence as an SPDX expression, as free text, or only as classifiers; they are read in this order.
Free text and classifiers are translated by the tables in licences.toml. An expression passes if one side of each OR
and both sides of each AND are allowed. What cannot be read fails, so that a person looks at it once and writes down
what was found. Only the standard library is used, so any environment can run it.
"""

# ruff: noqa: T201 (a command: it runs fixed programs and prints)

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

POLICY = Path(__file__).resolve().parent.parent / "requirements" / "licences.toml"
OWN = "labkit"


@dataclass(frozen=True)
class Finding:
    """One installed package and what its licence means here."""

    name: str
    licence: str
    allowed: bool
    note: str = ""


def main() -> None:
    """Print what is not allowed, and fail if anything is."""
    policy = tomllib.loads(POLICY.read_text(encoding="utf-8"))
    if len(sys.argv) != 2:
        sys.exit("usage: licences.py ENVIRONMENT")
    found = check(list(distributions()), policy, sys.argv[1])
    for finding in found:
        if finding.note or not finding.allowed:
            print(f"{'ok' if finding.allowed else 'NOT ALLOWED':<12}{finding.name}: {finding.licence}. {finding.note}")
    refused = sum(not finding.allowed for finding in found)
    print(f"{len(found)} packages, {refused} not allowed")
    sys.exit(1 if refused else 0)


def check(installed: list[Distribution], policy: dict[str, Any], environment: str) -> list[Finding]:
    """Hold each package against the policy.

    Args:
        installed: what to look at.
        policy: the parsed licences.toml.
        environment: whose exceptions count beside those made for all.
    """
    excepted = {**policy["exceptions"].get("all", {}), **policy["exceptions"].get(environment, {})}
    findings = {}
    for package in installed:
        name = canonical(package.metadata["Name"])
        if name == OWN:
            continue
        pattern = next((pattern for pattern in excepted if fnmatchcase(name, pattern)), "")
        if pattern:
            note = excepted[pattern]
            findings[name] = Finding(name, note["licence"], True, note["reason"])
            continue
        licence = stated(package, policy)
        findings[name] = Finding(name, licence or "none stated", bool(licence) and allows(licence, policy["allowed"]))
    return [findings[name] for name in sorted(findings)]


def stated(package: Distribution, policy: dict[str, Any]) -> str:
    """The package's licence as an SPDX expression, "" if it states none that can be read."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    texts = metadata.get_all("License") or [""]
    text = str(texts[0]).strip().split("\n")[0].strip()
    if re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*", text) and set(_ids(text)) <= set(policy["allowed"]):
        return text
    if text.lower() in policy["texts"]:
        return str(policy["texts"][text.lower()])
    classes = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License :: ")]
    names = [line.rpartition(" :: ")[2] for line in classes]
    if names and all(name in policy["classifiers"] for name in names):
        # Several classifiers may mean either or both; both is the stricter reading.
        return " AND ".join(policy["classifiers"][name] for name in names)
    return ""


def allows(expression: str, allowed: list[str]) -> bool:
    """Whether the SPDX expression can be satisfied with allowed licences only.

    AND binds stronger than OR, as SPDX has it; "X WITH Y" is allowed where X is, since exceptions only add rights.
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression)

    def either() -> bool:
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        if not tokens:
            return False
        licence = tokens.pop(0)
        if licence == "(":
            value = either()
            return bool(tokens) and tokens.pop(0) == ")" and value
        if tokens[:1] == ["WITH"]:
            del tokens[:2]
        return licence in allowed

    return either() and not tokens


def canonical(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _ids(expression: str) -> list[str]:
    return re.findall(r"[\w.+-]+", re.sub(r"\b(AND|OR|WITH)\b", " ", expression))


if __name__ == "__main__":
    main()
