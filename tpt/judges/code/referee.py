# Runs inside a separate sandbox, after a line that defines PRELUDE and CHECKS: reads the lines written by caller.py
# and writes 1 or 0 for each assertion. No solution runs here; what it returned is only read as data.
import json
import sys

DIGITS = 20_000  # most digits of an integer that are read or printed: this takes quadratic time
NODES = ("ListNode", "TreeNode", "Node")  # the prelude's classes that may be created from data


def _decode(line, scope):
    from collections import deque

    made = json.loads(line)
    kinds = {"list": list, "set": set, "frozenset": frozenset, "tuple": tuple, "deque": deque}
    table, done = made["table"], {}

    def value(place):
        return done[place[0]] if isinstance(place, list) else place

    # First the containers that can be filled later, then those that cannot, whose contents must exist before.
    for index, (kind, content) in enumerate(table):
        if kind in ("list", "deque", "dict", "set"):
            done[index] = {} if kind == "dict" else kinds[kind]()
        elif kind == "int":
            done[index] = int(content, 16)
        elif kind in NODES:
            done[index] = scope[kind].__new__(scope[kind])
    frozen = [index for index in range(len(table)) if index not in done]
    while frozen:
        ready = [i for i in frozen if all(not isinstance(p, list) or p[0] in done for p in table[i][1])]
        if not ready:
            raise ValueError("a tuple that holds itself")
        for index in ready:
            done[index] = kinds[table[index][0]](value(place) for place in table[index][1])
        frozen = [index for index in frozen if index not in done]
    for index, (kind, content) in enumerate(table):
        if kind in ("list", "deque"):
            done[index].extend(value(place) for place in content)
        elif kind == "set":
            done[index].update(value(place) for place in content)
        elif kind == "dict":
            done[index].update((value(key), value(item)) for key, item in content)
        elif kind in NODES:
            done[index].__dict__.update((name, value(item)) for name, item in content)
    return [value(root) for root in made["roots"]]


def _main():
    sys.setrecursionlimit(100_000)
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(DIGITS)
    scope = {"__name__": "referee"}
    exec(PRELUDE, scope)
    for check, line in zip(CHECKS, sys.stdin.read().split("\n")):
        try:
            scope["_values"] = _decode(line, scope)
            verdict = "1" if eval(check, scope) else "0"
        except Exception:
            verdict = "0"
        print(verdict, flush=True)


_main()
