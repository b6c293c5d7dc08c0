// Hashes files away from the page: {id, file} in, {id, sha256} or {id, error} out, {id, read} on the way.
import { SHA256 } from './sha256.js'

const size = 4 << 20

self.addEventListener('message', async ({ data: { id, file } }) => {
  try {
    const h = new SHA256()
    for (let at = 0; at < file.size; at += size) {
      h.update(new Uint8Array(await file.slice(at, at + size).arrayBuffer()))
      self.postMessage({ id, read: Math.min(at + size, file.size) })
    }
    self.postMessage({ id, sha256: h.hex() })
  } catch (err) {
    self.postMessage({ id, error: err.message })
  }
})
