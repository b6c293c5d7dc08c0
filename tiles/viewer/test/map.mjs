// Opens the map at URL, waits until it is drawn, counts what is on screen, clicks a cell and waits for its redacted
// frame; saves a screenshot.
//
//   node test/map.mjs URL OUT.png [--width N --height N --dark]
//
// Prints one line of JSON: {"cells","sequences","images","features","cell","frame","width","height","idle_ms"}. Exits 1 with a
// sentence when something is missing or the page reported a fault, 2 when called wrongly.
import { parseArgs } from 'node:util'
import { idle, open, ready } from './browser.mjs'

const { values, positionals: [url, out] } = parseArgs({ allowPositionals: true, options: {
  width: { type: 'string', default: '1280' }, height: { type: 'string', default: '800' }, dark: { type: 'boolean', default: false } } })
if (!url || !out) {
  console.error('usage: node test/map.mjs URL OUT.png [--width N --height N --dark]')
  process.exit(2)
}

class Missing extends Error {}
const check = (ok, message) => { if (!ok) throw new Missing(message) }

const { page, faults, close } = await open({ width: +values.width, height: +values.height, dark: values.dark })
try {
  const host = new URL(url).host
  page.on('request', (r) => { const u = new URL(r.url()); if (/^(https?|wss?):$/.test(u.protocol) && u.host !== host) faults.push(`asked another host: ${r.url()}`) })
  const began = Date.now()
  const res = await page.goto(url, { waitUntil: 'load', timeout: 30_000 })
  check(res.ok(), `The page answers ${res.status()}: ${(await page.$eval('body', (b) => b.innerText)).slice(0, 300)}`)
  await ready(page)
  await idle(page)
  const idleMS = Date.now() - began

  const seen = await page.evaluate(() => {
    const { map } = window.roadcomb
    const ids = (layer, key) => new Set(map.getLayer(layer) ? map.queryRenderedFeatures({ layers: [layer] }).map((f) => f.properties[key]) : []).size
    return { cells: ids('coverage', 'h3'), sequences: ids('sequences', 'id'), images: ids('images', 'id'), features: ids('features', 'id') }
  })
  check(seen.cells > 0, 'No coverage cell is on screen.')
  check(seen.sequences > 0, 'No drive is on screen.')

  // The click goes to a point of a cell that nothing of the page covers.
  const point = await page.evaluate(() => {
    const { map } = window.roadcomb
    const free = (x, y) => document.elementFromPoint(x, y) === map.getCanvas()
    const { clientWidth: w, clientHeight: h } = map.getCanvas()
    let best = null
    for (let y = 20; y < h; y += 12) for (let x = 20; x < w; x += 12) {
      if (!free(x, y)) continue
      const [c] = map.queryRenderedFeatures([x, y], { layers: ['coverage'] })
      if (map.getLayer('features') && map.queryRenderedFeatures([[x - 9, y - 9], [x + 9, y + 9]], { layers: ['features'] }).length) continue
      const d = Math.hypot(x - w / 2, y - h / 2)
      if (c && (!best || c.properties.count > best.count || (c.properties.count === best.count && d < best.d))) best = { x, y, d, h3: c.properties.h3, count: c.properties.count }
    }
    return best
  })
  check(point, 'No coverage cell can be clicked.')
  await page.mouse.click(point.x, point.y)
  await page.waitForSelector('#panel:not([hidden]) #frame-image', { timeout: 15_000 }).catch(() => { throw new Missing(`A click on cell ${point.h3} opens no frame.`) })
  const shown = await page.waitForFunction(() => {
    const i = document.getElementById('frame-image')
    return i?.complete && i.naturalWidth > 0 && { src: i.currentSrc, width: i.naturalWidth, height: i.naturalHeight, alt: i.alt }
  }, { timeout: 15_000 }).then((h) => h.jsonValue()).catch(() => { throw new Missing('The redacted image does not load.') })
  check(shown.width > 0, 'The redacted image is empty.')
  check(shown.alt, 'The image has no text for those who cannot see it.')
  check(await page.$('#panel .grade'), 'The panel does not say the quality.')

  // Arrow keys step through the cell's frames when there are several.
  const total = await page.$$eval('#panel .strip button', (b) => b.length)
  if (total > 1) {
    const before = shown.src
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction((s) => { const i = document.getElementById('frame-image'); return i.complete && i.naturalWidth > 0 && i.currentSrc !== s }, { timeout: 15_000 }, before)
      .catch(() => { throw new Missing('The right arrow key does not show the next frame.') })
  }
  await page.waitForFunction(() => [...document.querySelectorAll('#panel .strip img')].slice(0, 4).every((i) => i.complete), { timeout: 15_000 })
  await idle(page)
  await page.screenshot({ path: out })

  // The keyboard alone closes the panel and opens a cell again.
  await page.keyboard.press('Escape')
  check(await page.$eval('#panel', (p) => p.hidden), 'Escape does not close the panel.')

  // A click on a sign shows the frames that saw it, with a box around it.
  if (seen.features) {
    const sign = await page.evaluate(() => {
      const { map } = window.roadcomb
      for (const f of map.queryRenderedFeatures({ layers: ['features'] })) {
        const p = map.project(f.geometry.coordinates)
        if (document.elementFromPoint(p.x, p.y) === map.getCanvas()) return { x: p.x, y: p.y, id: f.properties.id }
      }
    })
    check(sign, 'No sign can be clicked.')
    await page.mouse.click(sign.x, sign.y)
    await page.waitForFunction(() => document.querySelector('#panel .over:not([hidden]) rect')?.getAttribute('width') > 0, { timeout: 15_000 }).catch(() => { throw new Missing(`A click on sign ${sign.id} shows no box.`) })
    check((await page.evaluate(() => location.hash)).includes('feature='), 'The address does not name the sign.')
    await page.screenshot({ path: out.replace(/\.png$/, '-sign.png') })
    await page.keyboard.press('Escape')
  }
  check(faults.length === 0, `The page reported faults:\n  ${faults.join('\n  ')}`)
  console.log(JSON.stringify({ ...seen, cell: point.h3, frame: new URL(shown.src).pathname.split('/').at(-2), width: shown.width, height: shown.height, idle_ms: idleMS }))
} catch (err) {
  await page.screenshot({ path: out }).catch(() => {})
  const more = faults.length && !err.message.includes('faults') ? `\nThe page reported:\n  ${faults.join('\n  ')}` : ''
  console.error((err instanceof Missing ? err.message : err.stack) + more)
  process.exitCode = 1
} finally {
  await close()
}
