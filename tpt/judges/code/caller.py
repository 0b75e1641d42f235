# Runs inside the sandbox, after a line that defines PRELUDE, SOURCE, ENTRY and CALLS: evaluates the calls with the
# solution and writes a line of JSON for each assertion: its values as plain data, or the error raised instead.
# A value is a scalar, or [i], entry i of the accompanying table, so that a long linked list needs no deep recursion.
# Numbers of other types are written as the int or float they equal, arrays as lists; anything else (an iterator) is an
# error.
import json
import os
import sys


def _encode(values):
    from collections import deque
    from collections.abc import Sequence, Set
    from numbers import Number

    table, places, queue, alive = [], {}, [], []

    def place(one):
        if one is None or type(one) in (bool, float, str):
            return one
        if type(one) is int:
            if one.bit_length() < 64:
                return one
            table.append(["int", hex(one)])  # converting to decimal takes quadratic time
            return [len(table) - 1]
        for kind in (int, float, str):
            if isinstance(one, kind):
                return place(kind(one))
        if isinstance(one, Number):
            return place(_whole_or_float(one))
        if hasattr(one, "tolist"):  # numpy's arrays and booleans, the standard library's arrays
            return place(one.tolist())
        if id(one) not in places:
            places[id(one)] = len(table)
            alive.append(one)  # otherwise another object could get its id
            table.append(None)
            queue.append(one)
        return [places[id(one)]]

    roots = [place(one) for one in values]
    while queue:
        one = queue.pop()
        if isinstance(one, dict):
            entry = ["dict", [[place(key), place(value)] for key, value in one.items()]]
        elif isinstance(one, (list, tuple, set, frozenset, deque)):
            kind = next(kind for kind in (list, tuple, set, frozenset, deque) if isinstance(one, kind))
            entry = [kind.__name__, [place(item) for item in one]]
        elif type(one).__name__ in ("ListNode", "TreeNode", "Node"):
            entry = [type(one).__name__, [[name, place(value)] for name, value in vars(one).items()]]
        elif isinstance(one, (Sequence, Set)):  # a range, a sorted list, the keys of a dictionary
            entry = ["list" if isinstance(one, Sequence) else "set", [place(item) for item in one]]
        else:
            raise TypeError(f"the solution returned a {type(one).__name__}")
        table[places[id(one)]] = entry
    return {"roots": roots, "table": table}


def _whole_or_float(number):
    """A fraction, a decimal or a number of numpy as the int that it equals, else as the float nearest to it."""
    try:
        whole = int(number)
    except (ValueError, OverflowError):  # infinite, or not a number
        return float(number)
    return whole if whole == number else float(number)


def _main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.setrecursionlimit(100_000)
    scope = {"__name__": "__main__"}
    try:
        exec(compile(PRELUDE + "\n" + SOURCE, "solution.py", "exec"), scope)
        scope["candidate"] = eval(ENTRY, scope)
        problem = ""
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"[:300]
    for calls in CALLS:
        try:
            line = {"error": problem} if problem else _encode([eval(call, scope) for call in calls])
            text = json.dumps(line)
        except Exception as error:
            text = json.dumps({"error": f"{type(error).__name__}: {error}"[:300]})
        out.write(text + "\n")
        out.flush()


_main()
