// The map page: coverage by freshness, drives and images; a click opens the cell's frames.

import { Map as GLMap, Marker, NavigationControl, ScaleControl, AttributionControl, setWorkerUrl } from '../maplibre-gl.mjs'
import * as api from './api.js'
import { $, el, say } from './dom.js'
import * as f from './format.js'
import { Panel } from './panel.js'
import { source, steps, style, viewIcon } from './style.js'
import { onTheme, theme } from './theme.js'

setWorkerUrl?.(api.url('maplibre-gl-worker.mjs'))

const wanted = ['basemap', 'coverage', 'sequences', 'images', 'features']
let tiles = {} // layer → TileJSON
let info = {}
let since = 0

async function load() {
  info = await api.map()
  const found = await Promise.all(wanted.filter((id) => info.layers.some((l) => l.id === id)).map(async (id) => [id, await api.tileJSON(id)]))
  tiles = Object.fromEntries(found)
}

function totals() {
  $('totals').textContent = info.frames
    ? `${f.plural(info.cells, 'cell', 'cells')} · ${f.plural(info.frames, 'image', 'images')} · ${f.distance(info.distance_m)} · newest ${f.age(info.newest)}`
    : 'No coverage yet'
  $('totals').title = $('totals').textContent
}

function legend() {
  $('legend-steps').replaceChildren(...[...steps].reverse().map((s, i, all) => {
    const words = i === all.length - 1 ? `under ${f.percent(all[i - 1].from / 1e6)}` : `from ${f.percent(s.from / 1e6)}`
    return el('li', {}, el('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, el('polygon', { points: '8,0 15,4 15,12 8,16 1,12 1,4', style: { fill: `var(--f${steps.indexOf(s)})` } })),
      s.name[0].toUpperCase() + s.name.slice(1), el('span', { class: 'n' }, words))
  }))
  $('as-of').textContent = info.as_of ? `as of ${f.date(info.as_of)}` : ''
}

function fail(text) {
  $('hint').textContent = text
  $('hint').hidden = false
}

try {
  await load()
} catch (err) {
  fail(`The map cannot be loaded: ${err.message}`)
  throw err
}
totals()
legend()
if (innerWidth < 640) $('legend').querySelector('details').open = false // the map is what a phone has room for

const map = new GLMap({
  container: 'map', style: style(theme, tiles), hash: 'map', maxZoom: 20, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
  ...(location.hash.includes('map=') || !info.bounds ? { center: [10, 30], zoom: 1.4 } : { bounds: info.bounds, fitBoundsOptions: { padding: pad(), maxZoom: 16.5 } }),
})
map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
map.addControl(new ScaleControl({}), 'bottom-right')
map.addControl(new AttributionControl({ compact: true, customAttribution: info.attribution || undefined }), 'bottom-right')
map.touchZoomRotate.disableRotation()
map.getCanvas().setAttribute('aria-label', 'Map. Arrow keys move, plus and minus zoom, Enter opens the cell nearest the middle.')
window.roadcomb = { map, get panel() { return panel }, info: () => info }

function pad() {
  return innerWidth < 640 ? { top: 70, right: 30, bottom: 60, left: 30 } : { top: 90, right: 90, bottom: 70, left: 250 }
}

map.setMissingStyleImageResolver((id) => {
  const m = /^view-(light|dark)$/.exec(id)
  if (m && !map.hasImage(id)) map.addImage(id, viewIcon(m[1]), { pixelRatio: 1 })
})

const marker = new Marker({ element: el('div', { class: 'here' }), rotationAlignment: 'map' })
const panel = new Panel({
  onFrame(x) {
    marker.setLngLat([x.position.lon, x.position.lat]).setRotation(x.heading ?? 0).addTo(map)
    marker.getElement().classList.toggle('blind', x.heading == null)
    const p = map.project([x.position.lon, x.position.lat])
    const w = map.getContainer().clientWidth, h = map.getContainer().clientHeight
    if (p.x < 40 || p.y < 60 || p.x > w - (w > 900 ? 480 : 40) || p.y > h - (w > 640 ? 40 : h * 0.68)) ease([x.position.lon, x.position.lat])
    put('frame', x.id)
  },
  onClose() {
    marker.remove()
    choose('')
    put('cell', null)
    put('frame', null)
    put('feature', null)
  },
})

const still = matchMedia('(prefers-reduced-motion: reduce)')
function ease(center, zoom) {
  const w = map.getContainer().clientWidth, h = map.getContainer().clientHeight
  const offset = !panel.open ? [0, 0] : w > 640 ? [-Math.min(220, w / 5), 0] : [0, -h * 0.3]
  map.easeTo({ center, ...(zoom ? { zoom } : {}), offset, duration: still.matches ? 0 : 350 })
}

// put keeps a value in the address, beside the map's own, so that a view can be sent to someone.
function put(key, value) {
  const q = new URLSearchParams(location.hash.slice(1))
  if (value == null) q.delete(key)
  else q.set(key, value)
  history.replaceState(history.state, '', '#' + q.toString().replaceAll('%2F', '/'))
}

let chosen = ''
function choose(h3) {
  chosen = h3
  if (map.getLayer('coverage-selected')) map.setFilter('coverage-selected', ['==', ['get', 'h3'], h3])
}

function openCell(h3, props, frameID) {
  choose(h3)
  put('feature', null)
  put('cell', h3)
  return panel.cell(h3, props, frameID)
}

function openFeature(id) {
  choose('')
  put('cell', null)
  put('feature', id)
  return panel.feature(id)
}

function pick(point) {
  const box = (r) => [[point.x - r, point.y - r], [point.x + r, point.y + r]]
  const has = (id) => map.getLayer(id) && map.getLayoutProperty(id, 'visibility') !== 'none'
  const [c] = has('coverage') ? map.queryRenderedFeatures([point.x, point.y], { layers: ['coverage'] }) : []
  const [i] = has('images') ? map.queryRenderedFeatures(box(5), { layers: ['images'] }) : []
  const [s] = has('features') ? map.queryRenderedFeatures(box(6), { layers: ['features'] }) : []
  if (s) return openFeature(s.properties.id)
  if (c) return openCell(c.properties.h3, c.properties, i?.properties.id)
  if (i) return openCell(i.properties.cell, null, i.properties.id)
  panel.close()
}
map.on('click', (e) => pick(e.point))

let hover = null
function setHover(id) {
  if (hover === id) return
  if (hover && map.getSource('coverage')) map.setFeatureState({ source: 'coverage', sourceLayer: 'coverage', id: hover }, { hover: false })
  hover = id
  if (hover) map.setFeatureState({ source: 'coverage', sourceLayer: 'coverage', id: hover }, { hover: true })
  map.getCanvas().style.cursor = hover ? 'pointer' : ''
}
map.on('mousemove', 'coverage', (e) => setHover(e.features[0].properties.h3))
map.on('mouseenter', 'features', () => { map.getCanvas().style.cursor = 'pointer' })
map.on('mouseleave', 'coverage', () => setHover(null))

// nearest is the place on screen of the cell on it that is closest to a point: a cell is small to aim at with arrow keys.
function nearest(point) {
  if (!map.getLayer('coverage') || map.getLayoutProperty('coverage', 'visibility') === 'none') return null
  let best = null
  for (const c of map.queryRenderedFeatures({ layers: ['coverage'] })) {
    const ring = (c.geometry.type === 'MultiPolygon' ? c.geometry.coordinates[0] : c.geometry.coordinates)[0].slice(1)
    const { x, y } = map.project([0, 1].map((k) => ring.reduce((sum, p) => sum + p[k], 0) / ring.length))
    const far = Math.hypot(x - point.x, y - point.y)
    if (x >= 0 && y >= 0 && x < canvas.clientWidth && y < canvas.clientHeight && !(best?.far <= far)) best = { x, y, far }
  }
  return best
}

// Keyboard: the map's own arrow keys move it; Enter picks what is under the cross in the middle, or else the nearest cell.
const canvas = map.getCanvas()
canvas.addEventListener('focus', () => { $('crosshair').hidden = !canvas.matches(':focus-visible') })
canvas.addEventListener('blur', () => { $('crosshair').hidden = true })
canvas.addEventListener('keydown', (e) => {
  $('crosshair').hidden = false
  if (e.key !== 'Enter' && e.key !== ' ') return
  e.preventDefault()
  const middle = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 }
  pick(middle)
  if (panel.open) return
  const cell = nearest(middle)
  if (cell) pick(cell)
  else say('There is no coverage on this part of the map.')
})
addEventListener('keydown', (e) => { if (e.key === 'Escape') panel.close() })

