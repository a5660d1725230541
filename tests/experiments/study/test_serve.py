"""The study's server: sheets go round, answers are checked and kept, nonsense is refused."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from cnnlg_tf.errors import DataError, ServingError
from cnnlg_tf.experiments.study.answers import LARGEST, Key, load_answers, save_key
from cnnlg_tf.experiments.study.serve import StudyServer
from tests.experiments.study.judges import judge, made_key


@pytest.fixture
def key() -> Key:
    return made_key()


@pytest.fixture
def client(tmp_path: Path, key: Key) -> Iterator[httpx.Client]:
    save_key(key, tmp_path)
    (tmp_path / "study.html").write_text("<p>the page</p>")
    with StudyServer(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with httpx.Client(base_url=server.address, timeout=20) as client:
            yield client
        server.shutdown()
        thread.join()


def test_judges_get_sheets_in_turn(client: httpx.Client) -> None:
    places = [client.get("/").headers["location"] for _ in range(9)]
    assert places[:8] == [f"/?sheet={i}&post=1" for i in range(8)]
    assert places[8] == places[0]
    page = client.get(places[3])
    assert page.text == "<p>the page</p>" and page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_answers_are_kept(client: httpx.Client, tmp_path: Path, key: Key) -> None:
    found = judge(key, "me", 2, np.random.default_rng(0))
    reply = client.post("/answers", content=found.model_dump_json())
    assert (reply.status_code, reply.json()) == (200, {"stored": "me"})
    assert load_answers(tmp_path, key) == [found]
    with StudyServer(tmp_path) as again:  # whose sheet was given is known after a start
        assert [again.next_sheet() for _ in range(8)] == [0, 1, 3, 4, 5, 6, 7, 0]


def test_nonsense_is_refused(client: httpx.Client, tmp_path: Path, key: Key) -> None:
    reply = client.post("/answers", content=b"{")
    assert reply.status_code == 400 and "must be a judge's answers in JSON" in reply.json()["error"]
    other = judge(key, "me", 2, np.random.default_rng(0)).model_copy(update={"study": "other"})
    reply = client.post("/answers", content=other.model_dump_json())
    assert reply.status_code == 400 and "must be of study study1" in reply.json()["error"]
    reply = client.post("/answers", content=b" " * (LARGEST + 1))
    assert reply.status_code == 413 and f"must be {LARGEST} at most" in reply.json()["error"]
    assert client.post("/answers", content=iter([b"{}"])).status_code == 413  # no length
    assert client.post("/elsewhere", content=b"{}").status_code == 404
    assert client.get("/../key.json").status_code == 404
    assert client.get("/key.json").json() == {"error": "nothing is at /key.json"}
    assert client.put("/answers", content=b"{}").status_code == 501
    assert not (tmp_path / "answers").exists()


def test_a_silent_client_holds_nobody_up(client: httpx.Client) -> None:
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as silent:
        silent.sendall(b"POST /answers HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        assert client.get("/?sheet=0").status_code == 200


def test_a_full_disk_is_told_without_a_path(client: httpx.Client, key: Key, tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file where the folder goes")
    found = judge(key, "me", 2, np.random.default_rng(0))
    reply = client.post("/answers", content=found.model_dump_json())
    assert (reply.status_code, reply.json()) == (500, {"error": "cannot be stored"})


def test_errors(tmp_path: Path, key: Key) -> None:
    with pytest.raises(DataError, match="that `cnnlg-tf study make` wrote"):
        StudyServer(tmp_path)
    save_key(key, tmp_path)
    with pytest.raises(DataError, match="must hold study.html"):
        StudyServer(tmp_path)
    (tmp_path / "study.html").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=f"cannot listen on 127.0.0.1:{port}"):
            StudyServer(tmp_path, port=port)
    assert json.loads((tmp_path / "key.json").read_text())["study"] == "study1"
