// A photo's repair in the browser: onnxruntime-web runs the `pixels` export. Nothing leaves the machine.
//
// Beside this file: pixels.onnx, and ort/ (node_modules/onnxruntime-web/dist).
import * as ort from "./ort/ort.min.mjs";

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;

/** Open the graph. WebGPU computes where there is one and `gpu` is true, else WebAssembly. */
export async function open(url = "./pixels.onnx", gpu = false) {
  const providers = gpu && navigator.gpu ? ["webgpu", "wasm"] : ["wasm"];
  return ort.InferenceSession.create(url, { executionProviders: providers });
}

/**
 * Repair one photo.
 * @param session what `open` gave
 * @param {Uint8Array} image height * width * 3 bytes: red, green, blue
 * @param {Uint8Array} mask height * width bytes: 255 = missing, 0 = known
 * @returns {Promise<{repaired: Uint8Array, milliseconds: number}>} as `image`; known pixels are the same
 */
export async function repair(session, image, mask, height, width) {
  const feeds = {
    image: new ort.Tensor("uint8", image, [1, height, width, 3]),
    mask: new ort.Tensor("uint8", mask, [1, height, width, 1]),
  };
  const start = performance.now();
  const { repaired } = await session.run(feeds);
  return { repaired: repaired.data, milliseconds: performance.now() - start };
}
