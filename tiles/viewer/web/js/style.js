// The map's look: a plain world without labels of its own fonts, and the three layers of the network on top.

import { url } from './api.js'

// Freshness is parts per million; a step applies from its value up. A place that was seen just now, but from one side
// only, has half.
export const steps = [
  { from: 0, name: 'stale', light: '#b9a99a', dark: '#5d5458' },
  { from: 100e3, name: 'old', light: '#d3a968', dark: '#8c6a48' },
  { from: 250e3, name: 'ageing', light: '#eda52b', dark: '#d18f1f' },
  { from: 400e3, name: 'recent', light: '#6fae5c', dark: '#7fbf5a' },
  { from: 650e3, name: 'fresh', light: '#0e8f72', dark: '#35d6a4' },
]

const looks = {
  light: { land: '#f3f1ea', sea: '#cfdde3', border: '#c9c3b5', label: '#7b766a', halo: '#f3f1ea', drive: '#3c4a45', image: '#1f5f8b', ring: '#ffffff', select: '#0b3d91', hexline: '#ffffff',
    road: '#ffffff', casing: '#d9d3c6', path: '#e2dccf', rail: '#c9c4ba', building: '#e6e1d6', water: '#bcd3dc', green: '#dfe8d0' },
  dark: { land: '#171c1a', sea: '#0d1214', border: '#343c39', label: '#89938e', halo: '#171c1a', drive: '#c4d0ca', image: '#8fd0ff', ring: '#0d1214', select: '#ffffff', hexline: '#171c1a',
    road: '#39423e', casing: '#0f1312', path: '#2a312e', rail: '#303835', building: '#212826', water: '#12242c', green: '#1a251c' },
}

export const font = ['sans-serif']

const ramp = (theme) => ['step', ['coalesce', ['get', 'freshness'], 0], steps[0][theme], ...steps.slice(1).flatMap((s) => [s.from, s[theme]])]

