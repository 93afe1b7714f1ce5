"""What the checks of the chart and of the deployments share: they look at everything, say each thing that does not hold, and fail at the end."""

import subprocess
import sys

failures = []
checks = 0


def expect(holds, what):
    global checks
    checks += 1
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def end(looked_at=""):
    print(f"{looked_at}{checks - len(failures)} checks passed, {len(failures)} failed")
    sys.exit(bool(failures))
