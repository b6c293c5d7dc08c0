// The panel of a cell: its frames newest first, one of them large, with what makes its quality.

import * as api from './api.js'
import { $, el, icon, icons, say } from './dom.js'
import * as f from './format.js'

const parts = [['sharpness', 'Sharpness'], ['exposure', 'Exposure'], ['resolution', 'Resolution'], ['position', 'Position'], ['clear', 'Clear view']]
const flags = {
  time_assumed: 'time assumed', time_offset: 'clock corrected', time_from_name: 'time from file name', position_track: 'position from track',
  position_differs: 'two positions disagree', heading_derived: 'heading from course', unsigned: 'unsigned upload',
}

export class Panel {
  constructor({ onFrame, onClose }) {
    this.onFrame = onFrame
    this.onClose = onClose
    this.frames = []
    this.at = -1
    $('panel-close').addEventListener('click', () => this.close())
    $('panel').addEventListener('keydown', (e) => {
      if (e.key === 'ArrowLeft') this.step(-1)
      else if (e.key === 'ArrowRight') this.step(1)
      else return
      e.preventDefault()
    })
  }

  get open() { return !$('panel').hidden }

  // cell shows a cell; frameID chooses the frame to begin with.
  async cell(h3, props, frameID) {
    this.abort?.abort()
    this.abort = new AbortController()
    const signal = this.abort.signal
    this.h3 = h3
    this.props = props
    this.drive = null
    this.show(`Cell ${h3}`, summary(props))
    $('panel-body').replaceChildren(el('p', { class: 'empty' }, 'Loading frames…'))
    try {
      const page = await api.cellFrames(h3, { signal })
      this.frames = page.frames
      this.next = page.next
      if (!props) $('panel-sub').textContent = f.plural(page.frames.length, 'frame', 'frames')
      let at = frameID ? this.frames.findIndex((x) => x.id === frameID) : 0
      if (frameID && at < 0) {
        const one = await api.frame(frameID, { signal })
        this.frames.unshift(one)
        at = 0
      }
      if (!this.frames.length) return this.message('This cell is covered, but none of its frames is public now.')
      this.draw()
      this.select(at)
    } catch (err) {
      if (err.name !== 'AbortError') this.message(err.message)
    }
  }

  // feature shows a map feature in the frames that saw it, each with a box around it.
  async feature(id) {
    this.abort?.abort()
    this.abort = new AbortController()
    const signal = this.abort.signal
    this.drive = null
    this.next = null
    this.show('Beside the road', '')
    $('panel-body').replaceChildren(el('p', { class: 'empty' }, 'Loading frames…'))
    try {
      const { properties: p } = await api.get(`v1/map-features/${id}`, { signal })
      $('panel-title').textContent = featureName(p.class, p.kind)
      $('panel-sub').textContent = `placed to ±${p.accuracy_m} m by ${f.plural(p.frames, 'frame', 'frames')} · seen ${f.date(p.last_seen)}`
      const seen = p.sightings ?? []
      const boxes = new Map(seen.map((x) => [x.frame, x.box]))
      this.frames = await Promise.all(seen.slice(0, 12).map((x) => api.frame(x.frame, { signal })))
      if (!this.frames.length) return this.message('No public frame shows it now.')
      this.draw()
      this.boxes = boxes
      this.select(0)
      say(`${$('panel-title').textContent}, ${$('panel-sub').textContent}`)
    } catch (err) {
      if (err.name !== 'AbortError') this.message(err.message)
    }
  }

  message(text) {
    this.frames = []
    this.at = -1
    $('panel-body').replaceChildren(el('p', { class: 'empty' }, text))
    say(text)
  }

  show(title, sub) {
    const was = $('panel').hidden
    $('panel').hidden = false
    $('panel-title').textContent = title
    $('panel-sub').textContent = sub
    if (was) this.from = document.activeElement
    $('panel-close').focus({ preventScroll: true })
  }

  close() {
    if (!this.open) return
    this.abort?.abort()
    $('panel').hidden = true
    this.frames = []
    this.onClose()
    this.from?.focus?.({ preventScroll: true })
  }

