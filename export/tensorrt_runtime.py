"""Run an exported TensorRT engine on a GPU, without TensorFlow: numpy, TensorRT and cuda-python are enough.

`cnnlg-tf inpaint photo.jpg --mask mask.png --model ENGINE_FOLDER -o repaired.png` repairs photos with it.

python -m cnnlg_tf.export.tensorrt_runtime ENGINE_FOLDER --benchmark --parity
"""

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cnnlg_tf.errors import ArtefactError, CnnlgError, ExportError
from cnnlg_tf.export import manifest
from cnnlg_tf.export.loaded import Loaded, one_a_file, written_out
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES, artefact
from cnnlg_tf.export.tensorrt_engine import REFERENCES, SUFFIX, Profile

MODULES = {"rtx": ("tensorrt_rtx", "tensorrt-rtx"), "classic": ("tensorrt", "tensorrt")}


def load(folder: Path, threads: int = 0) -> Loaded:
    """The engines of a folder. `threads` is for processors. Raises what Engine does."""
    return one_a_file(folder, SUFFIX, lambda file, name: Engine(folder, name))


class Engine:
    """A deserialised engine with its buffers: call it with a signature's arguments by name, get its results by name.

    Arguments and results are numpy arrays as `export.signatures` says, within the profile that the engine was built for
    (`manifest["profile"]`).

    Args:
        folder: an export of format tensorrt.
        name: the signature.

    Raises:
        ArtefactError: the folder's files are not those of its manifest, or TensorRT refuses the engine.
        ExportError: a package, the driver or a GPU is missing.
    """

    def __init__(self, folder: str | Path, name: str = DEFAULT) -> None:
        self.folder, self.name = Path(folder), name
        self.manifest = manifest.verify(folder, format="tensorrt")
        self._profile = Profile(*map(tuple, self.manifest["profile"].values()))
        module, extra = MODULES[self.manifest["builder"]]
        self._trt = _import(module, extra)
        self._cuda = _import("cuda.bindings.runtime", extra)
        self._check_gpu()
        self._runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR))
        file = self.folder / artefact(name, SUFFIX)
        self._engine = self._runtime.deserialize_cuda_engine(file.read_bytes())
        if self._engine is None:
            raise ArtefactError(
                f"TensorRT {self._trt.__version__} must be able to load {file}, built with "
                f"{self.manifest['tensorrt']} for {self.manifest['compute_capabilities']}. Received: a refusal"
            )
        self._context = self._engine.create_execution_context()
        self._stream = self._call("cudaStreamCreate")
        self._buffers: dict[str, tuple[int, int]] = {}  # address and bytes, by tensor

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        signature, inputs = SIGNATURES[self.name], written_out(self.name, inputs)
        check_shapes(self.name, inputs, self._profile)
        host_to_device = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        device_to_host = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        for name, tensor in signature.inputs.items():
            value = np.ascontiguousarray(inputs[name], tensor.dtype)
            value = value.reshape(np.shape(inputs[name]))  # a number keeps its rank
            self._context.set_input_shape(name, value.shape)
            self._call(
                "cudaMemcpy",
                self._address(name, value.nbytes),
                value.ctypes.data,
                value.nbytes,
                host_to_device,
            )
        results = {
            name: np.empty(tuple(self._context.get_tensor_shape(name)), tensor.dtype)
            for name, tensor in signature.outputs.items()
        }
        for name, value in results.items():
            self._address(name, value.nbytes)
        for name, (address, _) in self._buffers.items():
            self._context.set_tensor_address(name, address)
        if not self._context.execute_async_v3(self._stream):
            raise ExportError("TensorRT must run the engine. Received: a refusal; its log says why")
        self._call("cudaStreamSynchronize", self._stream)
        for name, value in results.items():
            self._call(
                "cudaMemcpy",
                value.ctypes.data,
                self._buffers[name][0],
                value.nbytes,
                device_to_host,
            )
        return results

    def benchmark(self, runs: int = 50) -> dict[str, float]:
        """Milliseconds of whole calls, copies included, at the profile's optimum: median, 95th percentile."""
        inputs = self._tried()
        times = []
        for _ in range(runs + 5):
            start = time.perf_counter()
            self(**inputs)
            times.append(1000.0 * (time.perf_counter() - start))
        return {
            "median_ms": float(np.median(times[5:])),
            "p95_ms": float(np.percentile(times[5:], 95)),
        }

    def parity(self) -> dict[str, Any]:
        """Compare with the ONNX model that the engine was built from; raises ExportError past the bar."""
        from cnnlg_tf.export import onnx_model, parity
        from cnnlg_tf.export.cases import Case

        inputs = self._tried()
        expected = onnx_model.load(self.folder)[self.name](**inputs)
        found = parity.compare(Case(self.name, inputs, expected), self(**inputs))
        loss = found.loss(self.manifest["precision"])
        if loss:
            raise ExportError(
                f"{self.name} of the engine does not give its ONNX model's pixels: {loss}"
            )
        return {"max_abs": found.max_abs, "hole_psnr": found.hole_psnr}

    def _tried(self) -> dict[str, np.ndarray]:
        from cnnlg_tf.export import cases

        image, mask = cases.drawn_case(*self._profile.optimum)
        inputs = cases.arguments(self.name, image, mask)
        if "reference" in inputs:  # within its own profile
            side = min(REFERENCES[-1][1], *image.shape[1:3])
            inputs["reference"] = inputs["reference"][:, :side, :side]
        return inputs

    def _address(self, name: str, size: int) -> int:
        address, held = self._buffers.get(name, (0, 0))
        if held < size:
            if held:
                self._call("cudaFree", address)
            address = int(self._call("cudaMalloc", size))
            self._buffers[name] = (address, size)
        return address

    def _check_gpu(self) -> None:
        error, count = self._cuda.cudaGetDeviceCount()
        if int(error) or count == 0:
            raise ExportError(
                f"running a TensorRT engine needs an NVIDIA GPU with its driver. Received: {error.name}, "
                "no device; onnxruntime runs the model.onnx beside the engine"
            )

    def _call(self, function: str, *arguments: Any) -> Any:
        error, *values = getattr(self._cuda, function)(*arguments)
        if int(error):
            raise ExportError(f"CUDA's {function} must succeed. Received: {error.name}")
        return values[0] if values else None


