// The driver's page: send footage, see the verdict on every file, find the drives on the map.

import * as api from './api.js'
import { covered } from './covered.js'
import { $, el } from './dom.js'
import * as f from './format.js'
import { get, session } from './session.js'
import './theme.js'
import { chosen, dropped, upload } from './upload.js'

const states = { open: 'arriving', uploaded: 'waiting', ingested: 'being looked at', settled: 'done', abandoned: 'given up' }

// options is what the driver says about the footage; what is left empty is left to the network.
function options() {
  const v = new FormData($('options'))
  const number = (name, factor) => (v.get(name).trim() === '' ? undefined : Number(v.get(name)) * factor)
  const o = { device: v.get('device').trim() || undefined, clock_offset: number('offset', 1e9), assume_speed: number('speed', 1 / 3.6), trim_meters: number('trim', 1) }
  return Object.fromEntries(Object.entries(o).filter(([, x]) => x !== undefined))
}

// Sending.
let stop = null
async function take(files) {
  $('send-error').textContent = ''
  files = files.filter((x) => !x.path.split('/').some((p) => p.startsWith('.')))
  if (!files.length) { $('send-error').textContent = 'There are no files in it.'; return }
  if (!$('options').reportValidity()) return
  if (stop) { $('send-error').textContent = 'One thing at a time: wait until the files before are sent.'; return }
  stop = new AbortController()
  $('sending').hidden = false
  const words = { hash: 'Reading', open: 'Announcing', send: 'Sending', complete: 'Finishing' }
  const what = f.plural(files.length, 'file', 'files')
  let shown = 0
  try {
    const up = await upload(files, { signal: stop.signal, options: options(), on: ({ stage, done, total }) => {
      if (Date.now() - shown < 100 && done < total) return
      shown = Date.now()
      $('sending-what').textContent = `${words[stage]} ${what}, ${mb(done)} of ${mb(total)} MB`
      $('sending-bar').value = total ? done / total : 1
    } })
    $('sending').hidden = true
    await show()
    document.getElementById(`upload-${up.id}`)?.scrollIntoView({ block: 'nearest' })
  } catch (err) {
    $('sending').hidden = true
    $('send-error').textContent = stop.signal.aborted ? 'Stopped. Send the same files again to go on.' : `${err.message} Send the same files again to go on.`
  } finally {
    stop = null
  }
}
const mb = (n) => f.count(Math.round(n / 1e5) / 10)

$('sending-stop').addEventListener('click', () => stop?.abort(new Error('stopped')))
for (const id of ['pick-folder', 'pick-files']) {
  $(id).addEventListener('change', (e) => {
    take(chosen(e.target.files))
    e.target.value = ''
  })
}
const drop = $('drop')
for (const type of ['dragenter', 'dragover']) drop.addEventListener(type, (e) => { e.preventDefault(); drop.classList.add('over') })
for (const type of ['dragleave', 'drop']) drop.addEventListener(type, () => drop.classList.remove('over'))
drop.addEventListener('drop', async (e) => { e.preventDefault(); take(await dropped(e.dataTransfer)) })
addEventListener('dragover', (e) => e.preventDefault()) // a near miss must not open the file
addEventListener('drop', (e) => e.preventDefault())

// What became of it.
let timer = 0
let busy = true
async function show() {
  clearTimeout(timer)
  if ($('signed-in').hidden) return // signed out meanwhile
  try {
    await draw()
  } finally { // also when a request fails, or the page would show for ever what was true then
    timer = setTimeout(() => show().catch(() => {}), busy ? 2000 : 30000)
  }
}

let mine = []
$('covered-days').addEventListener('change', () => covered(mine))

// draw asks for the drives after the uploads: of an upload that is done, the drives are then at least as far as it says.
async function draw() {
  const { uploads } = await get('v1/uploads?limit=50')
  const { drives } = await get('v1/drives?limit=100')
  $('uploads').replaceChildren(...(uploads.length ? uploads.map(uploadItem) : [el('p', { class: 'sub' }, 'Nothing sent yet.')]))
  $('drives').replaceChildren(...(drives.length ? drives.map(driveItem) : [el('p', { class: 'sub' }, 'Drives appear here once your footage was read.')]))
  mine = drives
  covered(drives)
  busy = uploads.some((u) => u.state === 'uploaded' || u.state === 'ingested') || drives.some((d) => d.state !== 'indexed' || d.frames.waiting > 0)
}

