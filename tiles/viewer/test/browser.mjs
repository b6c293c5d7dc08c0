// Starts Debian's Chromium with software WebGL, for the tests of the page.
import { mkdtempSync, rmSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer from 'puppeteer-core'

export async function open({ width = 1280, height = 800, dark = false } = {}) {
  const executablePath = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
  if (!executablePath) throw new Error('No Chromium found. Install it (apt-get install chromium) or set CHROMIUM to its path.')
  const userDataDir = mkdtempSync(join(tmpdir(), 'roadcomb-chromium-'))
  const browser = await puppeteer.launch({
    executablePath, userDataDir, headless: true, protocolTimeout: 120_000,
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars', '--lang=en-GB'],
  })
  const page = await browser.newPage()
  await page.setViewport({ width, height, deviceScaleFactor: 1, isMobile: width < 600, hasTouch: width < 600 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }, { name: 'prefers-reduced-motion', value: 'reduce' }])
  // Whatever goes wrong in the page fails the test, and so does a request to another host.
  const faults = []
  page.on('pageerror', (e) => faults.push(`script error: ${e.message}`))
  page.on('console', (m) => { if (m.type() === 'error') faults.push(`console: ${m.text()} ${m.location()?.url ?? ''}`) })
  page.on('requestfailed', (r) => { if (r.failure()?.errorText !== 'net::ERR_ABORTED') faults.push(`request failed: ${r.url()} ${r.failure()?.errorText}`) })
  page.on('response', (r) => { if (r.status() >= 400) faults.push(`${r.status()} for ${r.url()}`) })
  const close = async () => {
    await browser.close()
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 })
  }
  return { browser, page, faults, close }
}

// idle waits until every tile is drawn.
export const idle = (page) => page.evaluate(() => new Promise((done) => {
  const { map } = window.roadcomb
  if (map.loaded() && !map.isMoving()) return done()
  map.once('idle', () => done())
}))

// nameless lists what a screen reader meets without a name to read, of what can be used or holds a picture.
export async function nameless(page) {
  const cdp = await page.createCDPSession()
  const { nodes } = await cdp.send('Accessibility.getFullAXTree')
  await cdp.detach()
  const roles = ['button', 'link', 'textbox', 'searchbox', 'checkbox', 'radio', 'slider', 'combobox', 'spinbutton', 'image', 'progressbar', 'region', 'dialog', 'heading', 'DisclosureTriangle']
  return nodes.filter((n) => !n.ignored && roles.includes(n.role?.value) && !n.name?.value).map((n) => n.role.value)
}

export const ready = (page) => page.waitForFunction(() => window.roadcomb?.map, { timeout: 30_000 })

export function fail(message) {
  console.error(message)
  process.exitCode = 1
}
