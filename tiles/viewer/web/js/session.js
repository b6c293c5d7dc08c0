// Signing in with a contributor's token, the same on every page that needs one.

import * as api from './api.js'
import { $ } from './dom.js'

let token = localStorage.getItem('token') ?? ''
export const headers = () => ({ Authorization: `Bearer ${token}` })
export const get = (path, o = {}) => api.get(path, { ...o, headers: headers() })
export const signedIn = () => token !== ''

// session shows the form or the page, and calls show once somebody is signed in.
export function session(show) {
  const start = async () => {
    $('signed-in').hidden = true
    $('sign-in').hidden = true
    $('who').textContent = ''
    if (token) {
      try {
        const me = await get('v1/me')
        $('who').textContent = me.handle
        $('signed-in').hidden = false
        await show()
        return
      } catch (err) {
        $('signed-in').hidden = true
        $('sign-in-error').textContent = err.status === 401 ? 'The token is not known here.' : err.message
      }
    }
    $('sign-in').hidden = false
    $('token').focus()
  }
  $('token-form').addEventListener('submit', (e) => {
    e.preventDefault()
    token = $('token').value.trim()
    localStorage.setItem('token', token)
    $('token').value = ''
    $('sign-in-error').textContent = ''
    start()
  })
  $('sign-out').addEventListener('click', () => {
    token = ''
    localStorage.removeItem('token')
    start()
  })
  return start()
}
