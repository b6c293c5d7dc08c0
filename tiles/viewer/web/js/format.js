// Words and numbers for people.

const lang = navigator.language || 'en'
const day = 86400e3

export const date = (t) => new Date(t).toLocaleDateString(lang, { year: 'numeric', month: 'short', day: 'numeric', timeZone: 'UTC' })
export const time = (t) => new Date(t).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone: 'UTC' }) + ' UTC'
export const count = (n) => Number(n).toLocaleString(lang)
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`
export const percent = (share) => `${Math.round(share * 100)} %`

export function distance(m) {
  if (m < 1000) return `${Math.round(m)} m`
  return `${(m / 1000).toLocaleString(lang, { maximumFractionDigits: m < 1e4 ? 1 : 0 })} km`
}

// age says how long before `now` the time t was.
export function age(t, now = Date.now()) {
  const d = Math.floor((now - new Date(t)) / day)
  if (d < 0) return date(t)
  if (d === 0) return 'today'
  if (d === 1) return 'yesterday'
  if (d < 14) return `${d} days ago`
  if (d < 70) return `${Math.round(d / 7)} weeks ago`
  if (d < 700) return `${Math.round(d / 30.44)} months ago`
  return `${Math.round(d / 365.25)} years ago`
}

// span names an age in days as a length of time.
export function span(days) {
  if (days < 1) return 'a day'
  if (days < 14) return `${Math.round(days)} days`
  if (days < 70) return `${Math.round(days / 7)} weeks`
  if (days < 700) return `${Math.round(days / 30.44)} months`
  return `${Math.round(days / 365.25)} years`
}

export function compass(deg) {
  return ['north', 'north-east', 'east', 'south-east', 'south', 'south-west', 'west', 'north-west'][Math.round(deg / 45) % 8]
}
