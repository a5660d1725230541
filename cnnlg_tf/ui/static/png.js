// PNG files without row filters: the same form that ui/png.py writes.

export const GREY = 0;
export const INDEXED = 3;
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

const CRC = new Uint32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

async function through(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

function chunk(kind, body) {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i += 1) bytes[4 + i] = kind.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/** Bytes of a row: its filter, 0, and its pixels. */
export function rowBytes(width, depth) {
  return 1 + Math.ceil((width * depth) / 8);
}

/** A PNG Blob of rows, rowBytes(width, depth) each; `colours` and `opacities` are bytes of a palette. */
export async function encodePng({ width, height, depth, kind, rows, colours, opacities }) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = depth;
  header[9] = kind;
  const palette = colours ? [chunk("PLTE", colours), chunk("tRNS", opacities)] : [];
  const packed = await through(rows, new CompressionStream("deflate"));
  return new Blob(
    [new Uint8Array(SIGNATURE), chunk("IHDR", header), ...palette, chunk("IDAT", packed), chunk("IEND", new Uint8Array(0))],
    { type: "image/png" },
  );
}

/** {width, height, rows, colours} of a PNG ArrayBuffer that encodePng or ui/png.py wrote. */
export async function decodePng(buffer, depth, kind) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const parts = [];
  let [width, height, colours] = [0, 0, null];
  for (let at = 8; at < bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (name === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      if (body[8] !== depth || body[9] !== kind) throw new Error("the server sent another kind of PNG file");
    }
    if (name === "PLTE") colours = body;
    if (name === "IDAT") parts.push(body);
    at += 12 + length;
  }
  const rows = await through(await new Blob(parts).arrayBuffer(), new DecompressionStream("deflate"));
  if (rows.length !== rowBytes(width, depth) * height) throw new Error("a PNG file is cut off");
  return { width, height, rows, colours };
}
