"""Tidewater Robotics: a fictional enterprise generated from a seed, with the truth about every document.

Facts come first (``ontology``, ``company``, ``arcs``), then documents that state them (``planner``, ``prose``,
``formats``), then dirt, then questions with gold answers. What people wrote by hand (phrasings, names, layouts, arcs,
dirt) lives in *packs*; see ``docs/packs.md``. Only evaluate, bench, course, tune and cli may import this room.
"""
