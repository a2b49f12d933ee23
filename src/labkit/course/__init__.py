"""Builds, runs and verifies the course, and checks what learners answer.

For notebooks and labs (light to import)::

    from labkit.course import setup, record, scoreboard_row, show, check, NotAttempted

- :func:`setup` is a notebook's setup line, after its ``parameters`` cell: ``lab = setup(profile, seed)``;
- :func:`record` keeps a headline figure, :func:`scoreboard_row` the chapter's row, :func:`show` a plot with alt text
  and its data;
- :data:`check` holds the labs' questions: ``check.lab00.q1(answer)``; :class:`NotAttempted` marks a gap.

For authors. The source is ``notebooks/NN_topic.py`` (jupytext percent). Tags that mean something: ``parameters`` (the
cell that assigns ``profile`` and ``seed``), ``generated`` (outputs are a model's words) and ``timing`` (outputs are
measured times); outputs of the last two are compared by presence only, all others exactly. A new figure gets its range
in ``notebooks/expected.toml`` (:mod:`~labkit.course.expected`), a given number in prose its source
(:mod:`~labkit.course.prose`). ``labkit course --update`` executes, verifies and writes the ``.ipynb``.
How to write a lab stands in :mod:`labkit.course.labs`, how to write its questions in :mod:`labkit.course.checks`.

For the command line and the tests: :mod:`labkit.course.run`.
"""

from labkit.course import check
from labkit.course.check import NotAttempted
from labkit.course.figures import record
from labkit.course.picture import show
from labkit.course.scoreboard import scoreboard_row
from labkit.course.session import setup

__all__ = ["NotAttempted", "check", "record", "scoreboard_row", "setup", "show"]
