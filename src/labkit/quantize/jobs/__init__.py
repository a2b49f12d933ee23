"""Scripts that run in other environments, started by :mod:`labkit.quantize.job`; they import nothing of labkit."""
