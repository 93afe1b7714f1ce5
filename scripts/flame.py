"""Says what a worker's CPU goes into: draws docs/profile.svg (a flame graph) from what `perf record` wrote, and writes the table of
docs/PERFORMANCE.md anew. Arguments: the file of perf, the folder of inferno's programs (`make profile` gives both)."""

import re
import subprocess
import sys
from collections import Counter

from performance_page import DOCS, put

# Who a sample belongs to: the innermost function of the stack that one of these knows. Our own come before those that they call.
OURS = [
    ("decode", r"longshore::(decode|bson|time)\b"),
    ("route", r"longshore::(route|version)\b"),
    ("lanes", r"longshore::lane\b"),
    ("commands to the database", r"longshore::(store|mongo_manager)\b"),
    ("settling", r"longshore::settle\b"),
    ("calls to the queue", r"longshore::queue::sqs\b"),
    ("holding: receipts, budget, visibility, pollers", r"longshore::(pipeline|held|budget|gate|flow|message|flood|queue)\b"),
    ("telemetry", r"longshore::(telemetry(?!::watchdog)|gauges)\b"),
]
OTHERS = [
    ("commands to the database", r"\b(mongodb|bson)::"),
    ("calls to the queue", r"\b(hyper|hyper_util|http|h2|httparse)::"),
    ("telemetry", r"\b(tracing|tracing_subscriber|opentelemetry\w*)::"),
    ("runtime", r"\b(tokio|mio)::"),
]
ELSEWHERE = "start, and what no stack tells"
ALLOCATING = re.compile(r"^(_rjem_\w+|_?_?(libc_)?(malloc|free|calloc|realloc|cfree).*|_int_(malloc|free|realloc)|malloc_consolidate|unlink_chunk.*|sysmalloc|systrim.*)$")


def stage(stack):
    for rules in (OURS, OTHERS):
        for frame in reversed(stack):
            for name, rule in rules:
                if re.search(rule, frame):
                    return name
    return ELSEWHERE


def table(folded):
    everything, kernel, allocating = Counter(), Counter(), Counter()
    for line in folded.splitlines():
        stack, _, weight = line.rpartition(" ")
        stack, weight = stack.split(";"), int(weight)
        name = stage(stack)
        everything[name] += weight
        kernel[name] += weight * stack[-1].endswith("_[k]")
        allocating[name] += weight * any(ALLOCATING.match(frame) for frame in stack)
    total = everything.total()
    assert total, "the profile is empty"
    share = lambda weight: f"{weight / total * 100:.0f} %"
    yield "| | share of the worker's CPU | in the kernel | allocating |"
    yield "|---|---|---|---|"
    for name, weight in everything.most_common():
        yield f"| {name} | {share(weight)} | {share(kernel[name])} | {share(allocating[name])} |"
    yield f"| all | 100 % | {share(kernel.total())} | {share(allocating.total())} |"


def run(command, given):
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


def main(profile, inferno):
    told = subprocess.run(["perf", "script", "--no-inline", "--input", profile], stdout=subprocess.PIPE, check=True).stdout
    folded = run([f"{inferno}/inferno-collapse-perf", "--kernel"], told)
    title = "longshore run: what its CPU goes into"
    graph = run([f"{inferno}/inferno-flamegraph", "--title", title, "--deterministic", "--minwidth", "0.3", "--width", "1200", "--colors", "rust"], folded)
    (DOCS / "profile.svg").write_bytes(graph)
    put("make profile", table(folded.decode()))


main(*sys.argv[1:])
