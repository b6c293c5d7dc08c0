// Fills dist/ with what the page loads and the repository does not hold: MapLibre and a world map of land, borders and
// country names made from Natural Earth (world-atlas). Run after `npm ci`; `go build` then embeds dist/.
import { cpSync, mkdirSync, readFileSync, rmSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { feature, mesh } from 'topojson-client'

const here = dirname(fileURLToPath(import.meta.url))
const dist = join(here, 'dist')
const require = createRequire(import.meta.url)

mkdirSync(dist, { recursive: true })
for (const name of readdirSync(dist)) if (name !== '.gitignore') rmSync(join(dist, name), { recursive: true })

const maplibre = dirname(require.resolve('maplibre-gl/package.json'))
for (const name of ['maplibre-gl.mjs', 'maplibre-gl-worker.mjs', 'maplibre-gl.css']) {
  const text = readFileSync(join(maplibre, 'dist', name), 'utf8')
  writeFileSync(join(dist, name), text.replace(/\n(\/\/|\/\*)# sourceMappingURL=.*$/m, '\n'))
}
cpSync(join(maplibre, 'LICENSE.txt'), join(dist, 'maplibre-gl.LICENSE.txt'))
cpSync(join(dirname(require.resolve('world-atlas/package.json')), 'LICENSE'), join(dist, 'world-atlas.LICENSE.txt'))

// 0.001° is 110 m; the map stops drawing this coast where that would show.
const round = (v) => (Array.isArray(v) ? v.map(round) : Math.round(v * 1e3) / 1e3)
const write = (name, features) =>
  writeFileSync(join(dist, name), JSON.stringify({ type: 'FeatureCollection', features }))
const atlas = (name) => JSON.parse(readFileSync(require.resolve(`world-atlas/${name}.json`)))

const countries = atlas('countries-50m')
const land = feature(countries, countries.objects.land)
write('land.geojson', (land.features ?? [land]).map((f) => ({
  type: 'Feature', properties: {}, geometry: { ...f.geometry, coordinates: round(f.geometry.coordinates) },
})))
write('borders.geojson', [{
  type: 'Feature', properties: {},
  geometry: (({ type, coordinates }) => ({ type, coordinates: round(coordinates) }))(
    mesh(countries, countries.objects.countries, (a, b) => a !== b)),
}])
write('countries.geojson', feature(countries, countries.objects.countries).features.filter((f) => f.geometry).map((f) => {
  const { point, area } = label(f.geometry)
  return { type: 'Feature', properties: { name: f.properties.name, rank: Math.round(Math.log2(area + 0.001)) },
    geometry: { type: 'Point', coordinates: round(point) } }
}))

// label is the centroid and planar area (square degrees) of the largest part of a country.
function label(g) {
  const parts = g.type === 'Polygon' ? [g.coordinates] : g.coordinates
  let best = { area: -1 }
  for (const [ring] of parts) {
    let a = 0, x = 0, y = 0
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const c = ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1]
      a += c; x += (ring[j][0] + ring[i][0]) * c; y += (ring[j][1] + ring[i][1]) * c
    }
    if (Math.abs(a / 2) > best.area) best = { area: Math.abs(a / 2), point: a ? [x / (3 * a), y / (3 * a)] : ring[0] }
  }
  return best
}
