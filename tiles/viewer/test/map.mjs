// Opens the map at URL, waits until it is drawn, counts what is on screen, clicks a cell and waits for its redacted
// frame; opens a phone's legend by keyboard, turns dark to light and back, and moves the slider of time; saves screenshots.
//
//   node test/map.mjs URL OUT.png [--width N --height N --dark]
//
// Prints one line of JSON: {"cells","sequences","images","features","since","cell","frame","width","height","idle_ms"}. Exits 1 with a
// sentence when something is missing or the page reported a fault, 2 when called wrongly.
import { parseArgs } from 'node:util'
import { idle, nameless, open, ready } from './browser.mjs'

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

  // By keyboard alone, from a place beside all cells: Enter opens the nearest one, Escape comes back to the map.
  await page.evaluate(() => new Promise((done) => {
    const { map } = window.roadcomb
    window.before = [map.getCenter(), map.getZoom()]
    const all = map.queryRenderedFeatures({ layers: ['coverage'] }).flatMap((f) => f.geometry.coordinates.flat(f.geometry.type === 'MultiPolygon' ? 2 : 1)).filter(([lon, lat]) => map.getBounds().contains([lon, lat]))
    const top = all.reduce((a, b) => (b[1] > a[1] ? b : a))
    const { x, y } = map.project(top)
    map.jumpTo({ center: map.unproject([x, y - 30]) })
    map.once('idle', done)
  }))
  const middle = () => page.evaluate(() => {
    const { map } = window.roadcomb, c = map.getCanvas()
    return map.queryRenderedFeatures([c.clientWidth / 2, c.clientHeight / 2], { layers: ['coverage'] }).length
  })
  check(await middle() === 0, 'A cell is in the middle of the map that was moved away from all.')
  for (let i = 0; i < 30 && !await page.evaluate(() => document.activeElement === window.roadcomb.map.getCanvas()); i++) await page.keyboard.press('Tab')
  check(await page.evaluate(() => document.activeElement === window.roadcomb.map.getCanvas()), 'Tab does not come to the map.')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#panel:not([hidden]) #frame-image', { timeout: 15_000 }).catch(() => { throw new Missing('Enter on the map opens no cell.') })
  check(await page.evaluate(() => document.getElementById('panel').contains(document.activeElement)), 'The panel that opens does not get the focus.')
  const unnamed = await nameless(page)
  check(!unnamed.length, `A screen reader has no name for: ${unnamed.join(', ')}.`)
  await page.keyboard.press('Escape')
  check(await page.evaluate(() => document.getElementById('panel').hidden && document.activeElement === window.roadcomb.map.getCanvas()), 'Escape does not come back to the map.')
  await page.evaluate(() => { const [center, zoom] = window.before; window.roadcomb.map.jumpTo({ center, zoom }) })
  await idle(page)

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
  // A phone's window keeps the legend closed until the keyboard opens it.
  const opened = () => page.$eval('#legend details', (d) => d.open)
  const phone = +values.width < 640
  check(await opened() === !phone, phone ? 'The legend covers a phone\'s map from the start.' : 'The legend is closed.')
  if (phone) {
    check(!await page.$eval('#since', (s) => s.checkVisibility()), 'A closed legend shows its slider.')
    for (let i = 0; i < 30 && !await page.evaluate(() => document.activeElement?.matches('#legend summary')); i++) await page.keyboard.press('Tab')
    check(await page.evaluate(() => document.activeElement?.matches('#legend summary')), 'Tab does not come to the legend.')
    await page.keyboard.press('Enter')
    check(await opened() && await page.$eval('#since', (s) => s.checkVisibility()), 'Enter does not open the legend.')
    const fits = await page.$eval('#legend', (l) => { const r = l.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight })
    check(fits, 'The open legend is larger than the window.')
    check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'The page is wider than the window.')
  }

  // Dark or light: the page, and the map with it.
  const look = () => page.evaluate(() => ({
    theme: document.documentElement.dataset.theme, land: JSON.stringify(window.roadcomb.map.getStyle().layers.find((l) => l.type === 'background')?.paint),
    card: getComputedStyle(document.getElementById('legend')).backgroundColor, text: getComputedStyle(document.getElementById('legend')).color }))
  const bright = (color) => { const [r, g, b] = color.match(/[\d.]+/g).map(Number); return r + g + b }
  const was = await look()
  check(was.theme === (values.dark ? 'dark' : 'light'), `The page is ${was.theme} when the system is not.`)
  check((bright(was.card) < bright(was.text)) === values.dark, `The legend is ${was.text} on ${was.card}.`)
  await page.click('#theme')
  await idle(page)
  const is = await look()
  check(is.theme !== was.theme && is.land !== was.land && bright(is.card) < bright(is.text) !== values.dark, `The button does not turn the page and the map: ${JSON.stringify({ was, is })}`)
  await page.click('#theme')
  await idle(page)

  // The slider leaves what was seen since its day: older cells go, and come back at its far left.
  const cells = () => page.evaluate(() => {
    const all = window.roadcomb.map.queryRenderedFeatures({ layers: ['coverage'] })
    return { n: new Set(all.map((f) => f.properties.h3)).size, oldest: Math.min(...all.map((f) => f.properties.last_seen)), newest: Math.max(...all.map((f) => f.properties.last_seen)) }
  })
  const slide = async (key, times = 1) => {
    await page.focus('#since')
    for (let i = 0; i < times; i++) await page.keyboard.press(key)
    await page.evaluate(() => new Promise((done) => { const { map } = window.roadcomb; map.once('idle', done); map.triggerRepaint() }))
  }
  const all = await cells()
  let late = null
  if (all.newest - all.oldest > 5 * 86400e3) { // a single day has nothing to slide through
    await slide('End')
    await slide('ArrowLeft', 3)
    late = await cells()
    const day = await page.$eval('#since', (s) => s.value * 86400e3)
    check(late.n > 0 && late.n < all.n && all.oldest < day && late.oldest >= day, `Since ${new Date(day).toISOString()} the map shows ${JSON.stringify(late)} of ${JSON.stringify(all)}.`)
    check(await page.$eval('#since-text', (o) => o.textContent) !== 'any time', 'The legend does not say since when.')
    await page.screenshot({ path: out.replace(/\.png$/, '-since.png') })
    await slide('Home')
    const back = await cells()
    check(back.n === all.n && await page.$eval('#since-text', (o) => o.textContent) === 'any time', `At any time the map shows ${back.n} cells, before ${all.n}.`)
  }

  check(faults.length === 0, `The page reported faults:\n  ${faults.join('\n  ')}`)
  console.log(JSON.stringify({ ...seen, since: late?.n ?? null, cell: point.h3, frame: new URL(shown.src).pathname.split('/').at(-2), width: shown.width, height: shown.height, idle_ms: idleMS }))
} catch (err) {
  await page.screenshot({ path: out }).catch(() => {})
  const more = faults.length && !err.message.includes('faults') ? `\nThe page reported:\n  ${faults.join('\n  ')}` : ''
  console.error((err instanceof Missing ? err.message : err.stack) + more)
  process.exitCode = 1
} finally {
  await close()
}
