"""Every kind of manifest says the same; every kind of fault is one line, before any work."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cnnlg_tf.bulk.manifest import read_plan
from cnnlg_tf.errors import ConfigError, DataError, MaskError
from tests.bulk.conftest import write_mask, write_photo

ROWS: list[dict[str, Any]] = [
    {"id": "001", "photo": "p/a.jpg", "mask": "m/a.png", "reference": "p/b.gif", "stars": 3},
    {"id": "NA", "photo": "p/b.gif", "mask": None, "reference": None, "stars": 4},
    {"id": "x/ü", "photo": "https://host/c.webp", "mask": "", "reference": None, "stars": 5},
]


def plan_of(path: Path, out: str = "/elsewhere", **options: Any) -> list[dict[str, Any]]:
    plan: list[dict[str, Any]] = read_plan(str(path), out, **options).to_pylist()
    return plan


def written(folder: Path, kind: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"list.{kind}"
    names = list(dict.fromkeys(name for row in rows for name in row))
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if kind.startswith("csv"):
        lines = [names, *([str(row.get(n) or "") for n in names] for row in rows)]
        text = "".join(",".join(line) + "\n" for line in lines)
    else:
        text = "\n\n".join(json.dumps(row) for row in rows)
    data = b"\xef\xbb\xbf" + text.encode()
    path.write_bytes(gzip.compress(data) if kind.endswith("gz") else data)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "jsonl", "ndjson", "jsonl.gz"])
def test_all_kinds_of_manifests(tmp_path: Path, kind: str, caplog: Any) -> None:
    rows = plan_of(written(tmp_path, kind))
    assert [row["id"] for row in rows] == ["001", "NA", "x/ü"]
    assert [row["name"] for row in rows] == ["001.jpg", "NA.png", "x/ü.webp"]
    assert rows[0]["photo"] == str(tmp_path / "p/a.jpg")  # seen from the manifest's folder
    assert rows[0]["mask"] == str(tmp_path / "m/a.png")
    assert rows[0]["reference"] == [str(tmp_path / "p/b.gif")]
    assert rows[2]["photo"] == "https://host/c.webp"
    assert [row["mask"] for row in rows[1:]] == [None, None]  # blind
    assert "not used: stars" in caplog.text


def test_numbers_lists_and_categories(tmp_path: Path) -> None:
    """Numbers are ids; a parquet column may be a dictionary; references may be several."""
    table = pa.table(
        {
            "id": pa.array([7, 8]),
            "photo": pa.array(["a.png", "/b.png"]).dictionary_encode(),
            "reference": pa.array([["c.png", "s3://bucket/d.png"], None]),
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    rows = plan_of(tmp_path / "m.parquet")
    assert [row["id"] for row in rows] == ["7", "8"]
    assert rows[1]["photo"] == "/b.png" and rows[1]["reference"] == []
    assert rows[0]["reference"] == [str(tmp_path / "c.png"), "s3://bucket/d.png"]
    (tmp_path / "m.jsonl").write_text('{"id": 7, "photo": "a.png", "reference": ["b.png"]}\n')
    assert plan_of(tmp_path / "m.jsonl")[0]["reference"] == [str(tmp_path / "b.png")]


def test_names_follow_the_id(tmp_path: Path) -> None:
    rows = [{"id": name, "photo": "a.bmp"} for name in ("a.jpg", "b", "c.PNG", "d.tif")]
    path = written(tmp_path, "jsonl", rows)
    assert [row["name"] for row in plan_of(path)] == ["a.jpg.png", "b.png", "c.PNG", "d.tif.png"]
    tiff = [row["name"] for row in plan_of(path, form="TIFF")]
    assert tiff == ["a.jpg.tif", "b.tif", "c.PNG.tif", "d.tif"]
    signed = written(tmp_path, "csv", [{"id": "a", "photo": "https://host/a.JPG?key=b.png"}])
    assert plan_of(signed)[0]["name"] == "a.jpg"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a"}, {"id": "a"}, {"id": "b"}], "ids must differ. Received: 'a' more than once"),
        ([{"id": None}, {"id": "a"}], r"each row needs an id. Received: 1 row without, row 1"),
        ([{"id": "../a"}], r"safe file names.*Received: '\.\./a'"),
        ([{"id": "/etc/a"}], "safe file names"),
        ([{"id": "a//b"}], "safe file names"),
        ([{"id": "a/"}], "safe file names"),
        ([{"id": "a/.bulk/b"}], "safe file names"),
        ([{"id": "a\\b"}], "safe file names"),
        ([{"id": "a\nb"}], "safe file names"),
        ([{"id": "a\x00b"}], "safe file names"),
        ([{"id": "ü" * 126}], "at most 255 bytes with its suffix"),
        (
            [{"id": "a"}, {"id": "a.png"}],
            r"different file names. Received: 'a', 'a.png', which make 'a.png'",
        ),
        ([{"id": "u\u0308"}, {"id": "\u00fc"}], "different file names"),
        (
            [{"id": "a"}, {"id": "a.png/b/c"}],
            "no output may be the folder of another. Received: 'a.png'",
        ),
        ([{"id": "a", "photo": ""}], "each row needs a photo. Received: none for 'a'"),
        ([{"id": "a", "photo": "out/a.png"}], "no output may replace an input"),
        ([{"id": "a", "mask": "out/a.png"}], "no output may replace an input"),
        ([{"id": "a", "reference": "out/../out/a.png"}], "no output may replace an input"),
        ([{"id": True}], "line 1: id must be text. Received: true"),
        ([{"id": "a", "photo": ["b"]}], 'line 1: photo must be text. Received: \\["b"\\]'),
    ],
)
def test_faults(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    whole = [{"photo": "a.png", **row} for row in rows]
    path = written(tmp_path, "jsonl", whole)
    with pytest.raises(DataError, match=message):
        plan_of(path, str(tmp_path / "out"))


def test_all_kinds_of_faults_are_told_at_once(tmp_path: Path) -> None:
    rows = [{"id": each, "photo": "a.png"} for each in ("a", "a", "b", "b.png", "../c", "")]
    path = written(tmp_path, "jsonl", rows)
    with pytest.raises(DataError) as raised:
        plan_of(path)
    first, *lines = str(raised.value).splitlines()
    assert first.endswith("has 4 kinds of faults; nothing was done") and len(lines) == 4


def test_case_counts_where_the_file_system_sees_it(tmp_path: Path) -> None:
    rows = [{"id": each, "photo": "a.png"} for each in ("Ab", "aB")]
    path = written(tmp_path, "csv", rows)
    assert len(plan_of(path)) == 2
    with pytest.raises(DataError, match="different file names in any case. Received: 'Ab', 'aB'"):
        plan_of(path, folded=True)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("m.parquet", b"PAR1 not", "cannot be read"),
        ("m.csv", b"id,photo\na,b,c\n", "cannot be read"),
        ("m.csv", b"id,photo\n\xff\xfe,b\n", "cannot be read"),
        ("m.csv", b"id,photo,id\na,b,c\n", "must be there once. Received: id twice"),
        ("m.csv", b"", "needs the columns id and photo.*Received: no columns"),
        ("m.csv", b"id,path\na,b\n", "needs the columns id and photo.*Received: id, path"),
        ("m.csv", b"id;photo\na;b\n", "needs the columns id and photo.*Received: id;photo"),
        ("m.csv", b"photo,id\n", "must name photos. Received: none"),
        ("m.jsonl", b"", "needs the columns id and photo.*Received: no columns"),
        ("m.jsonl", b'{"id": "a"\n', "line 1 is no JSON"),
        (
            "m.jsonl",
            b'{"id": "a", "photo": "b"}\n["c"]\n',
            "line 2 must be an object. Received: list",
        ),
        ("m.jsonl.gz", b"no gzip", "cannot be read"),
    ],
)
def test_damaged_manifests(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as raised:
        plan_of(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_columns_of_another_type(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [0.5], "photo": ["a.png"]}), tmp_path / "m.parquet")
    with pytest.raises(DataError, match="column id must hold text. Received: double"):
        plan_of(tmp_path / "m.parquet")


def test_absent_manifests_and_options_of_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest .*none\.csv does not exist"):
        plan_of(tmp_path / "none.csv")
    with pytest.raises(DataError, match="must be a folder, or a manifest.*which does not exist"):
        plan_of(tmp_path / "none")
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match="which is neither"):
        plan_of(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="a manifest names its masks"):
        plan_of(written(tmp_path, "csv"), mask="masks")


def test_folders(tmp_path: Path) -> None:
    for name in ("p/a.jpg", "p/b.gif", "p/sub/a.png", "p/out/old.png", "p/.hidden/x.png"):
        write_photo(tmp_path / name)
    write_mask(tmp_path / "m/a.png")
    write_mask(tmp_path / "m/sub/a.webp")
    out = str(tmp_path / "p/out")
    rows = plan_of(tmp_path / "p", out, mask=str(tmp_path / "m"), recursive=True)
    assert [row["id"] for row in rows] == ["a.jpg", "b.gif", "sub/a.png"]
    assert [row["name"] for row in rows] == ["a.jpg", "b.gif.png", "sub/a.png"]
    assert [row["mask"] and Path(row["mask"]).name for row in rows] == ["a.png", None, "a.webp"]
    assert rows[1]["error"].endswith("Received: none")  # of this row; the others are done
    blind = plan_of(tmp_path / "p", out)
    assert [row["mask"] for row in blind] == [None, None] and len(blind) == 2
    with pytest.raises(MaskError, match="does not exist"):
        plan_of(tmp_path / "p", out, mask=str(tmp_path / "none.png"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="must hold photos"):
        plan_of(tmp_path / "empty", out)


def test_folders_behind_urls() -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for name in (
        "p/a.jpg",
        "p/u\u0308.png",
        "p/sub/a.png",
        "p/out/old.png",
        "p/notes.txt",
        "p/.h/x.png",
    ):
        system.pipe_file(f"/bucket/{name}", b"")
    for name in ("m/a.png", "m/\u00fc.png", "m/sub/a.webp", "m/sub/a.png"):
        system.pipe_file(f"/bucket/{name}", b"")
    source, out = "memory://bucket/p", "memory://bucket/p/out"
    rows = read_plan(source, out, mask="memory://bucket/m", recursive=True).to_pylist()
    assert [row["id"] for row in rows] == ["a.jpg", "sub/a.png", "u\u0308.png"]
    assert (
        rows[0]["photo"] == "memory://bucket/p/a.jpg"
        and rows[0]["mask"] == "memory://bucket/m/a.png"
    )
    assert rows[1]["error"].endswith("Received: sub/a.png, sub/a.webp")
    assert rows[2]["mask"] == "memory://bucket/m/\u00fc.png"
    assert len(read_plan(source, out).to_pylist()) == 2
    with pytest.raises(DataError, match="must hold photos"):
        read_plan("memory://bucket/none", out)