def check_shapes(name: str, inputs: dict[str, np.ndarray], profile: Profile) -> None:
    """Raise ExportError when a call lies outside the engine's profile, or one argument does not fit the image."""
    for argument, (least, _, most) in profile.arguments(name).items():
        shape = np.shape(inputs[argument])
        fits = len(shape) == len(least) and all(
            a <= n <= b for a, n, b in zip(least, shape, most, strict=True)
        )
        if not fits:
            raise ExportError(
                f"{argument} must be {SIGNATURES[name].inputs[argument]} with sizes from {least} to {most}. "
                f"Received: {shape}"
            )
        if argument != "image" and SIGNATURES[name].inputs[argument].shape[0] == "batch":
            wanted = (*np.shape(inputs["image"])[:3], least[-1])
            if shape != wanted:
                raise ExportError(f"{argument} must be {wanted}, like the image. Received: {shape}")


def main(arguments: list[str] | None = None) -> int:
    """Measure an engine."""
    parser = argparse.ArgumentParser(prog="tensorrt_runtime", description=main.__doc__)
    parser.add_argument("engine", help="the folder that export wrote")
    parser.add_argument("--benchmark", action="store_true", help="latency at the profile's optimum")
    parser.add_argument("--parity", action="store_true", help="compare with onnxruntime")
    options = parser.parse_args(arguments)
    if not (options.benchmark or options.parity):
        parser.error("give --benchmark or --parity")
    try:
        for name in manifest.verify(options.engine, format="tensorrt")["signatures"]:
            engine = Engine(options.engine, name)
            if options.benchmark:
                print(f"{name}, {engine.manifest['profile']['optimum']}:", engine.benchmark())
            if options.parity:
                print(f"{name}, parity with onnxruntime:", engine.parity())
    except CnnlgError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _import(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExportError(
            f"running a TensorRT engine needs the Python package {module!r}. Received: {error}; install "
            f"'cnnlg-tf[{extra}]' and cuda-python"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
