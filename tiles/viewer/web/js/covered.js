// The driver's own map: a line through the published frames of every drive. It is loaded once there is something to show.

import * as api from './api.js'
import { $ } from './dom.js'
import * as f from './format.js'
import { get } from './session.js'
import { ownDrives, style } from './style.js'
import { onTheme, theme } from './theme.js'

let map = null
let lines = { type: 'FeatureCollection', features: [] }
let last = '' // what is drawn

// covered draws what was published of these drives, if that changed.
export async function covered(drives) {
  const days = Number($('covered-days').value)
  const what = `${days} ${drives.map((d) => `${d.id}:${d.frames.published}`).join()}`
  if (what === last) return
  last = what
  $('covered').hidden = !drives.some((d) => d.frames.published)
  if ($('covered').hidden) return
  try {
    lines = await get(`v1/me/coverage${days ? `?since=${new Date(Date.now() - days * 864e5).toISOString()}` : ''}`)
    const frames = lines.features.reduce((n, x) => n + x.properties.frames, 0)
    $('covered-what').textContent = frames ? `${f.plural(frames, 'image', 'images')} of ${f.plural(lines.features.length, 'drive', 'drives')} on the map` : 'Nothing was published in this time.'
    await show()
  } catch (err) {
    last = ''
    $('covered-what').textContent = err.message
  }
}

const bounds = () => {
  const b = [180, 90, -180, -90]
  for (const x of lines.features) for (const l of x.geometry.coordinates) for (const [lon, lat] of l) {
    b[0] = Math.min(b[0], lon); b[1] = Math.min(b[1], lat); b[2] = Math.max(b[2], lon); b[3] = Math.max(b[3], lat)
  }
  return b[0] > b[2] ? null : b
}

const look = async () => {
  const info = await api.map()
  const tiles = info.layers.some((l) => l.id === 'basemap') ? { basemap: await api.tileJSON('basemap') } : {}
  return ownDrives(style(theme, tiles), theme, lines)
}

async function show() {
  const b = bounds()
  if (map) {
    map.getSource('own')?.setData(lines)
    if (b) map.fitBounds(b, { padding: 40, maxZoom: 16, animate: false })
    return
  }
  const gl = await import('../maplibre-gl.mjs')
  gl.setWorkerUrl?.(api.url('maplibre-gl-worker.mjs'))
  map = new gl.Map({ container: 'covered-map', style: await look(), maxZoom: 19, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false, cooperativeGestures: true,
    ...(b ? { bounds: b, fitBoundsOptions: { padding: 40, maxZoom: 16 } } : { center: [10, 30], zoom: 1.4 }) })
  map.addControl(new gl.NavigationControl({ showCompass: false }), 'top-right')
  map.addControl(new gl.ScaleControl({}), 'bottom-right')
  map.addControl(new gl.AttributionControl({ compact: true }), 'bottom-right')
  map.touchZoomRotate.disableRotation()
  map.getCanvas().setAttribute('aria-label', 'Map of what you covered. Arrow keys move, plus and minus zoom.')
  map.on('click', 'own', (e) => { location.href = `./#map=17/${e.lngLat.lat.toFixed(6)}/${e.lngLat.lng.toFixed(6)}` })
  onTheme(async () => map.setStyle(await look()))
  window.covered = map
}
