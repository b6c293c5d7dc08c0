// The rewards page: what each week paid a contributor, why, and what can be claimed; and what the network paid in all.

import * as api from './api.js'
import { $, el, say } from './dom.js'
import * as f from './format.js'
import { get, session } from './session.js'
import './theme.js'

// Amounts are base units, 10^-9 of a token, as decimal strings: they go through BigInt, because numbers lose digits.
const unit = 10n ** 9n
export function tokens(units) {
  const n = BigInt(units)
  const [sign, a] = n < 0n ? ['−', -n] : ['', n]
  const rest = (a % unit).toString().padStart(9, '0').replace(/0+$/, '')
  return `${sign}${(a / unit).toLocaleString(navigator.language || 'en')}${rest ? '.' + rest : ''}`
}
const amount = (units, cls = '') => el('span', { class: `num ${cls}`, title: `${units} base units` }, tokens(units))
const sum = (list) => list.reduce((a, b) => a + BigInt(b), 0n)
const percent = (ppm) => `${(ppm / 1e4).toLocaleString(navigator.language || 'en', { maximumFractionDigits: 1 })} %`
const week = (e) => `Week of ${f.date(`${e}T00:00:00Z`)}`

let codes = {}

async function show() {
  const me = await get('v1/rewards/me')
  codes = Object.fromEntries((me.codes ?? []).map((c) => [c.code, c.text]))
  const claims = await Promise.all(me.accounts.map((a) => api.get(`v1/rewards/claims/${a.address}`).catch(() => null)))
  const settled = claims.some((c) => c?.published != null)
  const of = (key) => sum(claims.map((c) => c?.[key] ?? 0))
  const item = (name, value, note) => el('div', {}, el('dt', {}, name), el('dd', {}, value, note ? el('span', { class: 'sub' }, note) : null))
  $('sums').replaceChildren(...[
    item('Earned', amount(me.earned), 'in all closed weeks'),
    settled ? item('Claimed', amount(of('claimed')), 'paid out already') : null,
    settled ? item('Claimable', amount(of('claimable'), 'good'), 'published and not claimed') : null,
    BigInt(me.escrow) ? item('Held', amount(me.escrow), 'until it is clear') : null,
    BigInt(me.debt) ? item('Owed', amount(me.debt), 'taken from what comes next') : null,
  ].filter(Boolean))
  $('accounts').replaceChildren(...(me.accounts.length ? [
    ...me.accounts.map((a, i) => el('article', { class: 'item' },
      el('div', { class: 'top' }, el('strong', {}, amount(a.cumulative)), a.reserved ? el('span', {}, 'in reserve: no payout address is set') : el('code', {}, a.address)),
      a.reserved ? el('p', { class: 'sub' }, 'It waits for you and moves to your address once the operator has it.') : claimText(claims[i]))),
    ...(settled ? [] : [el('p', { class: 'sub' }, 'This network does not settle on a chain: what is earned is what the published weeks say.')]),
  ] : [el('p', { class: 'sub' }, 'Nothing is booked yet. A week is paid once it is over and its footage was looked at.')]))

  $('vouch-sheet').hidden = !me.enrolled
  if (me.enrolled) vouch(me.newcomers ?? [])
  $('holds-sheet').hidden = !me.holds.length
  $('holds').replaceChildren(...me.holds.map(holdItem))
  $('weeks').replaceChildren(me.epochs.length ? table('Weeks that paid you', ['Week', 'Earned', 'Held', 'Images', 'Cells', ''], me.epochs.map((e) => [
    week(e.epoch), amount(e.amount), BigInt(e.held) ? amount(e.held) : '', f.count(e.frames), f.count(e.cells),
    el('button', { class: 'btn', type: 'button', 'aria-label': `Why: ${week(e.epoch)}`, onclick: () => statement(e.epoch) }, 'Why'),
  ]), [1, 2, 3, 4]) : el('p', { class: 'sub' }, 'No closed week has paid you yet.'))
  const wanted = new URLSearchParams(location.hash.slice(1)).get('week')
  if (wanted && me.epochs.some((e) => e.epoch === wanted)) await statement(wanted)
}

