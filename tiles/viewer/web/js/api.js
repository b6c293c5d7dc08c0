// The page's calls to the API. Every address is relative to the page, so that it works below any path and host.

const base = new URL('.', document.baseURI)

export const url = (path) => new URL(path, base).href

// Problem is an RFC 9457 answer of the API.
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`)
    this.status = status
    this.body = body
  }
}

export async function get(path, { signal, headers } = {}) {
  return call('GET', path, { signal, headers })
}

export async function call(method, path, { body, signal, headers = {} } = {}) {
  const init = { method, signal, headers: { Accept: 'application/json', ...headers } }
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers['Content-Type'] = 'application/json'
  }
  let res
  try {
    res = await fetch(url(path), init)
  } catch (err) {
    if (err.name === 'AbortError') throw err
    throw new Problem(0, { detail: 'The server cannot be reached.' })
  }
  const type = res.headers.get('Content-Type') || ''
  const data = type.includes('json') ? await res.json() : null
  if (!res.ok) throw new Problem(res.status, data)
  return data
}

export const map = (o) => get('v1/map', o)
export const tileJSON = (layer, o) => get(`v1/tiles/${layer}.json`, o)
export const cellFrames = (h3, { cursor, limit = 60, since, signal } = {}) => {
  const q = new URLSearchParams({ limit })
  if (cursor) q.set('cursor', cursor)
  if (since) q.set('since', new Date(since).toISOString())
  return get(`v1/cells/${h3}/frames?${q}`, { signal })
}
export const frame = (id, o) => get(`v1/frames/${id}`, o)
