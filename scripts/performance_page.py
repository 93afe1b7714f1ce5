"""docs/PERFORMANCE.md, of which commands write parts."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def put(command, lines):
    """The lines, in place of those that the command wrote before."""
    page = DOCS / "PERFORMANCE.md"
    begin, end = f"<!-- by {command} -->", "<!-- end -->"
    marked = re.compile(f"{re.escape(begin)}.*?{end}", re.DOTALL)
    text = page.read_text()
    assert marked.search(text), f"{page.name} has no place for that: {begin} ... {end}"
    page.write_text(marked.sub(lambda _: "\n".join([begin, *lines, end]), text))