function claimText(c) {
  if (c?.published == null) return null
  return el('p', { class: 'counts' }, el('span', {}, 'published ', amount(c.published)), el('span', {}, 'claimed ', amount(c.claimed)), el('span', {}, 'claimable ', amount(c.claimable)),
    c.proof ? el('a', { href: api.url(`v1/rewards/epochs/${c.proof.epoch}/claims/${c.address}`) }, 'Proof to claim with') : null)
}

// table makes a table with a caption for screen readers; right names the columns of numbers.
function table(caption, head, rows, right = [], foot) {
  const cell = (tag, x, i, more = {}) => el(tag, { class: right.includes(i) ? 'right' : '', ...more }, x)
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el('table', { class: head.length > 3 ? 'stack' : '' }, el('caption', { class: 'hidden' }, caption),
      el('thead', {}, el('tr', {}, head.map((h, i) => cell('th', h || el('span', { class: 'hidden' }, 'Action'), i, { scope: 'col' })))),
      el('tbody', {}, rows.map((r) => el('tr', {}, r.map((x, i) => (i === 0 ? cell('th', x, i, { scope: 'row' }) : cell('td', x, i, { 'data-label': head[i] || false })))))),
      foot ? el('tfoot', {}, el('tr', {}, foot.map((x, i) => (i === 0 ? cell('th', x, i) : cell('td', x, i, { 'data-label': head[i] || false }))))) : null))
}

const openCells = 200 // rows shown at first

