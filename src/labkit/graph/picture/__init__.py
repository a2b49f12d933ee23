"""Pictures of a graph: what lies around a question, and the communities; on paper and on a page."""