// Layers and time. A slider step is a day; the far left shows everything.
const day = 86400e3
function sinceRange() {
  const to = Math.floor(Date.parse(info.newest || 0) / day), from = Math.floor(Date.parse(info.oldest || 0) / day)
  const s = $('since')
  s.min = from
  s.max = Math.max(to, from)
  s.value = since ? since / day : from
  s.disabled = !info.frames || to === from
}
function applySince() {
  const t = since
  const at = (key) => (t ? ['>=', ['coalesce', ['get', key], 0], t] : null)
  for (const [id, key] of [['coverage', 'last_seen'], ['coverage-line', 'last_seen'], ['sequences', 'ended_at'], ['images', 'captured_at'], ['features', 'last_seen']]) if (map.getLayer(id)) map.setFilter(id, at(key))
  if (map.getLayer('headings')) map.setFilter('headings', t ? ['all', ['has', 'compass_angle'], at('captured_at')] : ['has', 'compass_angle'])
  $('since-text').textContent = t ? f.date(t) : 'any time'
}
$('since').addEventListener('input', (e) => {
  since = e.target.value > e.target.min ? e.target.value * day : 0
  applySince()
})
sinceRange()

const groups = { coverage: ['coverage', 'coverage-line', 'coverage-selected'], sequences: ['sequences'], images: ['images', 'headings'], features: ['features'] }
function applyLayers() {
  for (const box of document.querySelectorAll('[data-layer]')) {
    for (const id of groups[box.dataset.layer]) if (map.getLayer(id)) map.setLayoutProperty(id, 'visibility', box.checked ? 'visible' : 'none')
    box.disabled = !tiles[box.dataset.layer]
  }
}
for (const box of document.querySelectorAll('[data-layer]')) box.addEventListener('change', applyLayers)

