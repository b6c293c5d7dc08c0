// Opens a CAR with the JavaScript IPLD libraries, hashes every block, and follows every link from the root.
import { readFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { CarReader } from '@ipld/car'
import * as dagCBOR from '@ipld/dag-cbor'

const [file, frames] = process.argv.slice(2)
const car = await CarReader.fromBytes(await readFile(file))
const fail = (why) => { console.error(`archive: ${file}: ${why}`); process.exit(1) }
let blocks = 0, last = null
for await (const { cid, bytes } of car.blocks()) {
  const want = Buffer.from(cid.multihash.digest).toString('hex')
  if (createHash('sha256').update(bytes).digest('hex') !== want) fail(`block ${cid} has another hash`)
  if (last && Buffer.compare(Buffer.from(last.bytes), Buffer.from(cid.bytes)) >= 0) fail('blocks are not in order')
  if (cid.code === dagCBOR.code && !Buffer.from(dagCBOR.encode(dagCBOR.decode(bytes))).equals(Buffer.from(bytes))) fail(`block ${cid} is not canonical DAG-CBOR`)
  last = cid
  blocks++
}
const node = async (cid) => {
  const b = await car.get(cid)
  return b ? dagCBOR.decode(b.bytes) : fail(`lacks ${cid}`)
}
let images = 0
const drive = async (d) => {
  for (const f of d.frames) {
    const b = await car.get(f.image)
    if (!b || b.bytes.length !== f.bytes || b.bytes[0] !== 0xff || b.bytes[1] !== 0xd8) fail(`frame ${f.frame} is not its JPEG`)
    images++
  }
}
for (const root of await car.getRoots()) {
  const r = await node(root)
  if (r.frames) { await drive(r); continue }
  for (const f of (await node(r.files.link)).files) if (!(await car.has(f.link))) fail(`lacks ${f.name}`)
  for (const day of r.days) for (const dr of (await node(day.link)).drives) await drive(await node(dr.link))
}
if (images !== Number(frames)) fail(`${images} images, want ${frames}`)
console.log(`archive: @ipld/car reads ${blocks} blocks and ${images} images of ${file.split('/').pop()}`)
