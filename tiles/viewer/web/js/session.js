// Signing in with a contributor's token, the same on every page that needs one. The token is handed over once for a session,
// whose cookie no script can read, and is kept nowhere; the page only remembers that it was signed in.

import * as api from './api.js'
import { $, el } from './dom.js'
import * as f from './format.js'

const mark = 'signed-in'
let over = () => {}

// get asks in the session; when that has ended, the page says so instead of showing for ever what was true.
export async function get(path, o) {
  try {
    return await api.get(path, o)
  } catch (err) {
    if (err.status === 401) over(err)
    throw err
  }
}

// session shows the form or the page, and calls show once somebody is signed in.
export async function session(show) {
  const start = async (begin) => {
    $('signed-in').hidden = true
    $('sign-in').hidden = true
    $('who').textContent = ''
    try {
      if (begin) await begin()
      if (localStorage.getItem(mark)) {
        const me = await api.get('v1/me')
        $('who').textContent = me.handle
        $('signed-in').hidden = false
        await show()
        return
      }
    } catch (err) {
      $('signed-in').hidden = true
      $('sign-in-error').textContent = err.message
      if (err.status === 401) localStorage.removeItem(mark)
    }
    $('sign-in').hidden = false
    $('token').focus()
  }
  over = (err) => {
    if (!localStorage.getItem(mark)) return
    localStorage.removeItem(mark)
    $('sign-in-error').textContent = err.message
    start()
  }
  const enter = (token) => start(async () => {
    await api.call('POST', 'v1/me/login', { body: { token } })
    localStorage.setItem(mark, '1')
  })
  $('token-form').addEventListener('submit', (e) => {
    e.preventDefault()
    const token = $('token').value.trim()
    $('token').value = ''
    $('sign-in-error').textContent = ''
    enter(token)
  })
  $('sign-out').addEventListener('click', async () => {
    try {
      await api.call('POST', 'v1/me/logout')
    } catch (err) { // the session is still there, so the page must not say otherwise
      say(err.message)
      return
    }
    localStorage.removeItem(mark)
    start()
  })
  $('sessions').addEventListener('toggle', () => { if ($('sessions').open) sessions() })

  // A page of an earlier release kept the token itself.
  const kept = localStorage.getItem('token')
  localStorage.removeItem('token')
  return kept ? enter(kept) : start()
}

const say = (text) => { $('sessions-error').textContent = text }

// sessions lists where the driver is signed in, each with a way to end it.
async function sessions() {
  say('')
  try {
    const { sessions: all } = await get('v1/me/sessions')
    $('sessions-list').replaceChildren(...all.map((s) => el('li', {},
      el('span', {}, `since ${f.date(s.created_at)}, ${f.time(s.created_at)}; used ${f.date(s.used_at)}, ${f.time(s.used_at)}`),
      s.current ? el('strong', {}, 'here') : el('button', { class: 'btn', type: 'button', onclick: () => end(s.id) }, 'Sign out there'))))
  } catch (err) {
    say(err.message)
  }
}

async function end(id) {
  try {
    await api.call('DELETE', `v1/me/sessions/${id}`)
    await sessions()
  } catch (err) {
    say(err.message)
  }
}
