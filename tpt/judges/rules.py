"""The version of each judge's rules.

Raise a number whenever the verdict on some sample could come out differently: another reading of an answer, another way
to take a program out of a completion, another comparison of outputs, another limit. Leave it for changes that only make
judging faster or word a reason differently. With a raised number, verdicts are made again from the samples that exist;
nothing is sampled again.

This module imports nothing: what only compares versions need not load a judge.
"""

ANSWERS = 1  # tpt.judges.answer: answers as text, and what `tpt.judges.thinking` cuts off before them
PROGRAMS = 1  # tpt.judges.code: programs, run on tests in a sandbox
