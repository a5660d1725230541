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
from cnnlg_tf.export.signatures import DEFAULT, SIGNATURES

ENGINE, ONNX = "model.engine", "model.onnx"
MODULES = {"rtx": ("tensorrt_rtx", "tensorrt-rtx"), "classic": ("tensorrt", "tensorrt")}


class Engine:
    """A deserialised engine with its buffers: call it with (image, mask), get (repaired, uncertainty), numpy arrays.

    Images are float32 [batch, height, width, 3] in [0, 1], masks [batch, height, width, 1] with 1 = missing, within the
    profile that the engine was built for (`manifest["profile"]`).

    Raises:
        ArtefactError: the folder's files are not those of its manifest, or TensorRT refuses the engine.
        ExportError: a package, the driver or a GPU is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = manifest.verify(folder, format="tensorrt")
        module, extra = MODULES[self.manifest["builder"]]
        self._trt = _import(module, extra)
        self._cuda = _import("cuda.bindings.runtime", extra)
        self._check_gpu()
        self._runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine((self.folder / ENGINE).read_bytes())
        if self._engine is None:
            raise ArtefactError(
                f"TensorRT {self._trt.__version__} must be able to load {self.folder / ENGINE}, built with "
                f"{self.manifest['tensorrt']} for {self.manifest['compute_capabilities']}. Received: a refusal"
            )
        self._context = self._engine.create_execution_context()
        self._stream = self._call("cudaStreamCreate")
        self._buffers: dict[str, tuple[int, int]] = {}  # address and bytes, by tensor

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_shapes(image.shape, mask.shape, self.manifest["profile"])
        host_to_device = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        device_to_host = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        for name, value in (("image", image), ("mask", mask)):
            value = np.ascontiguousarray(value, np.float32)
            self._context.set_input_shape(name, value.shape)
            self._call(
                "cudaMemcpy",
                self._address(name, value.nbytes),
                value.ctypes.data,
                value.nbytes,
                host_to_device,
            )
        results = {
            name: np.empty(tuple(self._context.get_tensor_shape(name)), np.float32)
            for name in SIGNATURES[DEFAULT].outputs
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
        return results["repaired"], results["uncertainty"]

    def benchmark(
        self, height: int, width: int, batch: int = 1, runs: int = 50
    ) -> dict[str, float]:
        """Latency of whole calls, copies included, in milliseconds: median, 95th percentile."""
        rng = np.random.default_rng(0)
        image = rng.random((batch, height, width, 3), np.float32)
        mask = (rng.random((batch, height, width, 1)) > 0.7).astype(np.float32)
        times = []
        for _ in range(runs + 5):
            start = time.perf_counter()
            self(image, mask)
            times.append(1000.0 * (time.perf_counter() - start))
        return {
            "median_ms": float(np.median(times[5:])),
            "p95_ms": float(np.percentile(times[5:], 95)),
        }

    def parity(self) -> dict[str, Any]:
        """Compare with the ONNX model that the engine was built from; raises ExportError past the bar."""
        from cnnlg_tf.export import cases, onnx_model, parity

        reference = onnx_model.load_runner(self.folder)
        optimum = self.manifest["profile"]["optimum"]
        image, mask = cases.drawn_case(*optimum)
        found = parity.compare(reference(image, mask), self(image, mask), image, mask)
        loss = found.loss(self.manifest["precision"])
        if loss:
            raise ExportError(f"the engine does not give its ONNX model's pixels: {loss}")
        return {"max_abs": found.max_abs, "hole_psnr": found.hole_psnr}

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


def check_shapes(
    image: tuple[int, ...], mask: tuple[int, ...], profile: dict[str, list[int]]
) -> None:
    """Raise ExportError when a call lies outside the engine's profile or the mask does not fit the image."""
    least, most = profile["minimum"], profile["maximum"]
    fits = len(image) == 4 and all(a <= n <= b for a, n, b in zip(least, image, most, strict=False))
    if not fits or image[-1] != 3:
        raise ExportError(
            f"image must be [batch, height, width, 3] with sizes from {least} to {most}. Received: {image}"
        )
    if mask != (*image[:3], 1):
        raise ExportError(f"mask must be {(*image[:3], 1)}, like the image. Received: {mask}")


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
        engine = Engine(options.engine)
        if options.benchmark:
            batch, height, width = engine.manifest["profile"]["optimum"]
            print(f"{height} x {width}, batch {batch}:", engine.benchmark(height, width, batch))
        if options.parity:
            print("parity with onnxruntime:", engine.parity())
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
