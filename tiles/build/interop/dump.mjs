// Reads a PMTiles archive with pmtiles.js and its tiles with @mapbox/vector-tile and prints what they see as JSON:
// node dump.mjs FILE 'z/x/y z/x/y …'
import { open } from "node:fs/promises";
import { PMTiles } from "pmtiles";
import { VectorTile, classifyRings } from "@mapbox/vector-tile";
import { PbfReader } from "pbf";

const [file, wanted] = process.argv.slice(2);

class FileSource {
  constructor(handle) { this.handle = handle; }
  getKey() { return file; }
  async getBytes(offset, length) {
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(length), 0, length, offset);
    const copy = new Uint8Array(bytesRead);
    copy.set(buffer.subarray(0, bytesRead));
    return { data: copy.buffer };
  }
}

const handle = await open(file);
const archive = new PMTiles(new FileSource(handle));
const out = { header: await archive.getHeader(), metadata: await archive.getMetadata(), tiles: {} };
for (const zxy of wanted.split(" ")) {
  const [z, x, y] = zxy.split("/").map(Number);
  const tile = await archive.getZxy(z, x, y);
  if (!tile) {
    out.tiles[zxy] = null;
    continue;
  }
  const layers = {};
  for (const [name, layer] of Object.entries(new VectorTile(new PbfReader(tile.data)).layers)) {
    const features = [];
    for (let i = 0; i < layer.length; i++) {
      const f = layer.feature(i);
      const geometry = f.loadGeometry();
      features.push({
        id: f.id ?? 0,
        type: f.type,
        properties: f.properties,
        geometry: geometry.map((part) => part.map((p) => [p.x, p.y])),
        polygons: f.type === 3 ? classifyRings(geometry).map((rings) => rings.length) : null,
      });
    }
    layers[name] = { version: layer.version, extent: layer.extent, features };
  }
  out.tiles[zxy] = layers;
}
await handle.close();
process.stdout.write(JSON.stringify(out));
