"""Small changes to an encoder's weights: low-rank adapters (LoRA: Hu et al. 2021).

An adapted weight is W + left @ right, where left and right have few columns and rows. The sum is formed once when the
encoder is adapted, so that it costs nothing per text. It does not know what the change is good for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labkit.errors import ModelError
from labkit.llm.weights import Array

_LEFT, _RIGHT = "adapter.left.", "adapter.right."


@dataclass(frozen=True, slots=True)
class Adapter:
    """A change for each of some weights.

    Attributes:
        changes: name of a weight (outputs, inputs) → left (outputs, rank) and right (rank, inputs), float32.
    """

    changes: Mapping[str, tuple[Array, Array]]

    def applied(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """The weights with the changes added; those without a change are the same arrays.

        Raises:
            ModelError: a change has no weight of its name and shape.
        """
        changed = dict(weights)
        for name, (left, right) in self.changes.items():
            if name not in weights or weights[name].shape != (left.shape[0], right.shape[1]):
                todo = "Use the adapter with the encoder it was trained on."
                raise ModelError("The adapter does not fit the encoder", where=name, todo=todo)
            changed[name] = weights[name] + left @ right
        return changed

    def to_arrays(self) -> dict[str, Array]:
        """Its matrices by the names that :meth:`from_arrays` reads."""
        lefts = {f"{_LEFT}{name}": left for name, (left, _) in self.changes.items()}
        return lefts | {f"{_RIGHT}{name}": right for name, (_, right) in self.changes.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Adapter:
        """From a mapping that holds what :meth:`to_arrays` gives, and maybe other arrays."""
        names = sorted(key.removeprefix(_LEFT) for key in arrays if key.startswith(_LEFT))
        return cls(
            {
                name: (arrays[_LEFT + name].astype(np.float32), arrays[_RIGHT + name].astype(np.float32))
                for name in names
            }
        )

    @property
    def fingerprint(self) -> str:
        """Changes whenever a matrix does; empty for an adapter without changes."""
        digest = hashlib.sha256()
        for name, array in sorted(self.to_arrays().items()):
            digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()[:12] if self.changes else ""
