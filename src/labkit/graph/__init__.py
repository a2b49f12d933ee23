"""Builds a graph of the documents and answers with it what passages alone do not."""
