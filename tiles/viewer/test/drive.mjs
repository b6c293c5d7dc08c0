// Signs in on the driver's page at URL, sends the files of FOLDER through the browser, waits until every one has its
// verdict, follows a drive to the map, and saves screenshots.
//
//   ROADCOMB_TOKEN=… node test/drive.mjs URL FOLDER OUT.png [TRIM-METRES]
//
// Prints one line of JSON: {"files","accepted","rejected","held","drives"}. Exits 1 with a sentence when something is
// missing or the page reported a fault, 2 when called wrongly.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { idle, nameless, open, ready } from './browser.mjs'

const [url, folder, out, trim] = process.argv.slice(2)
const token = process.env.ROADCOMB_TOKEN
if (!url || !folder || !out || !token) {
  console.error('usage: ROADCOMB_TOKEN=… node test/drive.mjs URL FOLDER OUT.png')
  process.exit(2)
}

class Missing extends Error {}
const check = (ok, message) => { if (!ok) throw new Missing(message) }
const { page, faults, close } = await open({ width: 1100, height: 900 })
try {
  await page.goto(new URL('drive.html', url).href, { waitUntil: 'load', timeout: 30_000 })
  await page.waitForSelector('#sign-in:not([hidden])', { timeout: 10_000 })
  await page.type('#token', 'wrong')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.getElementById('sign-in-error').textContent, { timeout: 10_000 })
  faults.length = 0 // the 401 was asked for
  await page.type('#token', token)
  await page.keyboard.press('Enter')
  await page.waitForSelector('#signed-in:not([hidden])', { timeout: 10_000 }).catch(() => { throw new Missing('The token is not accepted.') })

  // The token is nowhere in the page, and the session is out of reach of scripts; it outlives the page.
  const held = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.getElementById('token').value]))
  check(!held.includes(token) && !held.includes('rcs_'), `A script can read ${held}`)
  const [cookie] = (await page.cookies()).filter((c) => c.name === 'roadcomb_driver')
  check(cookie?.httpOnly && cookie.sameSite === 'Strict' && cookie.value !== token, `The session's cookie is ${JSON.stringify(cookie)}`)
  await page.reload({ waitUntil: 'load' })
  await page.waitForSelector('#signed-in:not([hidden])', { timeout: 10_000 }).catch(() => { throw new Missing('The session does not outlive the page.') })
  if (trim) await page.$eval('#options [name=trim]', (i, v) => { i.value = v }, trim)
  const files = readdirSync(folder).map((n) => join(folder, n)).filter((p) => statSync(p).isFile())
  await page.waitForFunction(() => document.querySelector('#uploads').children.length, { timeout: 10_000 })
  const before = await page.$$eval('#uploads .item', (u) => u.length)
  await (await page.$('#pick-files')).uploadFile(...files)
  await page.waitForFunction((n) => document.querySelectorAll('#uploads .item').length > n && document.querySelector('#uploads .item .state.done'), { timeout: 240_000 }, before).catch(async () => {
    throw new Missing(`The upload is not done: ${await page.$eval('#signed-in', (m) => m.innerText.slice(0, 600))}`)
  })
  const api = (path) => page.evaluate(async (p) => (await fetch(p)).json(), path)
  const { uploads: [up] } = await api('v1/uploads')
  const c = up.counts
  check(c.files === files.length && c.accepted + c.rejected === c.files, `${files.length} files went in, ${c.accepted} + ${c.rejected} came out.`)
  if (c.rejected) await page.click('#uploads details summary')
  await page.waitForFunction(() => !document.querySelector('#uploads details[open]') || document.querySelector('#uploads .files li'), { timeout: 10_000 })
  if (up.drives) { // the driver's own map
    await page.waitForSelector('#covered:not([hidden])', { timeout: 15_000 })
    await page.waitForFunction(() => window.covered?.loaded() && window.covered.queryRenderedFeatures({ layers: ['own'] }).length > 0, { timeout: 30_000 })
      .catch(() => { throw new Missing('The map of what was covered shows no drive.') })
    await page.$eval('#covered', (s) => s.scrollIntoView())
    await page.screenshot({ path: out.replace(/\.png$/, '-covered.png') })
    await page.select('#covered-days', '7')
    await page.waitForFunction(() => document.getElementById('covered-what').textContent, { timeout: 10_000 })
  }
  await page.click('#sessions summary')
  await page.waitForFunction(() => document.querySelectorAll('#sessions-list li').length === 1 && document.querySelector('#sessions-list strong'), { timeout: 10_000 })
    .catch(() => { throw new Missing('The page does not say where the driver is signed in.') })
  await page.screenshot({ path: out })
  const unnamed = await nameless(page)
  check(!unnamed.length, `A screen reader has no name for: ${unnamed.join(', ')}.`)
  const link = await page.$('#drives button:not([disabled])')
  check(link || !up.drives, 'No drive leads to the map.')
  if (link) {
    await Promise.all([page.waitForNavigation({ timeout: 15_000 }), link.click()])
    await ready(page)
    await idle(page)
    await page.waitForFunction(() => { const i = document.getElementById('frame-image'); return i?.complete && i.naturalWidth > 0 }, { timeout: 20_000 })
      .catch(() => { throw new Missing('The map does not show the drive\'s frame.') })
    await page.screenshot({ path: out.replace(/\.png$/, '-map.png') })
  }
  check(faults.length === 0, `The page reported faults:\n  ${faults.join('\n  ')}`)
  await page.goto(new URL('drive.html', url).href, { waitUntil: 'load', timeout: 30_000 })
  await page.waitForSelector('#signed-in:not([hidden])', { timeout: 10_000 })
  await page.click('#sign-out')
  await page.waitForSelector('#sign-in:not([hidden])', { timeout: 10_000 }).catch(() => { throw new Missing('Signing out shows nothing.') })
  check((await page.evaluate(async () => (await fetch('v1/me')).status)) === 401, 'After signing out the session still opens the account.')
  faults.length = 0 // the 401 was asked for
  check(faults.length === 0, `The page reported faults:\n  ${faults.join('\n  ')}`)
  console.log(JSON.stringify({ files: c.files, accepted: c.accepted, rejected: c.rejected, held: c.held, drives: up.drives }))
} catch (err) {
  await page.screenshot({ path: out }).catch(() => {})
  console.error((err instanceof Missing ? err.message : err.stack) + (faults.length && !err.message.includes('faults') ? `\nThe page reported:\n  ${faults.join('\n  ')}` : ''))
  process.exitCode = 1
} finally {
  await close()
}