async function statement(epoch) {
  $('statement-sheet').hidden = false
  $('statement-title').textContent = `Statement, ${week(epoch)[0].toLowerCase()}${week(epoch).slice(1)}`
  $('statement').replaceChildren(el('p', { class: 'sub' }, 'Adding up…'))
  history.replaceState(history.state, '', `#week=${epoch}`)
  let s
  try {
    s = await get(`v1/rewards/me/epochs/${epoch}`)
  } catch (err) {
    $('statement').replaceChildren(el('p', { class: 'error' }, err.message))
    return
  }
  // One row a cell; its lines are the days (slots) that it was seen in.
  const cells = new Map()
  for (const l of s.lines) {
    const c = cells.get(l.cell) ?? { region: l.region ?? '', lines: [], amount: 0n, demand: 0n, held: 0n, frames: 0, excluded: 0 }
    c.lines.push(l)
    c.amount += BigInt(l.amount)
    c.demand += BigInt(l.demand)
    c.held += BigInt(l.held)
    c.frames += l.frames
    c.excluded += l.excluded
    cells.set(l.cell, c)
  }
  const rows = [...cells].map(([h3, c]) => ({ h3, ...c, total: c.amount + c.demand - c.held })).sort((a, b) => (a.total === b.total ? (a.h3 < b.h3 ? -1 : 1) : a.total < b.total ? 1 : -1))
  const coverage = sum(rows.map((r) => r.amount)), demand = sum(rows.map((r) => r.demand)), orders = sum(s.hits.map((h) => h.amount))
  const all = coverage + demand + orders + BigInt(s.qa) - BigInt(s.held)
  const parts = [['Coverage of cells', coverage], ['What customers paid for them', demand], ['Work orders filled', orders], ['Checking others\' work', BigInt(s.qa)], ['Held until it is clear', -BigInt(s.held)]]
  const details = el('div', {})
  const draw = (n) => details.replaceChildren(table('What each cell paid', ['Cell', 'Images', 'Coverage', 'Customers', 'Held', 'Paid', 'Why'], rows.slice(0, n).map((r) => [
    el('a', { href: `./#cell=${r.h3}`, class: 'mono' }, r.h3),
    f.count(r.frames) + (r.excluded ? ` + ${f.count(r.excluded)} not counted` : ''),
    amount(r.amount), r.demand ? amount(r.demand) : '', r.held ? amount(r.held) : '', amount(r.total), why(r),
  ]), [1, 2, 3, 4, 5], ['All cells', f.count(rows.reduce((a, r) => a + r.frames, 0)), amount(coverage), amount(demand), amount(sum(rows.map((r) => r.held))), amount(sum(rows.map((r) => r.total))), '']),
  rows.length > n ? el('p', { class: 'row' }, el('button', { class: 'btn', type: 'button', onclick: () => draw(rows.length) }, `Show all ${f.count(rows.length)} cells`)) : '')
  draw(openCells)
  // With regions, each cell is paid from its region's part of the pool.
  const regions = (s.regions ?? []).map((r) => {
    const mine = rows.filter((x) => x.region === (r.region ?? ''))
    return [r.region ? el('a', { href: `./#cell=${r.region}`, class: 'mono' }, r.region) : 'Outside all regions', f.count(mine.length), amount(sum(mine.map((x) => x.amount))),
      amount(r.spent), amount(r.pool), r.region ? `${f.count(Math.round(r.road / 1e6))} km, ${percent(r.progress)}` : '']
  })
  const exact = all === BigInt(s.amount)
  $('statement').replaceChildren(
    table('How the week adds up', ['Part', 'Tokens'], parts.filter(([, v], i) => v !== 0n || i === 0).map(([name, v]) => [name, amount(v)]), [1], ['Paid', amount(s.amount)]),
    el('p', { class: exact ? 'sub' : 'error', id: 'adds-up', 'data-exact': String(exact) }, exact ? 'The parts add up to what was paid, to the last base unit.' : `The parts add up to ${tokens(all)}. Please tell the operator.`),
    regions.length ? table('Regions that paid', ['Region', 'Your cells', 'Coverage', 'To all', 'At most', 'Road and progress'], regions, [1, 2, 3, 4], ['All regions', f.count(rows.length), amount(coverage), '', '', '']) : '',
    rows.length ? details : el('p', { class: 'sub' }, 'No cell counted in this week.'),
    s.hits.length ? table('Work orders filled', ['Order', 'Cell', 'Paid'], s.hits.map((h) => [h.order, el('a', { href: `./#cell=${h.cell}&frame=${h.frame}`, class: 'mono' }, h.cell), amount(h.amount)]), [2]) : '',
    s.corrections.length ? el('h3', {}, 'Corrections booked with it') : '',
    s.corrections.length ? table('Corrections', ['For week', 'Kind', 'Tokens', 'Why', 'Decided by'], s.corrections.map((k) => [k.epoch, k.kind, amount(k.amount), k.reason, k.decided_by]), [2]) : '',
    el('p', { class: 'sub' }, 'Computed again from the published files by ', el('code', {}, `roadcomb rewards explain`), '.'))
  $('statement-title').focus({ preventScroll: true })
  $('statement-sheet').scrollIntoView({ block: 'start', behavior: 'auto' })
  say(exact ? 'The statement adds up.' : 'The statement does not add up.')
}

// why says in words what made a cell's amount, day by day; what paid nothing says its reason first.
function why(r) {
  const reasons = [...new Set(r.lines.filter((l) => l.code && l.code !== 'paid' && BigInt(l.amount) === 0n).map((l) => l.reason || codes[l.code] || l.code))]
  const days = r.lines.map((l) => el('li', {}, el('strong', {}, f.date(l.slot)), l.code && BigInt(l.amount) === 0n ? ` · ${l.reason || codes[l.code] || l.code}`
    : ` · need ${percent(l.need)}, quality ${percent(l.quality)}, trust ${percent(l.trust)}, place ${l.rank || '–'} of the day (${percent(l.rank_weight)}), score ${percent(l.score)} of ${percent(l.total)}: ${tokens(l.amount)} of ${tokens(l.rate)}`))
  return el('details', {}, el('summary', {}, reasons.length ? reasons.join('; ') : r.lines.length === 1 ? 'One day' : `${r.lines.length} days`), el('ul', { class: 'days' }, days))
}