export function style(theme, tiles) {
  const c = looks[theme]
  const geojson = (name) => ({ type: 'geojson', data: url(name), tolerance: 0.4 })
  const sources = {
    land: { ...geojson('land.geojson'), attribution: 'Natural Earth' },
    borders: geojson('borders.geojson'),
    countries: geojson('countries.geojson'),
  }
  for (const [id, t] of Object.entries(tiles)) sources[id] = source(id, t)
  // Beyond zoom 8 the world's coast is too coarse to be true, so the ground takes over.
  const fade = (a, b) => ['interpolate', ['linear'], ['zoom'], a, 1, b, 0]
  const layers = [
    { id: 'ground', type: 'background', paint: { 'background-color': ['interpolate', ['linear'], ['zoom'], 6, c.sea, 9, c.land] } },
    { id: 'land', type: 'fill', source: 'land', maxzoom: 10, paint: { 'fill-color': c.land } },
    { id: 'borders', type: 'line', source: 'borders', maxzoom: 9, paint: { 'line-color': c.border, 'line-width': ['interpolate', ['linear'], ['zoom'], 1, 0.5, 7, 1.4], 'line-opacity': fade(6, 9) } },
    { id: 'countries', type: 'symbol', source: 'countries', maxzoom: 7,
      filter: ['>=', ['get', 'rank'], ['step', ['zoom'], 7, 2, 5, 3, 3, 4, 1, 5, -20]],
      layout: { 'text-field': ['get', 'name'], 'text-font': font, 'text-size': ['interpolate', ['linear'], ['zoom'], 1, 10, 6, 14], 'text-max-width': 7, 'symbol-sort-key': ['-', ['get', 'rank']] },
      paint: { 'text-color': c.label, 'text-halo-color': c.halo, 'text-halo-width': 1.4 } },
  ]
  if (tiles.basemap) layers.push(...streets(c))
  const names = layers.splice(layers.findIndex((l) => l.id === 'countries'), 1)
  if (tiles.coverage) {
    layers.push(
      { id: 'coverage', type: 'fill', source: 'coverage', 'source-layer': 'coverage',
        paint: { 'fill-color': ramp(theme), 'fill-antialias': true,
          'fill-opacity': ['interpolate', ['linear'], ['zoom'], 3, 0.85, 13, ['case', ['boolean', ['feature-state', 'hover'], false], 0.8, 0.62], 17, ['case', ['boolean', ['feature-state', 'hover'], false], 0.55, 0.38]] } },
      { id: 'coverage-line', type: 'line', source: 'coverage', 'source-layer': 'coverage', minzoom: 5,
        paint: { 'line-color': c.hexline, 'line-width': ['interpolate', ['linear'], ['zoom'], 5, 0.3, 15, 1], 'line-opacity': 0.7 } },
      { id: 'coverage-selected', type: 'line', source: 'coverage', 'source-layer': 'coverage', filter: ['==', ['get', 'h3'], ''],
        layout: { 'line-join': 'round' }, paint: { 'line-color': c.select, 'line-width': 3 } })
  }
  if (tiles.sequences) {
    layers.push({ id: 'sequences', type: 'line', source: 'sequences', 'source-layer': 'sequences',
      layout: { 'line-join': 'round', 'line-cap': 'round' },
      paint: { 'line-color': c.drive, 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 0.8, 14, 1.8, 18, 3], 'line-opacity': 0.75 } })
  }
  if (tiles.images) {
    const minzoom = tiles.images.minzoom
    layers.push(
      { id: 'images', type: 'circle', source: 'images', 'source-layer': 'images', minzoom,
        paint: { 'circle-color': c.image, 'circle-radius': ['interpolate', ['linear'], ['zoom'], 14, 1.2, 15, 2, 16, 3.4, 19, 8],
          'circle-stroke-color': c.ring, 'circle-stroke-width': ['interpolate', ['linear'], ['zoom'], 14, 0, 15, 0.4, 17, 1.6] } },
      { id: 'headings', type: 'symbol', source: 'images', 'source-layer': 'images', minzoom: 15.5, filter: ['has', 'compass_angle'],
        layout: { 'icon-image': `view-${theme}`, 'icon-rotate': ['get', 'compass_angle'], 'icon-rotation-alignment': 'map', 'icon-allow-overlap': true, 'icon-ignore-placement': true,
          'icon-size': ['interpolate', ['linear'], ['zoom'], 15.5, 0.5, 19, 1.3] } })
  }
  if (tiles.features) {
    const color = ['match', ['get', 'kind'], ['red_ring', 'red_triangle', 'red_full'], '#d43d34', 'blue', '#2f72d6', 'yellow', '#e0a81c', c.label]
    layers.push({ id: 'features', type: 'circle', source: 'features', 'source-layer': 'features', minzoom: 14,
      paint: { 'circle-color': color, 'circle-radius': ['interpolate', ['linear'], ['zoom'], 14, 2.4, 16, 4.5, 19, 9], 'circle-stroke-color': c.ring,
        'circle-stroke-width': ['interpolate', ['linear'], ['zoom'], 14, 0.8, 17, 2.2] } })
  }
  layers.push(...names)
  if (tiles.basemap) layers.push(...labels(c))
  return { version: 8, name: 'roadcomb', sources, layers, transition: { duration: 200, delay: 0 } }
}

// ownDrives puts a driver's lines, as GeoJSON, on top of a style.
export function ownDrives(style, theme, lines) {
  const line = (id, color, width) => ({ id, type: 'line', source: 'own', layout: { 'line-join': 'round', 'line-cap': 'round' },
    paint: { 'line-color': color, 'line-width': ['interpolate', ['linear'], ['zoom'], 5, width / 2, 14, width, 18, 2 * width] } })
  return { ...style, sources: { ...style.sources, own: { type: 'geojson', data: lines } }, layers: [...style.layers, line('own-casing', looks[theme].ring, 6), line('own', looks[theme].image, 3.5)] }
}