  draw() {
    this.img = el('img', { alt: '', id: 'frame-image' })
    this.wait = el('span', { class: 'load' }, 'Loading image…')
    this.count = el('span', { class: 'count' })
    this.prev = el('button', { class: 'step prev', type: 'button', 'aria-label': 'Newer frame', onclick: () => this.step(-1) }, icon(icons.prev))
    this.nextB = el('button', { class: 'step next', type: 'button', 'aria-label': 'Older frame', onclick: () => this.step(1) }, icon(icons.next))
    this.img.addEventListener('load', () => { this.wait.hidden = true })
    this.img.addEventListener('error', () => { this.wait.hidden = false; this.wait.textContent = 'The image could not be loaded.' })
    this.boxes = null
    this.mark = el('rect', {})
    this.over = el('svg', { class: 'over', 'aria-hidden': 'true', preserveAspectRatio: 'xMidYMid meet' }, this.mark)
    this.strip = el('div', { class: 'strip', role: 'group', 'aria-label': 'Frames' })
    this.facts = el('div', { class: 'facts' })
    $('panel-body').replaceChildren(el('figure', { class: 'photo' }, this.img, this.over, this.wait, this.prev, this.nextB, this.count), this.strip, this.facts)
    this.thumbs()
  }

  thumbs() {
    this.strip.hidden = this.frames.length < 2
    this.strip.replaceChildren(...this.frames.map((x, i) => el('button', { type: 'button', 'aria-label': `Frame ${i + 1}, ${f.date(x.captured_at)}`, onclick: () => this.select(i) },
      el('img', { src: api.url(x.image.url) + '&width=160', alt: '', loading: 'lazy', decoding: 'async' }))))
  }

  async step(by) {
    if (this.at < 0) return
    const to = this.at + by
    if (to >= this.frames.length && this.next) {
      const page = this.drive ? await api.get(`v1/sequences/${this.drive}/frames?cursor=${this.next}&limit=60`) : await api.cellFrames(this.h3, { cursor: this.next })
      this.frames.push(...page.frames)
      this.next = page.next
      this.thumbs()
    }
    if (this.frames[to]) this.select(to)
  }

  select(i) {
    this.at = i
    const x = this.frames[i]
    this.wait.hidden = false
    this.wait.textContent = 'Loading image…'
    this.img.src = api.url(x.image.url)
    this.img.alt = `Street image of ${f.date(x.captured_at)}` + (x.heading == null ? '' : `, looking ${f.compass(x.heading)}`)
    const box = this.boxes?.get(x.id)
    this.over.toggleAttribute('hidden', !box)
    if (box) {
      this.over.setAttribute('viewBox', `0 0 ${x.image.width} ${x.image.height}`)
      const pad = Math.max(6, box[2] * 0.25);
      [['x', box[0] - pad], ['y', box[1] - pad], ['width', box[2] + 2 * pad], ['height', box[3] + 2 * pad]].forEach(([k, v]) => this.mark.setAttribute(k, v))
    }
    if (x.image.width) this.img.parentElement.style.setProperty('aspect-ratio', `${x.image.width} / ${x.image.height}`)
    const more = this.next ? '+' : ''
    this.count.textContent = `${i + 1} of ${this.frames.length}${more}`
    this.prev.disabled = i === 0
    this.nextB.disabled = i === this.frames.length - 1 && !more
    this.prev.setAttribute('aria-label', this.drive ? 'Frame before' : 'Newer frame')
    this.nextB.setAttribute('aria-label', this.drive ? 'Frame after' : 'Older frame');
    [...this.strip.children].forEach((b, j) => b.setAttribute('aria-current', String(i === j)))
    this.strip.children[i]?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    this.facts.replaceChildren(...this.describe(x))
    say(`Frame ${i + 1} of ${this.frames.length}: ${this.img.alt}, quality ${x.quality.grade}.`)
    this.onFrame(x)
  }

