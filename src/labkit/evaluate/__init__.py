"""Evaluation: are answers right, are citations right, what did the wrong ones cost, and how sure are we.

Metrics on rankings and on answers to the world's questions (``ranking``, ``grading``, ``citations``, ``stages``,
``faithfulness``), judges and how far they agree with people (``judge``, ``agreement``, ``ragas``, ``deepeval``),
intervals and tests (``statistics``), and what is decided by them (``gate``, ``promptsearch``, ``nameswap``).
"""