// vouch shows for whom an enrolled driver answers, and lets them add a newcomer or end it.
function vouch(newcomers) {
  const said = el('p', { class: 'sub', role: 'status' })
  const act = async (method, id) => {
    try {
      await api.call(method, `v1/rewards/me/newcomers/${encodeURIComponent(id)}`)
      await show()
    } catch (err) {
      said.textContent = err.message
    }
  }
  const id = el('input', { type: 'text', name: 'newcomer', required: true, maxlength: 64, autocomplete: 'off' })
  const form = el('form', { class: 'report' }, el('label', {}, 'Contributor id of the newcomer', id), el('button', { class: 'btn', type: 'submit' }, 'Answer for them'), said)
  form.addEventListener('submit', (e) => {
    e.preventDefault()
    act('PUT', id.value.trim())
  })
  $('vouch').replaceChildren(...newcomers.map((n) => el('article', { class: 'item' }, el('div', { class: 'top' }, el('code', {}, n),
    el('button', { class: 'btn', type: 'button', 'aria-label': `No longer answer for ${n}`, onclick: () => act('DELETE', n) }, 'End')))), form)
}

function holdItem(h) {
  const states = { open: 'You can answer', appealed: 'Your answer is being looked at', cleared: 'Cleared', confirmed: 'Confirmed' }
  const said = el('p', { class: 'sub', role: 'status' })
  const text = el('textarea', { name: 'text', rows: 3, maxlength: 4000, required: true })
  const form = h.state === 'open' ? el('form', { class: 'report' }, el('label', {}, 'Your answer', text), el('button', { class: 'btn main', type: 'submit' }, 'Send answer'), said) : null
  form?.addEventListener('submit', async (e) => {
    e.preventDefault()
    try {
      await api.call('POST', `v1/rewards/me/holds/${h.drive}/appeal`, { body: { text: text.value } })
      await show()
    } catch (err) {
      said.textContent = err.message
    }
  })
  const kinds = Array.isArray(h.evidence) ? h.evidence.map((x) => x.kind).filter(Boolean) : []
  return el('article', { class: 'item' },
    el('div', { class: 'top' }, el('strong', {}, `Drive ${h.drive.slice(0, 12)}`), el('span', { class: `state ${h.state === 'cleared' ? 'done' : ''}` }, states[h.state] ?? h.state),
      h.state === 'open' || h.state === 'appealed' ? el('span', { class: 'sub' }, `until ${f.date(h.deadline)}`) : null),
    h.todo ? el('p', {}, h.todo) : null,
    kinds.length ? el('p', { class: 'sub' }, `Why: ${kinds.join(', ').replaceAll('_', ' ')}`) : null,
    el('details', {}, el('summary', {}, 'Evidence'), el('pre', { class: 'evidence' }, JSON.stringify(h.evidence, null, 1))),
    h.appeal ? el('p', {}, `You wrote: ${h.appeal}`) : null, h.reason ? el('p', {}, `Decision: ${h.reason}`) : null, form)
}

async function epochs() {
  try {
    const { epochs: list } = await api.get('v1/rewards/epochs?limit=60')
    $('epochs').replaceChildren(list.length ? table('Closed weeks', ['Week', 'Paid', 'Held', 'Not paid', 'Contributors', 'Images', 'Rules'], list.map((e) => [
      el('a', { href: api.url(`v1/rewards/epochs/${e.epoch}`) }, week(e.epoch)), amount(e.allocated), BigInt(e.held) ? amount(e.held) : '', amount(e.remainder), f.count(e.contributors), f.count(e.contributions), e.ruleset,
    ]), [1, 2, 3, 4, 5]) : el('p', { class: 'sub' }, 'No week has been closed yet.'))
  } catch (err) {
    $('epochs').replaceChildren(el('p', { class: 'error' }, err.message))
  }
}

epochs()
session(show)
