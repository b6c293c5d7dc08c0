// Light or dark: what the visitor chose, else what the system says.
const dark = matchMedia('(prefers-color-scheme: dark)')

export let theme = localStorage.getItem('theme') ?? (dark.matches ? 'dark' : 'light')
const listeners = []

function set(next) {
  theme = next
  document.documentElement.dataset.theme = theme
  for (const f of listeners) f(theme)
}
set(theme)

export const onTheme = (f) => listeners.push(f)

document.getElementById('theme').addEventListener('click', () => {
  const next = theme === 'dark' ? 'light' : 'dark'
  localStorage.setItem('theme', next)
  set(next)
})
dark.addEventListener('change', () => { if (!localStorage.getItem('theme')) set(dark.matches ? 'dark' : 'light') })
