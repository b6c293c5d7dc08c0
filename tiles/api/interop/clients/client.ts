// Asks what frames around a point cost, buys them page by page, and fetches the newest image.
//
//   node client.js URL KEY LONGITUDE LATITUDE
import createClient from 'openapi-fetch'
import type { paths } from './api.js'

const [url, key, lon, lat] = process.argv.slice(2)
// Lists in addresses are one value with commas.
const client = createClient<paths>({ baseUrl: url, headers: { 'X-API-Key': key }, querySerializer: { array: { style: 'form', explode: false } } })
const query = { geometry: { type: 'Point' as const, coordinates: [Number(lon), Number(lat)] }, meters: 200, min_week: '2026-01-05' }

const quote = await client.POST('/v1/imagery/search', { body: { ...query, dry_run: true } })
if (quote.error) throw new Error(quote.error.detail)
console.error(`${quote.data.found} frames for ${quote.data.credits_used} of ${quote.data.credits_remaining} credits`)

const frames = []
for (let cursor: string | undefined; ; ) {
  // The same request under the same key is charged once, however often it is sent.
  const params = { header: { 'Idempotency-Key': `example-ts ${cursor ?? 'first'}` } }
  const page = await client.POST('/v1/imagery/search', { params, body: { ...query, limit: 20, cursor } })
  if (page.error) throw new Error(page.error.detail)
  frames.push(...(page.data.frames ?? []))
  if (!(cursor = page.data.next)) break
}
const image = await fetch(new URL(frames[0].image.url, url))
const signs = await client.GET('/v1/map-features', { params: { query: { point: [Number(lon), Number(lat)], meters: 200 } } })
if (signs.error) throw new Error(signs.error.detail)
console.log(JSON.stringify({ found: quote.data.found, frames: frames.length, image: image.headers.get('content-type'), signs: signs.data.features?.length }))
