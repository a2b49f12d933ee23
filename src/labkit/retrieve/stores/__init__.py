"""One module per store; each implements :class:`labkit.retrieve.store.Store`."""
