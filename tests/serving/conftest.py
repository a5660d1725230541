"""Models that take milliseconds, and the server that most tests share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.servers import Server, running_server


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models:

    half_plus_two/1 and /2: TensorFlow 1; y = x / 2 + 2; predict, classify, regress signatures
    half_plus_three/1: TensorFlow 2, y = x / 2 + 3
    kinds/1: other types: `strings`, `integers`, `two` (two inputs, two outputs), `image` (encoded
        images -> their sizes), `slow` (n loops)
    """
    from tests.serving import model_factory

    folder = tmp_path_factory.mktemp("models")
    model_factory.save_half_plus_two(folder / "half_plus_two" / "1")
    model_factory.save_half_plus_two(folder / "half_plus_two" / "00000002")
    model_factory.save_half_plus_three(folder / "half_plus_three" / "1")
    model_factory.save_kinds(folder / "kinds" / "1")
    return folder


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share: all models, labels, metrics, CORS, a socket, limits."""
    folder = tmp_path_factory.mktemp("server")
    config = folder / "models.config"
    config.write_text(
        f"""
        model_config_list {{
          config {{
            name: "half_plus_two" base_path: "{models}/half_plus_two" model_platform: "tensorflow"
            model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
            version_labels {{ key: "stable" value: 1 }}
          }}
          config {{
            name: "half_plus_three" base_path: "{models}/half_plus_three"
            model_platform: "tensorflow"
          }}
          config {{ name: "kinds" base_path: "{models}/kinds" model_platform: "tensorflow" }}
        }}
        """
    )
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with running_server(
        folder,
        f"--model_config_file={config}",
        "--allow_version_labels_for_unavailable_models",
        f"--monitoring_config_file={monitoring}",
        f"--grpc_socket_path={folder}/grpc.sock",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=20000,grpc.lb_policy_name=grpclb",
        "--rest_api_timeout_in_ms=3000",
        "--rest_api_enable_cors_support=true",
        f"--max_message_bytes={32 * 2**20}",
        f"--max_rest_body_bytes={32 * 2**20}",
        "--max_image_pixels=1000000",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and server.{pem,key} and client.{pem,key} that it has signed for localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    ca = ["-x509", "-days", "2", "-subj", "/CN=test-ca", "-keyout", "ca.key", "-out", "ca.pem"]
    _openssl(folder, "req", *key, *ca)
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.csr"]
        _openssl(folder, "req", *key, "-subj", "/CN=localhost", *files)
        (folder / "ext").write_text("subjectAltName=DNS:localhost")
        signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"]
        files = ["-in", f"{name}.csr", "-out", f"{name}.pem"]
        _openssl(folder, "x509", "-req", "-days", "2", *signer, *files)
    return folder


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
