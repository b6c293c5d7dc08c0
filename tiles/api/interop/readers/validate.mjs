// Holds every document of a STAC API to stac-node-validator: the landing page, the collections and the items, each as the
// lists and the search give them and as it stands alone.
//
//   node validate.mjs URL SCHEMAS FRAMES DRIVES
//
// SCHEMAS is the folder of the specification's schemas that pystac ships.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
const validate = require('stac-node-validator')
const loader = require('stac-node-validator/src/loader/node')

const [url, schemas, frames, drives] = process.argv.slice(2)
const spec = 'https://schemas.stacspec.org/v1.0.0/'
const own = (name) => join(import.meta.dirname, 'extensions', `${name}.json`)
const here = new URL(url).origin
const config = {
  strict: true,
  schemaMap: {
    ...Object.fromEntries(['catalog', 'collection', 'item'].map((s) => [`${spec}${s}-spec/json-schema/`, join(schemas, 'stac-spec', 'v1.0.0')])),
    'https://geojson.org/schema/': join(schemas, 'geojson'),
    'https://stac-extensions.github.io/stats/v0.2.0/schema.json': own('stats'),
    'https://stac-extensions.github.io/view/v1.0.0/schema.json': own('view'),
    'https://stac-extensions.github.io/web-map-links/v1.0.0/schema.json': own('web-map-links'),
  },
  loader: (uri) => {
    if (/^https?:/.test(uri) && !uri.startsWith(here)) throw new Error(`${uri} lies on another host`)
    return loader(uri)
  },
}

let checked = 0
const told = (r) => JSON.stringify({ id: r.id, messages: r.messages, core: r.results.core, extensions: r.results.extensions }, null, 1)
async function check(what, of) {
  const r = await validate(what, config)
  const all = r.apiList ? r.children : [r]
  for (const one of all) {
    if (one.valid !== true || one.skipped || one.version !== '1.0.0') throw new Error(`${of}: ${told(one)}`)
  }
  checked += all.length
}

const get = async (u) => {
  const r = await fetch(u)
  if (!r.ok) throw new Error(`${u} answers ${r.status}`)
  return r.json()
}
async function pages(first, list) {
  const out = []
  for (let next = first; next; ) {
    const page = await get(next)
    if (page[list].length > 0) await check(next, next)
    out.push(...page[list])
    next = page.links.find((l) => l.rel === 'next')?.href
  }
  return out
}
const link = (o, rel, method) => o.links.find((l) => l.rel === rel && (l.method ?? 'GET') === (method ?? 'GET'))?.href

await check(url, 'the landing page')
const landing = await get(url)
for (const [rel, must] of [['self', url], ['root', url], ['conformance'], ['data'], ['search'], ['service-desc']]) {
  const href = link(landing, rel)
  if (!href || (must && href !== must)) throw new Error(`the landing page's link ${rel} is ${href}`)
  if (rel !== 'self' && rel !== 'root') await get(href)
}
if (JSON.stringify(await get(link(landing, 'conformance'))) !== JSON.stringify({ conformsTo: landing.conformsTo })) throw new Error('the landing page and /conformance name different classes')

const collections = await pages(`${link(landing, 'data')}?limit=4`, 'collections')
if (collections.length !== Number(drives)) throw new Error(`${collections.length} collections, want ${drives}`)
const seen = new Set()
for (const c of collections) {
  await check(link(c, 'self'), `collection ${c.id}`)
  const items = await pages(`${link(c, 'items')}?limit=25`, 'features')
  if (items.length !== c['stats:items'].count) throw new Error(`collection ${c.id} has ${items.length} items and says ${c['stats:items'].count}`)
  for (const i of [items[0], items.at(-1)]) await check(link(i, 'self'), `item ${i.id}`)
  items.forEach((i) => seen.add(i.id))
}
const found = await pages(`${link(landing, 'search')}?limit=50`, 'features')
for (const n of [seen.size, found.length]) if (n !== Number(frames)) throw new Error(`${n} items, want ${frames}`)
console.log(`stac-node-validator ${require('stac-node-validator/package.json').version}: ${checked} documents are valid`)
