// Opens the rewards page at URL with answers of rewards/api as in test/rewards.json, opens a statement, and checks that it
// adds up, that what paid nothing says why, and that nothing is wider than the window; saves screenshots.
//
//   node test/rewards.mjs URL OUT.png [--width N --height N --dark]
//
// Prints one line of JSON. Exits 1 with a sentence when something is missing or the page reported a fault, 2 when called
// wrongly.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { nameless, open } from './browser.mjs'

const { values, positionals: [url, out] } = parseArgs({ allowPositionals: true, options: {
  width: { type: 'string', default: '1100' }, height: { type: 'string', default: '900' }, dark: { type: 'boolean', default: false } } })
if (!url || !out) {
  console.error('usage: node test/rewards.mjs URL OUT.png [--width N --height N --dark]')
  process.exit(2)
}
const answers = JSON.parse(readFileSync(new URL('rewards.json', import.meta.url)))

class Missing extends Error {}
const check = (ok, message) => { if (!ok) throw new Missing(message) }
const { page, faults, close } = await open({ width: +values.width, height: +values.height, dark: values.dark })
try {
  let appealed = '', signedIn = false
  await page.setRequestInterception(true)
  page.on('request', (r) => {
    const path = new URL(r.url()).pathname
    if (!path.startsWith('/v1/')) return r.continue()
    if (path.endsWith('/appeal')) {
      appealed = r.postData()
      return r.respond({ status: 204 })
    }
    if (path === '/v1/me/login') {
      signedIn = JSON.parse(r.postData()).token === 'good'
      return r.respond(signedIn ? { contentType: 'application/json', body: '{"id":"c1","handle":"ada"}' } : { status: 401, contentType: 'application/problem+json', body: '{"detail":"the token is not known"}' })
    }
    const needs = path === '/v1/me' || path.startsWith('/v1/rewards/me')
    if (r.headers().authorization) faults.push('the page sends a token')
    if (needs && !signedIn) return r.respond({ status: 401, contentType: 'application/problem+json', body: '{"detail":"the token is not known"}' })
    if (needs && r.method() === 'PUT') return r.respond({ status: 204 })
    const body = answers[path]
    r.respond(body === undefined ? { status: 404, contentType: 'application/problem+json', body: `{"detail":"no ${path}"}` } : { contentType: 'application/json', body: JSON.stringify(body) })
  })
  await page.goto(new URL('rewards.html', url).href, { waitUntil: 'load', timeout: 30_000 })
  await page.waitForSelector('#sign-in:not([hidden])', { timeout: 10_000 })
  await page.waitForSelector('#epochs tbody tr', { timeout: 10_000 }).catch(() => { throw new Missing('The network\'s weeks are not shown to strangers.') })
  await page.type('#token', 'bad')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.getElementById('sign-in-error').textContent, { timeout: 10_000 })
  faults.length = 0 // the 401 was asked for
  await page.type('#token', 'good')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#weeks button', { timeout: 10_000 }).catch(() => { throw new Missing('Nothing is shown after signing in.') })
  const text = (id) => page.$eval(`#${id}`, (e) => e.innerText.replace(/\s+/g, ' '))
  const sums = await text('sums')
  for (const word of ['Earned', 'Claimed', 'Claimable', 'Held']) check(sums.includes(word), `${word} is not told apart: ${sums}`)
  // 9007199254740993 is the first integer that a number cannot hold.
  check(sums.includes('9,007,199.254740993'), `The amount earned lost digits: ${sums}`)
  check((await text('holds')).includes('Answer before 26 May'), 'A hold does not say what can be done.')
  check((await text('vouch')).includes('c0000000000000000000000000000003 End'), 'The newcomers that a driver answers for are not listed.')
  await page.screenshot({ path: out })

  // By keyboard alone: Enter on the week's button.
  await page.focus('#weeks button')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#adds-up', { timeout: 10_000 })
  check(await page.$eval('#adds-up', (e) => e.dataset.exact) === 'true', `The statement does not add up: ${await text('adds-up')}`)
  check(await page.evaluate(() => document.activeElement.id) === 'statement-title', 'The statement does not get the focus.')
  const said = await text('statement')
  check(/861f05877ffffff 1 [\d.]+ 0\.4 300,000 512 km, 64 %/.test(said), `The statement does not say which region paid: ${said.slice(0, 600)}`)
  check(said.includes('too few pixels can be seen'), 'What paid nothing does not say why.')
  check(await page.$$eval('#statement table', (t) => t.every((x) => x.caption && x.tHead.rows[0].cells.length === x.tBodies[0].rows[0].cells.length)), 'A table has no caption or its head does not fit its rows.')
  await page.click('#statement td details summary')
  await page.screenshot({ path: out.replace(/\.png$/, '-statement.png') })
  const before = await page.$('#vouch form')
  await page.type('#holds textarea', 'It was me, twice around the block.')
  await Promise.all([page.waitForResponse((r) => r.url().endsWith('/appeal')), page.click('#holds button')])
  check(JSON.parse(appealed).text.startsWith('It was me'), 'The answer to a hold is not sent.')
  await page.waitForFunction((f) => !f.isConnected, { timeout: 10_000 }, before) // an answer draws the page anew
  await page.type('#vouch input', 'd0000000000000000000000000000004')
  await Promise.all([page.waitForResponse((r) => r.request().method() === 'PUT' && r.url().endsWith('/newcomers/d0000000000000000000000000000004')), page.click('#vouch form button')])
  const unnamed = await nameless(page)
  check(!unnamed.length, `A screen reader has no name for: ${unnamed.join(', ')}.`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  check(wide <= 0, `The page is ${wide} pixels wider than the window.`)
  check(faults.length === 0, `The page reported faults:\n  ${faults.join('\n  ')}`)
  console.log(JSON.stringify({ sums, rows: await page.$$eval('#statement tbody tr', (r) => r.length) }))
} catch (err) {
  await page.screenshot({ path: out }).catch(() => {})
  console.error((err instanceof Missing ? err.message : err.stack) + (faults.length && !err.message.includes('faults') ? `\nThe page reported:\n  ${faults.join('\n  ')}` : ''))
  process.exitCode = 1
} finally {
  await close()
}
