"""Tables of what was measured, in documents that people write by hand."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of what was measured -->"


def put_table(page: Path, command: str, text: str) -> None:
    """Write a table in place of the one that stands between two marks.

    Args:
        page: that has the marks.
        command: that measures it, such as ``make scale``; named in the first mark.
        text: of the table.

    Raises:
        ValueError: the page has no such marks.
    """
    begin = f"<!-- measured by `{command}`; do not edit -->"
    before, rest = page.read_text().split(begin)
    _, after = rest.split(END, 1)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")