// streets are the ground of a city, quiet enough for the coverage to be seen on it.
function streets(c) {
  const of = (layer, more) => ({ source: 'basemap', 'source-layer': layer, ...more })
  const is = (...classes) => ['match', ['get', 'class'], classes, true, false]
  const wide = (...stops) => ['interpolate', ['exponential', 1.5], ['zoom'], ...stops]
  const line = (id, classes, color, width, more = {}) => of('roads', { id, type: 'line', filter: is(...classes), layout: { 'line-join': 'round', 'line-cap': 'round' }, paint: { 'line-color': color, 'line-width': width, ...more.paint }, ...(more.minzoom ? { minzoom: more.minzoom } : {}) })
  const main = wide(6, 0.5, 12, 1.8, 18, 16), street = wide(12, 0.6, 15, 3, 18, 11), big = wide(6, 0.8, 12, 2.4, 18, 20)
  const plus = (w) => w.map((v, i) => (i > 3 && i % 2 === 0 ? v + 1.6 : v))
  return [
    of('green', { id: 'green', type: 'fill', paint: { 'fill-color': c.green } }),
    of('water', { id: 'water', type: 'fill', filter: is('area'), paint: { 'fill-color': c.water } }),
    of('water', { id: 'water-line', type: 'line', filter: is('line', 'coast'), paint: { 'line-color': c.water, 'line-width': wide(8, 0.6, 14, 2.5, 18, 8) } }),
    of('buildings', { id: 'buildings', type: 'fill', minzoom: 13, paint: { 'fill-color': c.building, 'fill-opacity': ['interpolate', ['linear'], ['zoom'], 13, 0, 14.5, 1] } }),
    line('rail', ['rail'], c.rail, wide(10, 0.6, 16, 2), { paint: { 'line-dasharray': [4, 2] } }),
    line('paths', ['path'], c.path, wide(14, 0.6, 18, 4), { minzoom: 13.5 }),
    line('service-casing', ['service'], c.casing, plus(wide(13, 0.4, 15, 1.6, 18, 7)), { minzoom: 13.5 }),
    line('street-casing', ['street'], c.casing, plus(street), { minzoom: 12 }),
    line('main-casing', ['main'], c.casing, plus(main)),
    line('motorway-casing', ['motorway'], c.casing, plus(big)),
    line('service', ['service'], c.road, wide(13, 0.4, 15, 1.6, 18, 7), { minzoom: 13.5 }),
    line('street', ['street'], c.road, street, { minzoom: 12 }),
    line('main', ['main'], c.road, main),
    line('motorway', ['motorway'], c.road, big),
  ]
}

// labels lie over the coverage: they are what one finds a place by.
function labels(c) {
  const text = (id, layer, layout, more) => ({ id, type: 'symbol', source: 'basemap', 'source-layer': layer, layout: { 'text-field': ['get', 'name'], 'text-font': font, ...layout }, paint: { 'text-color': c.label, 'text-halo-color': c.halo, 'text-halo-width': 1.6 }, ...more })
  return [
    text('street-names', 'roads', { 'symbol-placement': 'line', 'text-size': ['interpolate', ['linear'], ['zoom'], 14, 10, 18, 14], 'text-max-angle': 30, 'text-padding': 6 }, { minzoom: 14.5, filter: ['match', ['get', 'class'], ['street', 'main', 'motorway'], true, false] }),
    text('place-names', 'places', { 'text-size': ['match', ['get', 'class'], ['city', 'town'], 16, ['suburb', 'village'], 13, 11], 'text-letter-spacing': 0.04, 'text-max-width': 7 }, { maxzoom: 17 }),
  ]
}

// source turns TileJSON into a source. Its addresses may be relative to the server.
export function source(id, t) {
  return { type: 'vector', tiles: t.tiles.map((u) => absolute(u)), minzoom: t.minzoom, maxzoom: t.maxzoom, bounds: t.bounds,
    attribution: t.attribution, ...(id === 'coverage' ? { promoteId: { coverage: 'h3' } } : {}) }
}

const absolute = (u) => (/^https?:/.test(u) ? u : new URL(url('.')).origin + u)

// viewIcon draws the field of view that points up, 64 × 64.
export function viewIcon(theme) {
  const c = document.createElement('canvas')
  c.width = c.height = 64
  const g = c.getContext('2d')
  const fade = g.createRadialGradient(32, 32, 6, 32, 32, 32)
  fade.addColorStop(0, looks[theme].image + 'cc')
  fade.addColorStop(1, looks[theme].image + '00')
  g.fillStyle = fade
  g.beginPath()
  g.moveTo(32, 32)
  g.arc(32, 32, 32, -Math.PI / 2 - 0.55, -Math.PI / 2 + 0.55)
  g.closePath()
  g.fill()
  return g.getImageData(0, 0, 64, 64)
}
