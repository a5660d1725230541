"""Fill the tables of a page from sweeps: what stands between two marks is made, the prose around it is not.

<!-- table: guides | scores val -->
(the table `scores val` of guides.json)
<!-- end -->
"""

import re
from collections.abc import Mapping
from pathlib import Path

from cnnlg_tf.errors import DataError
from cnnlg_tf.experiments.sweep import Sweep, load_sweep
from cnnlg_tf.experiments.tables import all_tables
from cnnlg_tf.files import atomic_path

_BLOCK = re.compile(r"(<!-- table: ([^|\n]+?) \| ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_page(text: str, sweeps: Mapping[str, Sweep]) -> str:
    """The page with each table made anew.

    Args:
        text: Markdown with marks.
        sweeps: name -> sweep.

    Raises:
        DataError: a mark names a sweep or a table that is not there.
    """
    tables = {name: all_tables(sweep) for name, sweep in sweeps.items()}

    def filled(match: re.Match[str]) -> str:
        head, name, table, end = match.groups()
        if table not in tables.get(name, {}):
            known = ", ".join(tables[name]) if name in tables else f"sweeps {', '.join(tables)}"
            raise DataError(f"the page asks for table {name} | {table}. There are: {known}")
        return f"{head}\n{tables[name][table]}\n\n{end}"

    return _BLOCK.sub(filled, text)


def update_page(page: Path, folder: Path) -> bool:
    """Make the tables of a page from the folder's sweeps (NAME.json); whether anything changed.

    Raises:
        DataError: a sweep cannot be read, or a mark names what is not there.
    """
    before = page.read_text(encoding="utf-8")
    after = fill_page(
        before, {path.stem: load_sweep(path) for path in sorted(folder.glob("*.json"))}
    )
    if after != before:
        with atomic_path(page) as path:
            path.write_text(after, encoding="utf-8")
    return after != before