  describe(x) {
    const q = x.quality
    const hidden = Object.entries(x.redacted ?? {}).map(([k, n]) => f.plural(n, k, k + 's')).join(', ')
    const rows = [
      ['Looking', x.heading == null ? 'unknown' : `${f.compass(x.heading)} (${Math.round(x.heading)}°)`],
      ['Position', `${x.position.lat.toFixed(5)}, ${x.position.lon.toFixed(5)}` + (x.accuracy_m ? ` ± ${x.accuracy_m < 10 ? x.accuracy_m.toFixed(1) : Math.round(x.accuracy_m)} m` : '')],
      ['Made unreadable', hidden || 'nothing found'],
      ['Drive', el('code', {}, x.sequence.slice(0, 12))],
      ['Place in drive', f.count(x.seq + 1)],
    ]
    return [
      el('div', { class: 'when' },
        el('span', { class: `grade ${q.grade}`, role: 'img', 'aria-label': `Quality ${q.grade}` }, q.grade || '–'),
        el('p', {}, el('strong', {}, f.date(x.captured_at)), el('span', { class: 'sub' }, `${f.time(x.captured_at)} · ${f.age(x.captured_at)}`))),
      el('dl', { class: 'parts', 'aria-label': 'Parts of the quality' }, parts.filter(([k]) => q[k] != null).map(([k, name]) => [
        el('dt', {}, name),
        el('dd', {}, el('span', { class: 'meter', 'aria-hidden': 'true' }, el('i', { style: { width: f.percent(q[k]).replace(' ', '') } })), el('span', { class: 'v' }, String(Math.round(q[k] * 100)))),
      ]).flat()),
      el('dl', { class: 'rows' }, rows.map(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]).flat()),
      x.flags?.length ? el('ul', { class: 'tags', 'aria-label': 'Notes' }, x.flags.map((k) => el('li', {}, flags[k] ?? k))) : null,
      el('div', { class: 'actions' },
        el('button', { class: 'btn', type: 'button', 'aria-pressed': String(!!this.drive), onclick: () => (this.drive ? this.backToCell() : this.alongDrive(x)) }, this.drive ? 'Along the drive' : 'Follow the drive'),
        el('a', { class: 'btn', href: api.url(x.image.url), target: '_blank', rel: 'noopener' }, 'Open image'),
        el('button', { class: 'btn', type: 'button', 'aria-expanded': 'false', onclick: (e) => this.report(x, e.currentTarget) }, 'Report')),
    ].filter(Boolean)
  }

  // report opens a form by which anyone can ask for a missing blur, for one that is in the way, or for removal.
  report(x, button) {
    const open = this.facts.querySelector('form')
    if (open) {
      open.remove()
      button.setAttribute('aria-expanded', 'false')
      return
    }
    const option = (value, text) => el('option', { value }, text)
    const kind = el('select', { name: 'kind', required: true }, option('blur_missing', 'Someone or something is readable'), option('blur_excess', 'Something is covered needlessly'), option('remove', 'This image should go'))
    const what = el('select', { name: 'class' }, option('face', 'a face'), option('plate', 'a number plate'), option('person', 'a person'), option('text', 'other text'))
    const whatRow = el('label', {}, 'What shows', what)
    kind.addEventListener('change', () => { whatRow.hidden = kind.value !== 'blur_missing' })
    const note = el('textarea', { name: 'note', rows: 2, maxlength: 1000, placeholder: 'Where in the image, and why' })
    const said = el('p', { class: 'sub', role: 'status' })
    const form = el('form', { class: 'report' }, el('label', {}, 'What is wrong', kind), whatRow, el('label', {}, 'Note', note), el('button', { class: 'btn', type: 'submit' }, 'Send report'), said)
    form.addEventListener('submit', async (e) => {
      e.preventDefault()
      try {
        await api.call('POST', `v1/frames/${x.id}/reports`, { body: { kind: kind.value, note: note.value, ...(kind.value === 'blur_missing' ? { class: what.value } : {}) } })
        form.replaceChildren(el('p', { role: 'status' }, 'Thank you. The operator will look at it.'))
      } catch (err) {
        said.textContent = err.message
      }
    })
    this.facts.append(form)
    button.setAttribute('aria-expanded', 'true')
    kind.focus()
    form.scrollIntoView({ block: 'nearest' })
  }

  // alongDrive replaces the cell's frames by those of the drive around x, in the order they were taken.
  async alongDrive(x) {
    try {
      const page = await api.get(`v1/sequences/${x.sequence}/frames?around=${x.id}&limit=60`)
      this.drive = x.sequence
      this.frames = page.frames
      this.next = page.next
      $('panel-title').textContent = `Drive ${x.sequence.slice(0, 12)}`
      $('panel-sub').textContent = f.date(x.captured_at)
      this.draw()
      this.select(Math.max(0, this.frames.findIndex((y) => y.id === x.id)))
    } catch (err) {
      this.message(err.message)
    }
  }

  backToCell() {
    const x = this.frames[this.at]
    this.cell(x.cell, null, x.id)
  }
}

const kinds = { red_ring: 'round sign with a red ring', red_triangle: 'triangular sign with a red edge', red_full: 'red sign', blue: 'blue sign', yellow: 'yellow sign' }
const featureName = (cls, kind) => { const n = kinds[kind] ?? (cls === 'text' ? 'text' : 'sign'); return n[0].toUpperCase() + n.slice(1) }

function summary(p) {
  if (!p) return ''
  const bits = []
  if (p.freshness != null) bits.push(`${f.percent(p.freshness / 1e6)} fresh`)
  if (p.count != null) bits.push(f.plural(p.count, 'frame', 'frames'))
  if (p.road_share != null) bits.push(`${Math.round(p.road_share / 1e4)} % of its road driven`)
  if (p.last_seen) bits.push(`seen ${f.date(p.last_seen)}`)
  return bits.join(' · ')
}
