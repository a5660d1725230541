"""Write what a production server needs for an export, as a folder that starts on any machine.

The templates in templates/ are real files, for a model called `cnnlg`; that word becomes the model's
name. templates/config and templates/storage are shared by several targets.
"""

import re
import shutil
from pathlib import Path
from typing import Literal, get_args

from cnnlg_tf.errors import ArtefactError, ServingError
from cnnlg_tf.export import manifest
from cnnlg_tf.files import atomic_path
from cnnlg_tf.serving.deploy.triton_repository import triton_format, write_repository

Target = Literal["compose", "kubernetes", "kserve", "triton"]

TEMPLATES = Path(__file__).parent / "templates"
# From a folder of templates to its place in the output.
_LAYOUT: dict[str, dict[str, str]] = {
    "compose": {"config": "config", "compose": "."},
    "kubernetes": {"config": "config", "storage": ".", "kubernetes": "."},
    "kserve": {"storage": ".", "kserve": "."},
}
_NEXT: dict[Target, str] = {
    "compose": "cd {out} && docker compose up --detach --wait",
    "kubernetes": "load the model as {out}/loader.yaml says, then kubectl apply -k {out}",
    "kserve": "load the model as {out}/loader.yaml says, then "
    "kubectl apply -f {out}/inferenceservice.yaml",
    "triton": "tritonserver --model-repository={out}",
}
# Kubernetes' rule for names, short enough for the suffixes that the templates add.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"\bcnnlg\b(?!-tf)")


def write_deployment(
    target: Target, export: str | Path, out: str | Path, *, model_name: str = "cnnlg"
) -> str:
    """Write the files of one target, the model included.

    Args:
        target: compose (TF-Serving, Prometheus, Grafana), kubernetes, kserve or triton.
        export: a SavedModel, or a folder of them with numeric names; for triton a folder with an
            ONNX model or a TensorRT engine, and its manifest.
        out: the folder to make; it must be new or empty.
        model_name: the model's name on the server: lower-case letters, digits and hyphens.

    Returns:
        What to do with the folder, in one line.

    Raises:
        ArtefactError: `export` does not hold what the target needs, or was altered.
        ServingError: `out` is in use or cannot be written, or the name cannot be one.
    """
    export, out = Path(export), Path(out)
    if target not in get_args(Target):
        raise ServingError(f"target must be one of {get_args(Target)}. Received: {target!r}")
    if not _NAME.fullmatch(model_name):
        raise ServingError(
            "a model's name must be lower-case letters, digits and inner hyphens, at most 40. "
            f"Received: {model_name!r}"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ServingError(f"the output must be a new or empty folder. Received: {out}")
    try:
        with atomic_path(out) as folder:
            folder.mkdir()
            if target == "triton":
                template = TEMPLATES / "triton" / f"{triton_format(export)}.pbtxt"
                write_repository(export, folder / model_name, _filled(template, model_name))
            else:
                _write_templates(_LAYOUT[target], folder, model_name)
                _copy_versions(export, folder / "models" / model_name)
    except OSError as error:
        raise ServingError(f"{out} cannot be written: {error}") from error
    return _NEXT[target].format(out=out)


def saved_model_versions(export: Path) -> dict[int, Path]:
    """The SavedModels of a folder, by version; a lone SavedModel is version 1.

    Raises:
        ArtefactError: there are none.
    """
    if (export / "saved_model.pb").is_file():
        return {int(export.name) if export.name.isdigit() else 1: export}
    folders = export.iterdir() if export.is_dir() else ()
    versions = {
        int(folder.name): folder
        for folder in folders
        if folder.name.isdigit() and (folder / "saved_model.pb").is_file()
    }
    if not versions:
        raise ArtefactError(
            f"{export} must hold a SavedModel, like {export}/1/saved_model.pb. Received: none"
        )
    return versions


def _write_templates(layout: dict[str, str], folder: Path, model_name: str) -> None:
    for source, target in layout.items():
        for template in sorted((TEMPLATES / source).rglob("*")):
            if template.is_file():
                path = folder / target / template.relative_to(TEMPLATES / source)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(_filled(template, model_name), encoding="utf-8")


def _filled(template: Path, model_name: str) -> str:
    return _PLACEHOLDER.sub(model_name, template.read_text(encoding="utf-8"))


def _copy_versions(export: Path, folder: Path) -> None:
    for version, source in saved_model_versions(export).items():
        if (source / manifest.NAME).is_file():
            manifest.verify(source, format="saved_model")
        shutil.copytree(source, folder / str(version))
