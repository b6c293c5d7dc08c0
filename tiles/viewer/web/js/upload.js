// Sends files as the API wants them: hashed, announced, put by presigned addresses, completed. The same files sent again
// go on where they stopped.

import { call } from './api.js'

const at = 3 // files on their way at a time
const tries = 4

export async function upload(files, { signal, options, on }) {
  const total = files.reduce((n, f) => n + f.file.size, 0)
  on({ stage: 'hash', done: 0, total })
  const manifest = await hashAll(files, total, signal, on)

  on({ stage: 'open', done: 0, total })
  const api = (method, path, body) => call(method, path, { body, signal })
  const up = await api('POST', 'v1/uploads', { files: manifest, options: { ...options, client: 'roadcomb-web' } })
  if (up.state !== 'open') return up
  const byHash = new Map(files.map((f, i) => [manifest[i].sha256, f.file]))

  let done = 0
  const sent = (n) => { done += n; on({ stage: 'send', done, total }) }
  for (let after; ;) {
    const page = await api('POST', `v1/uploads/${up.id}/urls`, { limit: 64, ...(after ? { after } : {}) })
    sent(page.present_bytes)
    await pool(page.files, at, (s) => send(s, byHash.get(s.sha256), up.id, api, signal, sent))
    if (!page.next) break
    after = page.next
  }
  on({ stage: 'complete', done: total, total })
  return api('POST', `v1/uploads/${up.id}/complete`)
}

function hashAll(files, total, signal, on) {
  const out = new Array(files.length)
  const n = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1, files.length))
  const read = new Float64Array(files.length)
  let next = 0, left = files.length
  return new Promise((resolve, reject) => {
    const workers = Array.from({ length: n }, () => new Worker(new URL('./hash-worker.js', import.meta.url), { type: 'module' }))
    const end = (f, v) => { workers.forEach((w) => w.terminate()); f(v) }
    signal.addEventListener('abort', () => end(reject, signal.reason), { once: true })
    const feed = (w) => { if (next < files.length) { w.postMessage({ id: next, file: files[next].file }); next++ } }
    for (const w of workers) {
      w.addEventListener('error', () => end(reject, new Error('The files could not be read.')))
      w.addEventListener('message', ({ data }) => {
        if (data.error) return end(reject, new Error(`${files[data.id].path}: ${data.error}`))
        if (data.read) {
          read[data.id] = data.read
          return on({ stage: 'hash', done: read.reduce((a, b) => a + b, 0), total })
        }
        out[data.id] = { path: files[data.id].path, bytes: files[data.id].file.size, sha256: data.sha256 }
        if (--left === 0) end(resolve, out)
        else feed(w)
      })
      feed(w)
    }
  })
}

async function pool(list, n, fn) {
  let next = 0
  await Promise.all(Array.from({ length: Math.min(n, list.length) }, async () => { while (next < list.length) await fn(list[next++]) }))
}

async function send(s, file, id, api, signal, sent) {
  if (!s.in_parts) {
    await put(s.put, file, signal, sent, s.headers, async () => (await api('POST', `v1/uploads/${id}/urls`, { files: [s.sha256] })).files[0]?.put)
    return
  }
  for (let here = 0; ;) {
    const { files: [part] } = await api('POST', `v1/uploads/${id}/urls`, { files: [s.sha256] })
    if (!part) return
    if (part.finish || !part.parts?.length) break
    if (here++ > 1e4) throw new Error('The server keeps asking for parts.')
    await pool(part.parts, 2, (p) => put(p.put, file.slice((p.number - 1) * part.part_bytes, (p.number - 1) * part.part_bytes + p.bytes), signal, sent))
  }
  await api('POST', `v1/uploads/${id}/files/complete`, { sha256: s.sha256 })
}

// put sends a body, again after a while when the store does not answer, and to a new address when the old one ended.
async function put(url, body, signal, sent, headers, renew) {
  for (let n = 1; ; n++) {
    let status = 0
    try {
      status = (await fetch(url, { method: 'PUT', body, signal, headers })).status
    } catch (err) {
      if (signal.aborted) throw err
    }
    if (status >= 200 && status < 300) return sent(body.size)
    if (n === tries) throw new Error(status ? `The store answered ${status}.` : 'The store cannot be reached.')
    if (status === 403 && renew) url = (await renew()) ?? url
    await new Promise((r) => setTimeout(r, 500 * 2 ** n))
  }
}

// dropped lists the files of a drop, folders opened, with their paths.
export async function dropped(transfer) {
  const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean)
  if (!entries.length) return chosen(transfer.files)
  const out = []
  const walk = async (e, path) => {
    if (e.isFile) {
      out.push({ path: path + e.name, file: await new Promise((ok, no) => e.file(ok, no)) })
      return
    }
    const reader = e.createReader()
    for (;;) { // a reader gives its entries in several lots
      const lot = await new Promise((ok, no) => reader.readEntries(ok, no))
      if (!lot.length) return
      for (const x of lot) await walk(x, `${path}${e.name}/`)
    }
  }
  for (const e of entries) await walk(e, '')
  return out
}

export const chosen = (list) => [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
