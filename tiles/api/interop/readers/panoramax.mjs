// Opens Panoramax's web viewer on a STAC API and looks at what it draws: the grid of low zooms, drives, pictures; then it
// clicks a picture and waits for its image. Saves a screenshot of each.
//
//   node panoramax.mjs PAGE STAC FOLDER DRIVES
//
// Chromium is driven by the packages of tiles/viewer.
import { join } from 'node:path'
import { open } from '../../../viewer/test/browser.mjs'

const [at, stac, out, drives] = process.argv.slice(2)
const check = (ok, message) => { if (!ok) throw new Error(message) }
const { page, faults, close } = await open({ width: 1200, height: 800 })
// The viewer's own background, translations of tags and the like lie on hosts that a test does not ask.
const hosts = new Set([new URL(at).host, new URL(stac).host])
const asked = []
const loaded = new Set()
page.on('response', (r) => { if (r.ok() && r.headers()['content-type'] === 'image/jpeg') loaded.add(r.url()) })
await page.setRequestInterception(true)
page.on('request', (r) => {
  const u = new URL(r.url())
  if (!/^https?:$/.test(u.protocol) || hosts.has(u.host)) return r.continue()
  asked.push(u.host)
  r.abort('blockedbyclient')
})
try {
  await page.goto(at, { waitUntil: 'load' })
  await page.evaluate((endpoint) => {
    // It reads its attributes as it is made. Without a ground of its own it asks a host of Panoramax for one; it waits until
    // the ground's tiles are there, so the ground is the pictures of freshness.
    const heat = new URL('/v1/tiles/heat/{z}/{x}/{y}.png', endpoint).href.replaceAll('%7B', '{').replaceAll('%7D', '}')
    const style = JSON.stringify({ version: 8, sources: { ground: { type: 'raster', tiles: [heat], tileSize: 256, maxzoom: 13 } },
      layers: [{ id: 'ground', type: 'background', paint: { 'background-color': '#eee' } }, { id: 'ground-heat', type: 'raster', source: 'ground', paint: { 'raster-opacity': 0.4 } }] })
    document.body.innerHTML = `<pnx-viewer id="viewer" endpoint="${endpoint}" map-style='${style}'></pnx-viewer>`
  }, stac)
  const ready = () => page.waitForFunction(() => document.getElementById('viewer')?.map?.loaded?.() && document.getElementById('viewer').map.areTilesLoaded(), { timeout: 60_000 })
  await ready()
  const look = async (name, where) => {
    if (where) await page.evaluate((w) => new Promise((done) => { const { map } = document.getElementById('viewer'); map.jumpTo(w); map.once('idle', done) }), where)
    await page.screenshot({ path: join(out, `panoramax-${name}.png`) })
    return page.evaluate(() => {
      const { map } = document.getElementById('viewer')
      const ids = (suffix) => {
        const layers = map.getStyle().layers.filter((l) => l.id.startsWith('geovisio') && l.id.endsWith(suffix)).map((l) => l.id)
        return [...new Set(map.queryRenderedFeatures({ layers }).map((f) => f.properties.id))]
      }
      const c = map.getCenter()
      return { zoom: map.getZoom(), center: [c.lng, c.lat], sequences: ids('_sequences').length, pictures: ids('_pictures').length, grid: ids('_grid').length, layers: map.getStyle().layers.map((l) => l.id) }
    })
  }
  // It goes to the box that the landing page names.
  await page.waitForFunction(() => document.getElementById('viewer').map.getZoom() > 8, { timeout: 20_000 }).catch(() => { throw new Error('The viewer does not go to where the pictures are.') })
  const town = await look('town')
  const middle = town.center
  check(town.sequences >= drives - 1, `${town.sequences} of ${drives} drives are on the map`)
  const world = await look('world', { center: middle, zoom: 4 })
  check(world.grid > 0, 'The grid of low zooms is not drawn.')
  check(world.layers.every((l) => l.startsWith('ground') || l.startsWith('geovisio_')), `layers: ${world.layers}`)

  // A picture that has the map to itself is clicked.
  const list = await (await fetch(`${stac}/search?limit=200`)).json()
  const target = list.features.find((f) => list.features.every((g) => g === f || Math.hypot(f.geometry.coordinates[0] - g.geometry.coordinates[0], f.geometry.coordinates[1] - g.geometry.coordinates[1]) > 4e-5))
  const near = await look('pictures', { center: target.geometry.coordinates, zoom: 19 })
  check(near.pictures > 0, 'No picture is drawn.')
  const where = await page.evaluate((c) => {
    const { map } = document.getElementById('viewer')
    const p = map.project(c)
    const { left, top } = map.getCanvas().getBoundingClientRect()
    return { x: left + p.x, y: top + p.y }
  }, target.geometry.coordinates)
  await page.mouse.click(where.x, where.y)
  const shown = await page.waitForFunction((id) => {
    const { psv } = document.getElementById('viewer')
    const m = psv?.getPictureMetadata?.()
    return m?.id === id && psv.getPictureId?.() === id && m.caption && { id: m.id, sequence: m.sequence.id, azimuth: m.properties['view:azimuth'] }
  }, { timeout: 30_000 }, target.id).then((h) => h.jsonValue(), () => { throw new Error(`A click on picture ${target.id} does not open it.`) })
  check(shown.sequence === target.collection, `picture ${shown.id} is said to be of ${shown.sequence}`)
  await page.waitForNetworkIdle({ idleTime: 1000, timeout: 20_000 }).catch(() => {})
  await page.screenshot({ path: join(out, 'panoramax-picture.png') })
  const images = [...loaded].filter((u) => u.includes(target.id) && u.includes('/image.jpg'))
  check(images.length > 0, 'The image of the picture was not fetched.')
  const bad = faults.filter((f) => f.includes(new URL(stac).host))
  check(bad.length === 0, `the API is found at fault: ${bad.join('; ')}`)
  console.log(JSON.stringify({ drives: town.sequences, grid: world.grid, pictures: near.pictures, shown, images: images.length, 'hosts not asked': [...new Set(asked)] }))
} catch (e) {
  await page.screenshot({ path: join(out, 'panoramax-fault.png') })
  console.error(e.message, faults)
  process.exitCode = 1
} finally {
  await close()
}