function restyle() {
  map.setStyle(style(theme, tiles), { diff: true })
  map.once('styledata', () => { applySince(); applyLayers(); choose(chosen) })
}
onTheme(restyle)

map.on('load', () => {
  applyLayers()
  const q = new URLSearchParams(location.hash.slice(1))
  if (q.get('feature')) openFeature(q.get('feature'))
  else if (q.get('cell')) openCell(q.get('cell'), null, q.get('frame'))
  if (!info.frames) fail('There is no coverage yet. Drive, upload, and watch it appear here.')
})

// New tiles show without a reload: only layers whose version changed are fetched again.
async function refresh() {
  if (document.hidden) return
  const was = Object.fromEntries((info.layers ?? []).map((l) => [l.id, l.version]))
  const first = !info.frames
  try {
    const now = await api.map()
    const changed = now.layers.filter((l) => wanted.includes(l.id) && was[l.id] !== l.version)
    info = now
    totals()
    legend()
    if (!changed.length) return
    for (const l of changed) tiles[l.id] = await api.tileJSON(l.id)
    sinceRange()
    if (changed.every((l) => map.getSource(l.id))) for (const l of changed) map.getSource(l.id).setTiles(source(l.id, tiles[l.id]).tiles)
    else restyle()
    if (first && info.bounds) {
      $('hint').hidden = true
      map.fitBounds(info.bounds, { padding: pad(), maxZoom: 16.5 })
    }
  } catch { /* the next try may succeed; the map stays as it is */ }
}
setInterval(refresh, 10e3)
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh() })
