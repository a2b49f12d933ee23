"""labkit: the working parts behind the course *From Demo to Production*.

Rooms, top to bottom; a room imports only rooms above it (checked by ``make test``)::

    errors settings schema models llm pii world ingest retrieve graph pipeline
    evaluate tune quantize serve observe monitor guard agent bench course cli
"""

__version__ = "0.1.0"
