// The operators' page. It holds no secret: the session is an HttpOnly cookie. Everything it shows is set as text, never
// as HTML, because reports and errors hold what strangers wrote.
const $ = (id) => document.getElementById(id);
const view = $('view');
let me = null;
let tab = 'queue';
let timer = 0;

async function ask(method, path, body) {
  const r = await fetch('/v1' + path, { method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body && JSON.stringify(body) });
  if (r.status === 204) return null;
  const json = await r.json().catch(() => ({}));
  if (!r.ok) {
    const e = new Error([json.detail || r.statusText, json.hint].filter(Boolean).join(' — '));
    e.status = r.status;
    throw e;
  }
  return json;
}

function say(text, bad) {
  $('message').textContent = text || '';
  $('message').className = bad ? 'bad' : '';
  $('message').hidden = !text;
}

function el(tag, props, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children.map((c) => (c == null ? '' : c)));
  return e;
}

// table shows rows; a column is [title, value of a row, class].
function table(columns, rows, none) {
  if (!rows.length) return el('p', { className: 'small', textContent: none });
  const head = el('tr', {}, ...columns.map(([t, , c]) => el('th', { textContent: t, className: (typeof c === 'function' ? c({}) : c) || '' })));
  const body = rows.map((r) => el('tr', {}, ...columns.map(([, f, c]) => {
    const v = f(r);
    const d = el('td', { className: typeof c === 'function' ? c(r) : c || '' });
    d.append(...(Array.isArray(v) ? v : [v == null ? '' : v instanceof Node ? v : String(v)]));
    return d;
  })));
  return el('table', {}, el('thead', {}, head), el('tbody', {}, ...body));
}

// act is a button that does something to one thing, after a question, and shows the tab anew.
function act(label, question, fn) {
  return el('button', { textContent: label, onclick: async () => {
    if (question && !confirm(question)) return;
    try {
      const done = await fn();
      say(done || 'Done.');
      await show(tab);
    } catch (e) { say(e.message, true); }
  } });
}

const may = (...roles) => me.role === 'admin' || roles.includes(me.role);
const ago = (s) => (s < 1 ? '' : s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);
const time = (t) => (t ? t.slice(0, 19).replace('T', ' ') : '');

