"""The arrows between the rooms go one way, and docs/architecture.md names files that are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ABOVE = ("cli", "ui", "bulk", "demo", "describe")

# a room, and what it must not import, functions included
FORBIDDEN = {
    "cnnlg_tf/photos": ("tensorflow", "keras", "models", "data", "training", "inference", "export"),
    "cnnlg_tf/models": ("training", "data", "inference", "evaluation", "experiments", "export"),
    "cnnlg_tf/data": ("training", "inference", "evaluation", "experiments", "export"),
    "cnnlg_tf/inference": ("tensorflow", "keras", "training", "evaluation", "export", "serving"),
    "cnnlg_tf/training": ("evaluation", "experiments", "export", "serving"),
    "cnnlg_tf/evaluation": ("training", "experiments", "export", "serving"),
    "export": ("serving", "training", "evaluation", "experiments"),
    "serving/client": ("tensorflow", "keras", "server", "models", "export", "training"),
}
MAY = {"cnnlg_tf/inference/cnnlg_network.py": ("tensorflow",)}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_arrows_go_one_way(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        for imported in imports(file):
            parts = imported.removeprefix("cnnlg_tf.").removeprefix("serving.").split(".")
            wrong = parts[0] in (*FORBIDDEN[room], *ABOVE) and parts[0] not in MAY.get(name, ())
            assert not wrong, f"{name} imports {imported}"


def test_the_documented_files_are_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w/]+\.py)`", text) if "/" in name]
    assert len(named) > 25
    missing = [n for n in named if not (ROOT / n).exists() and not (ROOT / "cnnlg_tf" / n).exists()]
    assert missing == []
