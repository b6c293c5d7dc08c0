// Opens the driver's page at URL before an API that is played here: an upload that is done, with a drive that is still
// being looked at; then an outage; then everything done. The page must say so within seconds, and saves a screenshot.
import { fail, open } from './browser.mjs'

const [url, out] = process.argv.slice(2)
const { page, close } = await open({ width: 900, height: 700 })
try {
  const counts = { files: 29, accepted: 29, rejected: 0, waiting: 0, held: 0 }
  const upload = { id: 'u1', state: 'settled', files: 29, bytes: 29e6, created_at: '2026-05-11T08:00:00Z', counts, drives: 1 }
  const drive = (state, waiting) => ({ id: 'd1', state, started_at: '2026-05-11T08:00:00Z', distance_m: 1200,
    frames: { total: 29, waiting, published: 29 - waiting, held: 0, rejected: 0, cells: 4 } })
  let asked = 0
  await page.setRequestInterception(true)
  page.on('request', (r) => {
    const json = (status, body) => r.respond({ status, contentType: 'application/json', body: JSON.stringify(body) })
    switch (new URL(r.url()).pathname) {
      case '/v1/me': return json(200, { handle: 'ada' })
      case '/v1/uploads':
        return json(200, { uploads: [upload] })
      case '/v1/uploads/u1/files':
        return json(200, { files: Array.from({ length: 29 }, (_, i) => ({ path: `${i}.jpg`, verdict: 'accepted' })) })
      case '/v1/drives':
        switch (++asked) {
          case 1: return json(200, { drives: [drive('vision', 29)] })
          case 2: return json(503, { status: 503, title: 'Service Unavailable' })
          default: return json(200, { drives: [drive('indexed', 0)] })
        }
    }
    return r.continue()
  })
  await page.evaluateOnNewDocument(() => localStorage.setItem('signed-in', '1'))
  await page.goto(new URL('drive.html', url).href, { waitUntil: 'load', timeout: 30_000 })
  const says = (text) => page.waitForFunction((t) => document.querySelector('#drives')?.innerText.includes(t), { timeout: 20_000, polling: 50 }, text)
  await says('29 waiting')
  await page.click('#uploads details summary')
  await page.waitForSelector('#uploads .files li')
  await says('29 published')
  const text = await page.$eval('#signed-in', (m) => m.innerText)
  if (/\d waiting/.test(text) || !text.includes('on the map') || asked < 3) fail(`The page still says: ${text}`)
  await page.screenshot({ path: out })
} catch (err) {
  await page.screenshot({ path: out }).catch(() => {})
  fail(`${err.stack}\nThe page says: ${await page.$eval('#signed-in', (m) => m.innerText).catch(() => '')}`)
} finally {
  await close()
}
