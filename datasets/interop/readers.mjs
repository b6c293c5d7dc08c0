// Opens a snapshot with three readers from npm: hyparquet (JavaScript), parquet-wasm (arrow-rs) and apache-arrow (JavaScript).
// Each must agree with what roadcomb says of it, and with each other on every value of the observations.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readParquet } from 'parquet-wasm'
import { tableFromIPC } from 'apache-arrow'

const [root, oursCSV, sumsCSV] = process.argv.slice(2)
const snapshot = JSON.parse(await readFile(join(root, 'snapshot.json')))
const ours = Object.fromEntries((await readFile(oursCSV, 'utf8')).trim().split('\n').map(l => l.split(',')))
const [quality, cells] = (await readFile(sumsCSV, 'utf8')).trim().split(',')
let faults = 0
const check = (reader, what, got, want) => {
  if (String(got) !== String(want)) { console.log(`datasets: ${reader}: ${what} is ${got}, want ${want}`); faults++ }
}
const buffer = async (path) => { const b = await readFile(join(root, path)); return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength) }
let total = 0
for (const [name, n] of Object.entries(ours)) {
  const rows = { hyparquet: 0, 'parquet-wasm': 0 }
  let sum = 0n, cellSum = 0n, hexes = 0
  for (const f of snapshot.datasets[name]?.files ?? []) {
    const file = await buffer(f.path)
    check('hyparquet', `rows by metadata of ${f.path}`, parquetMetadata(file).num_rows, f.rows)
    // Geometry is compared as bytes, not as a shape: utf8 off.
    const objects = await parquetReadObjects({ file, compressors, utf8: false, geoparquet: false })
    rows.hyparquet += objects.length
    const table = tableFromIPC(readParquet(new Uint8Array(file)).intoIPCStream())
    rows['parquet-wasm'] += table.numRows
    if (name === 'observations') {
      for (let i = 0; i < objects.length; i++) {
        const o = objects[i], a = table.get(i)
        sum += BigInt(o.quality_ppm); cellSum += BigInt(o.h3) % 1000003n
        if (BigInt(a.h3) !== BigInt(o.h3) || BigInt(a.quality_ppm) !== BigInt(o.quality_ppm) || a.frame_id !== o.frame_id) faults++
        if (BigInt(o.h3).toString(16) === o.h3_hex) hexes++
      }
    }
  }
  for (const [reader, got] of Object.entries(rows)) check(reader, `rows of ${name}`, got, n)
  if (name === 'observations') {
    check('hyparquet', 'sum of quality', sum, quality)
    check('hyparquet', 'sum of cells', cellSum, cells)
    check('hyparquet', 'hex text', hexes, n)
  }
  total += Number(n)
}
if (faults) process.exit(1)
console.log(`datasets: hyparquet, parquet-wasm and apache-arrow agree on ${total} rows of ${Object.keys(ours).length} datasets`)