const tabs = {
  async queue() {
    const q = await ask('GET', '/operator/queue');
    const out = [
      el('h2', { textContent: 'Work by stage' }),
      table([
        ['stage', (s) => s.kind], ['waiting', (s) => s.waiting, 'n'], ['running', (s) => s.running, 'n'], ['retrying', (s) => s.retrying, 'n'],
        ['failed', (s) => s.failed, (s) => (s.failed ? 'n bad' : 'n')], ['oldest waits', (s) => ago(s.age_seconds), 'n'],
        ['done in 24 h', (s) => s.done, 'n'], ['seconds a km', (s) => (s.seconds_per_km ? s.seconds_per_km.toFixed(2) : ''), 'n'],
      ], q.stages, 'No job was ever enqueued.'),
      el('p', { className: 'small', textContent: `${q.workers} worker process${q.workers === 1 ? '' : 'es'}; ${q.km.toFixed(1)} km indexed in 24 h` + (q.cost_per_km ? `; ${q.cost_per_km.toFixed(4)} a km` : '') + `; ${time(q.at)} UTC` }),
    ];
    if (may('operator', 'auditor')) {
      const { jobs } = await ask('GET', '/operator/jobs?limit=200');
      out.push(el('h2', { textContent: 'Jobs that are not done' }), table([
        ['job', (j) => j.id, 'n'], ['stage', (j) => j.kind], ['state', (j) => (j.state === 'discarded' ? 'failed' : j.state), (j) => (j.state === 'discarded' ? 'bad' : '')],
        ['attempt', (j) => `${j.attempt} of ${j.max_attempts}`, 'n'], ['next or last', (j) => time(j.finalized_at || j.scheduled_at)],
        ['what', (j) => JSON.stringify(j.args)], ['error', (j) => (j.error || '').slice(0, 300)],
        ['', (j) => (may('operator') && j.state !== 'running' ? [
          act('Retry', '', () => ask('POST', `/operator/jobs/${j.id}/retry`)), ' ',
          act('Discard', `Discard job ${j.id} (${j.kind})? What it was to do is left undone.`, () => ask('DELETE', `/operator/jobs/${j.id}`)),
        ] : '')],
      ], jobs, 'Nothing waits.'));
    }
    return out;
  },
  async reports() {
    if (!may('reviewer', 'auditor')) return [el('p', { textContent: 'Reports are for reviewers and auditors.' })];
    const rs = await ask('GET', '/reports');
    return [el('h2', { textContent: 'Reports that wait' }), table([
      ['since', (r) => time(r.created_at)], ['frame', (r) => el('a', { href: `/v1/frames/${encodeURIComponent(r.frame)}/image.jpg`, textContent: r.frame.slice(0, 12) })],
      ['what', (r) => [r.kind, r.class].filter(Boolean).join(' ')], ['note', (r) => r.note || ''],
      ['', (r) => (may('reviewer') ? [
        act('Apply', 'Do what the report asks for?', () => ask('POST', `/reports/${encodeURIComponent(r.id)}/resolve`, { apply: true })), ' ',
        act('Refuse', 'Refuse the report?', () => ask('POST', `/reports/${encodeURIComponent(r.id)}/resolve`, { apply: false })),
      ] : '')],
    ], rs || [], 'No report waits.')];
  },
  async drivers() {
    if (!may('operator', 'auditor')) return [el('p', { textContent: 'Drivers are for operators and auditors.' })];
    let ms = [];
    for (;;) {
      const page = (await ask('GET', `/contributors?limit=1000&after=${encodeURIComponent(ms.at(-1)?.id ?? '')}`)).contributors;
      if (!page.length) break;
      ms = ms.concat(page);
    }
    const mb = (n) => (n / 1e6).toFixed(1);
    const form = el('form', { onsubmit: async (ev) => {
      ev.preventDefault();
      try {
        const handle = form.elements.handle.value;
        const made = await ask('POST', '/contributors', { handle });
        await show('drivers');
        say(`Token of ${handle}, shown this once: ${made.token}`);
      } catch (e) { say(e.message, true); }
    } }, el('input', { name: 'handle', placeholder: 'name', required: true, maxLength: 80 }), ' ', el('button', { textContent: 'Register' }));
    const path = (m) => `/contributors/${encodeURIComponent(m.id)}`;
    return [el('h2', { textContent: 'Drivers' }), table([
      ['name', (m) => m.handle], ['id', (m) => m.id], ['since', (m) => time(m.created_at)], ['uploads', (m) => m.uploads, 'n'], ['MB', (m) => mb(m.bytes), 'n'], ['last', (m) => time(m.last_upload)],
      ['blocked', (m) => time(m.blocked_at), (m) => (m.blocked_at ? 'bad' : '')],
      ['', (m) => (may('operator') ? [
        m.blocked_at ? act('Unblock', '', () => ask('DELETE', path(m) + '/block')) : act('Block', `Take no more uploads from ${m.handle}? What was sent stays.`, () => ask('PUT', path(m) + '/block')), ' ',
        act('New token', `Replace the token of ${m.handle}? The old one ends at once.`, async () => `Token of ${m.handle}, shown this once: ${(await ask('POST', path(m) + '/token')).token}`),
      ] : '')],
    ], ms, 'Nobody is registered.'), ...(may('operator') ? [el('h2', { textContent: 'Register one' }), form] : [])];
  },
  async audit() {
    if (!may('auditor')) return [el('p', { textContent: 'The audit log is for auditors and admins.' })];
    let after = 0;
    let entries = [];
    for (;;) { // the end of the log is what one wants to see
      const page = (await ask('GET', `/operator/audit?after=${after}&limit=1000`)).entries;
      if (!page.length) break;
      entries = entries.concat(page).slice(-300);
      after = page[page.length - 1].seq;
    }
    return [el('h2', { textContent: 'What operators did' }), table([
      ['entry', (e) => e.seq, 'n'], ['when (UTC)', (e) => time(e.at)], ['who', (e) => e.actor], ['by', (e) => e.via], ['act', (e) => e.act], ['to', (e) => e.target || ''],
      ['outcome', (e) => e.outcome + (e.of ? ` (of ${e.of})` : '')], ['note', (e) => e.note || ''],
    ], entries.reverse(), 'Nobody did anything yet.')];
  },
  async accounts() {
    if (!may()) return [el('p', { textContent: 'Accounts are for admins.' })];
    const as = await ask('GET', '/operator/accounts');
    const roles = ['operator', 'reviewer', 'fleet', 'auditor', 'admin'];
    const form = el('form', { onsubmit: async (ev) => {
      ev.preventDefault();
      try {
        const a = await ask('POST', '/operator/accounts', { name: form.elements.name.value, role: form.elements.role.value });
        await show('accounts');
        say(`Password of ${a.name}, shown this once: ${a.password}`);
      } catch (e) { say(e.message, true); }
    } }, el('input', { name: 'name', placeholder: 'name', required: true }), ' ', el('select', { name: 'role' }, ...roles.map((r) => el('option', { textContent: r }))), ' ', el('button', { textContent: 'Add' }));
    return [el('h2', { textContent: 'Operators' }), table([
      ['name', (a) => a.name], ['role', (a) => a.role], ['since', (a) => time(a.created_at)], ['disabled', (a) => time(a.disabled_at)],
      ['', (a) => (a.disabled_at ? '' : act('Disable', `End the account of ${a.name}?`, () => ask('DELETE', `/operator/accounts/${encodeURIComponent(a.name)}`)))],
    ], as, 'No accounts yet; the token of secrets.json opens everything.'), el('h2', { textContent: 'Add one' }), form];
  },
};

async function show(name) {
  tab = name;
  clearTimeout(timer);
  for (const b of document.querySelectorAll('[data-tab]')) b.toggleAttribute('aria-current', b.dataset.tab === name);
  try {
    const nodes = await tabs[name]();
    if (tab !== name) return;
    view.replaceChildren(...nodes);
    view.hidden = false;
  } catch (e) {
    if (e.status === 401) return start();
    say(e.message, true);
  }
  if (name === 'queue') timer = setTimeout(() => show('queue'), 5000);
}

async function start() {
  clearTimeout(timer);
  try {
    me = await ask('GET', '/operator/me');
  } catch (e) {
    const ways = await ask('GET', '/operator/login').catch(() => ({}));
    $('oidc').hidden = !ways.oidc;
    $('login').hidden = false;
    $('tabs').hidden = $('who').hidden = view.hidden = true;
    return;
  }
  $('login').hidden = true;
  $('tabs').hidden = $('who').hidden = false;
  $('who').firstElementChild.textContent = `${me.name}, ${me.role}`;
  say('');
  show(tab);
}

$('login').onsubmit = async (ev) => {
  ev.preventDefault();
  const f = ev.target.elements;
  try {
    await ask('POST', '/operator/login', { name: f.name.value, password: f.password.value });
    f.password.value = '';
    say('');
    start();
  } catch (e) { say(e.message, true); }
};
$('logout').onclick = async () => { await ask('POST', '/operator/logout').catch(() => {}); view.replaceChildren(); start(); };
for (const b of document.querySelectorAll('[data-tab]')) b.onclick = () => { say(''); show(b.dataset.tab); };
start();
