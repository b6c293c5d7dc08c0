// el makes an element: el('p', {class: 'x', onclick: f}, 'text', child). Text is never parsed as HTML.
export function el(tag, attrs = {}, ...children) {
  const svg = tag === 'svg' || tag === 'path' || tag === 'polygon' || tag === 'rect'
  const n = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  for (const [k, v] of Object.entries(attrs)) {
    if (v === false || v == null) continue
    if (k.startsWith('on')) n.addEventListener(k.slice(2), v)
    else if (k === 'style') for (const [p, x] of Object.entries(v)) n.style.setProperty(p, x)
    else n.setAttribute(k, v === true ? '' : v)
  }
  n.append(...children.flat().filter((c) => c != null && c !== false))
  return n
}

export const $ = (id) => document.getElementById(id)

export const icon = (d) => el('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, el('path', { d }))
export const icons = { prev: 'M15 5l-7 7 7 7', next: 'M9 5l7 7-7 7' }

export const say = (text) => { $('live').textContent = text }
