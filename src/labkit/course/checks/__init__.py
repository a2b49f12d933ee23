'''Checks of the labs, one module ``labNN`` per lab.

A question is a judge: it gets the learner's answer and returns None when it is right, or says in a sentence what is
wrong. Beside it stand the answers that prove it: at least one solution and two plausible wrong ones, which the tests
run, together with the blank::

    from labkit.course.check import question

    @question(hint="Sort by date before you take the last one.", seconds=5)
    def q1(latest):
        """Lab 00, question 1: the newest revision of a document."""
        got = latest(["2024-05-01", "2025-01-31"])
        if got != "2025-01-31":
            return f"for two revisions it gave {got!r}"

    @q1.solution
    def _(revisions):
        return max(revisions)

    @q1.wrong
    def takes_the_last(revisions):
        return revisions[-1]

    q1.wrong(lambda revisions: revisions[0])

An answer may also be a value: ``q2.solution([1, 0, 1])``. A judge must not print, and must give the learner's function
its own copy of anything it could change.
'''