const part = (cls, share) => (share > 0 ? el('i', { class: cls, style: { width: `${share * 100}%` } }) : null)
const open = new Set() // uploads whose list of files is open

function uploadItem(u) {
  const c = u.counts
  const refused = c.rejected - c.held
  const list = el('ul', { class: 'files' })
  const details = el('details', { open: open.has(u.id) }, el('summary', {}, refused || c.held ? `Why ${f.plural(c.rejected, 'file was', 'files were')} not accepted` : 'Files'), list)
  const load = async () => {
    if (!details.open) { open.delete(u.id); return }
    open.add(u.id)
    const { files, next } = await get(`v1/uploads/${u.id}/files?limit=1000`)
    const some = refused || c.held ? files.filter((x) => x.verdict === 'rejected') : files
    list.replaceChildren(...some.slice(0, 300).map((x) => el('li', {}, el('code', { title: x.path }, x.path), el('span', {}, x.message || x.verdict))),
      ...(some.length > 300 || next ? [el('li', { class: 'sub' }, 'and more')] : []))
  }
  details.addEventListener('toggle', () => load().catch((err) => list.replaceChildren(el('li', {}, err.message))))
  return el('article', { class: 'item', id: `upload-${u.id}` },
    el('div', { class: 'top' }, el('strong', {}, f.plural(c.files, 'file', 'files')), el('span', { class: `state ${u.state === 'settled' ? 'done' : ''}` }, states[u.state] ?? u.state),
      u.queue?.ahead ? el('span', { class: 'sub' }, `${f.count(u.queue.ahead)} before it`) : null,
      u.failed_jobs ? el('span', { class: 'error' }, 'the operator must look at it') : null,
      el('span', { class: 'sub' }, `${mb(u.bytes)} MB · ${f.date(u.created_at)}`)),
    el('div', { class: 'split', role: 'img', 'aria-label': `${c.accepted} accepted, ${c.held} held, ${refused} not accepted, ${c.waiting} waiting` }, part('ok', c.accepted / c.files), part('held', c.held / c.files), part('no', refused / c.files)),
    el('p', { class: 'counts' }, count(c.accepted, 'accepted'), count(refused, 'not accepted'), count(c.held, 'held for privacy'), count(c.waiting, 'waiting'), count(u.drives, u.drives === 1 ? 'drive' : 'drives')),
    details)
}

const count = (n, word) => (n ? el('span', {}, el('b', {}, f.count(n)), ` ${word}`) : null)

function driveItem(d) {
  const c = d.frames
  const link = el('button', { class: 'btn', type: 'button', disabled: !c.published, onclick: () => onMap(d.id, link) }, 'Show on the map')
  return el('article', { class: 'item' },
    el('div', { class: 'top' }, el('strong', {}, f.date(d.started_at)), el('span', {}, f.distance(d.distance_m)), el('span', { class: `state ${d.state === 'indexed' ? 'done' : ''}` }, d.state === 'indexed' ? 'on the map' : 'being looked at'),
      el('span', { class: 'sub' }, `${f.time(d.started_at)}`)),
    el('p', { class: 'counts' }, count(c.published, 'published'), count(c.rejected, 'not accepted'), count(c.held, 'held for privacy'), count(c.waiting, 'waiting'), count(c.cells, c.cells === 1 ? 'cell' : 'cells')),
    el('p', { class: 'row' }, link))
}

async function onMap(id, button) {
  try {
    const { frames: [x] } = await api.get(`v1/sequences/${id}/frames?limit=1`)
    location.href = `./#map=17/${x.position.lat}/${x.position.lon}&cell=${x.cell}&frame=${x.id}`
  } catch (err) {
    button.replaceWith(el('span', { class: 'sub' }, err.message))
  }
}

session(show)
