"""Evaluation: are answers right, are citations right, what did the wrong ones cost, and how sure are we.

Metrics on a system's answers to the world's questions, and intervals for them. Retrieval metrics, judges and the
regression gate come with their chapters.
"""
