"""Microsoft's graphrag over our graph: communities, their reports, and four searches, in a process of its own."""
