"""The table of values in the chart's README, made from values.yaml and its comments."""

import json
import re

import yaml

BEGIN, END = "<!-- values: made from values.yaml by UPDATE=1 make chart-test -->", "<!-- end of values -->"


def rows(text):
    """(path, comment) of each key, in order; a comment is the lines directly above its key."""
    path, comment, found = [], [], []
    for line in text.splitlines():
        if not line.strip():
            comment = []
        elif line.strip().startswith("#"):
            comment.append(line.strip().lstrip("# "))
        elif key := re.match(r"( *)([A-Za-z_]+):", line):
            path = path[: len(key[1]) // 2] + [key[2]]
            found.append((tuple(path), " ".join(comment)))
            comment = []
    return found


def value_at(values, path):
    for key in path:
        values = values[key]
    return values


def table(text):
    values = yaml.safe_load(text)
    lines = ["| value | default | what it is |", "|---|---|---|"]
    for path, comment in rows(text):
        value = value_at(values, path)
        has_rows_of_its_own = isinstance(value, dict) and value
        if has_rows_of_its_own and not comment:
            continue
        default = "" if has_rows_of_its_own else f"`{json.dumps(value)}`"
        lines.append(f"| `{'.'.join(path)}` | {default} | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def page(values_path, readme_path):
    text = readme_path.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(values_path.read_text())}\n\n{END}{after}"
