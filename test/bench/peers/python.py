"""os.sched_getaffinity and os.sched_setaffinity against the floor in C, in rounds (../rounds.ts).

Reads {library, maskWords, rounds, warmup, modes: [{name, first, second, batch, settled}]} from standard input; masks are
lists of CPUs. Writes {version, modes: {name: [[floor, python], ...]}}, nanoseconds of one call, medians of
three in each round.
"""

import ctypes
import json
import os
import platform
import random
import resource
import statistics
import sys
import time

order = json.load(sys.stdin)
exchanges = ctypes.CDLL(order["library"]).exchanges
exchanges.restype = ctypes.c_double
Mask = ctypes.c_uint64 * order["maskWords"]


def words(cpus):
    mask = sum(1 << cpu for cpu in cpus)
    return Mask(*((mask >> (64 * word)) & (2**64 - 1) for word in range(order["maskWords"])))


def switches():
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_nvcsw + usage.ru_nivcsw


def measured(mode):
    first, second = mode["first"], mode["second"]
    one, other, previous = words(first), words(second), Mask()
    # Sets made beforehand, as a program that cares would.
    ready, ready_other = frozenset(first), frozenset(second)
    get, put, clock = os.sched_getaffinity, os.sched_setaffinity, time.perf_counter_ns

    def floor(count):
        nanoseconds = exchanges(one, other, previous, ctypes.sizeof(Mask), count)
        if nanoseconds < 0:
            raise OSError("the kernel refuses the floor's own calls")
        return nanoseconds

    def python(count):
        turns = range(count // 2)
        begun = clock()
        for _ in turns:
            get(0)
            put(0, ready)
            get(0)
            put(0, ready_other)
        return clock() - begun

    def run(work):
        batch = mode["batch"]
        for left in range(5, -1, -1):
            put(0, ready_other)
            before = switches()
            nanoseconds = work(batch)
            if not mode["settled"] or switches() == before or left == 0:
                return nanoseconds / batch

    for work in (floor, python):
        for _ in range(order["warmup"] // mode["batch"] + 1):
            work(mode["batch"])
    rounds = []
    for _ in range(order["rounds"]):
        times = {floor: [], python: []}
        for work in random.sample(list(times) * 3, 6):
            times[work].append(run(work))
        rounds.append([statistics.median(times[work]) for work in (floor, python)])
    return rounds


modes = {mode["name"]: measured(mode) for mode in order["modes"]}
json.dump({"version": platform.python_version(), "modes": modes}, sys.stdout)
