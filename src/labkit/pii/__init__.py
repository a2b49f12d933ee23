"""Find and replace personal data; the policy of what is kept.

First pass over a corpus: :func:`people_evidence` of every document; then one :class:`Roster` and one :class:`Redactor`,
which replaces what the :class:`Policy` does not let stay. What each kind means and what is not known: docs/privacy.md.
"""

from labkit.pii.policy import Policy
from labkit.pii.redact import Redaction, Redactor, Span, find
from labkit.pii.roster import Evidence, Roster, people_evidence
from labkit.pii.spans import KINDS, PSEUDONYM, Finding, Kind

__all__ = [
    "KINDS",
    "PSEUDONYM",
    "Evidence",
    "Finding",
    "Kind",
    "Policy",
    "Redaction",
    "Redactor",
    "Roster",
    "Span",
    "find",
    "people_evidence",
]
