'use strict';
// The page polls the state of a day and draws it; what a person does becomes a
// POST, and shows when the next state has it. Times are UTC throughout.

const token = document.querySelector('meta[name=xsrf-token]').content;
const today = document.querySelector('meta[name=today]').content;
const minute = 60_000, hour = 60 * minute, snap = 15 * minute;
const laneHeight = 44, pollEvery = 300;
const $ = (id) => document.getElementById(id);

let day = today;
let shown = '';       // the state on the page, as text
let state = null;
let drag = null;      // the drag under way

// -- talking to the server

async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: 'POST', headers: { 'Content-Type': 'application/json', 'X-XSRF-Token': token }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    hush();
    await poll();
    return true;
  } catch (problem) {
    tell(problem.message);
    return false;
  }
}

async function poll() {
  const asked = day;
  try {
    const answer = await fetch('/api/state?day=' + asked);
    const text = await answer.text();
    if (!answer.ok) throw new Error(JSON.parse(text).error);
    if (asked !== day || text === shown || drag) return;
    shown = text;
    state = JSON.parse(text);
    draw();
  } catch (problem) {
    shown = '';
    $('agreement').className = 'bad';
    $('agreement').textContent = 'no connection';
  }
}

async function pollForEver() {
  await poll();
  setTimeout(pollForEver, pollEvery);
}

let messageTimer;
function tell(text) {
  $('message').textContent = text;
  $('message').hidden = false;
  clearTimeout(messageTimer);
  messageTimer = setTimeout(hush, 6000);
}
function hush() { $('message').hidden = true; }

// -- drawing

// hours is the range that the day shows: working hours, or more if something lies outside.
function hours() {
  const midnight = Date.parse(day + 'T00:00:00Z');
  let from = 7, to = 19;
  for (const b of [...state.board, ...state.outlook]) {
    from = Math.min(from, Math.floor((Date.parse(b.start) - midnight) / hour));
    to = Math.max(to, Math.ceil((Date.parse(b.end) - midnight) / hour));
  }
  from = Math.max(0, from);
  to = Math.min(24, to);
  return { start: midnight + from * hour, length: (to - from) * hour, from, to };
}

function draw() {
  drawStatus(state.status);
  const range = hours();
  const rows = state.resources.map((r) => ({ no: r.no, name: r.name }));
  drawPane($('board'), [...rows, { no: '', name: 'Nobody', nobody: true }], state.board, range);
  drawPane($('outlook'), rows, state.outlook, range);
  drawLedgers();
}

// known are the rows of the ledgers that were drawn before, so that news can be shown as such.
let known = null, knownDay = '';

function drawLedgers() {
  const fresh = knownDay === day && known, rows = new Set();
  $('ledgers').replaceChildren(...state.ledgers.map((l) => {
    const card = make('article', l.down ? 'ledger down' : 'ledger');
    card.dataset.ledger = l.id;
    const title = make('h3', '', l.name);
    title.append(make('span', 'app', l.app));
    if (l.down) title.append(make('span', 'state', 'down'));
    const counts = l.company
      ? [l.documents + ' documents', l.taken + ' rows taken', l.refused && l.refused + ' rows failed']
      : [l.documents + ' appointments', l.taken + ' deliveries', l.repeated && l.repeated + ' came twice, counted once', l.refused && l.refused + ' refused'];
    const table = make('table', '');
    table.setAttribute('aria-label', l.name);
    for (const e of l.entries) {
      const row = table.insertRow();
      const key = [l.id, e.appointment, e.number, e.resources, e.start, e.end, e.subject, e.task, e.deleted].join(' ');
      rows.add(key);
      row.className = (e.deleted ? 'gone ' : '') + (fresh && !known.has(key) ? 'fresh' : '');
      const what = make('td', '', e.subject);
      what.append(make('small', '', e.task));
      row.append(make('td', 'when', clock(e.start) + '–' + clock(e.end)), make('td', 'who', e.resources.join(', ') || 'nobody'), what);
      if (l.company) row.append(make('td', 'number', 'no. ' + e.number));
    }
    card.append(title, make('p', '', l.how), make('p', '', counts.filter(Boolean).join(' · ')), table);
    if (!l.entries.length) card.append(make('p', '', 'Nothing on this day.'));
    return card;
  }));
  known = rows;
  knownDay = day;
}

function drawPane(pane, rows, blocks, range) {
  const focused = pane.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const header = make('div', 'hours');
  const scale = make('div', 'track');
  for (let h = range.from + 1; h < range.to; h++) {
    const label = make('span', '', String(h));
    label.style.left = percent((h - range.from) / (range.to - range.from));
    scale.append(label);
  }
  header.append(make('div', 'name', 'UTC'), scale);
  const drawn = [header];
  for (const r of rows) {
    const row = make('div', r.nobody ? 'row nobody' : 'row');
    row.dataset.row = r.no;
    const track = make('div', 'track');
    track.style.backgroundSize = percent(1 / (range.to - range.from)) + ' 100%';
    const lanes = layOut(blocks.filter((b) => b.row === r.no));
    for (const { block, lane } of lanes.placed) track.append(drawBlock(pane.id, block, lane, range));
    track.style.height = Math.max(1, lanes.count) * laneHeight + 8 + 'px';
    row.append(make('div', 'name', r.name), track);
    drawn.push(row);
  }
  pane.replaceChildren(...drawn);
  if (focused) [...pane.querySelectorAll('.block')].find((b) => b.dataset.key === focused)?.focus();
}

// layOut gives blocks that overlap lanes of their own.
function layOut(blocks) {
  const ends = [], placed = [];
  for (const block of [...blocks].sort((a, b) => a.start.localeCompare(b.start) || a.id.localeCompare(b.id))) {
    let lane = ends.findIndex((end) => end <= Date.parse(block.start));
    if (lane < 0) lane = ends.length;
    ends[lane] = Date.parse(block.end);
    placed.push({ block, lane });
  }
  return { placed, count: ends.length };
}

function drawBlock(side, b, lane, range) {
  const element = make('div', 'block');
  element.classList.add(b.importance);
  if (b.born) element.classList.add('born');
  if (b.category === 'Placeholder') element.classList.add('placeholder');
  if (b.sensitivity === 'private' || b.sensitivity === 'confidential') element.classList.add('private');
  if (b.showAs === 'free' || b.showAs === 'tentative') element.classList.add(b.showAs);
  element.tabIndex = 0;
  element.setAttribute('role', 'button');
  element.dataset.key = b.row + ' ' + b.id;
  const start = Math.max(Date.parse(b.start), range.start);
  const end = Math.min(Date.parse(b.end), range.start + range.length);
  element.style.left = percent((start - range.start) / range.length);
  element.style.width = percent(Math.max(end - start, snap) / range.length);
  element.style.top = 6 + lane * laneHeight + 'px';
  const notes = [clock(b.start) + '–' + clock(b.end)];
  if (b.app) notes.push(b.app);
  if (b.category) notes.push(b.category.toLowerCase());
  if (b.resources?.length > 1) notes.push(b.resources.length + ' people');
  if (b.sensitivity && b.sensitivity !== 'normal') notes.push(b.sensitivity);
  if (b.showAs && b.showAs !== 'busy') notes.push(b.showAs);
  if (b.importance !== 'normal') notes.push(b.importance);
  element.append(make('strong', '', b.subject || '(no subject)'), make('small', '', notes.join(' · ')), make('div', 'edge'));
  element.title = [b.subject, notes.join(' · '), b.task, b.body].filter(Boolean).join('\n');
  element.addEventListener('keydown', (e) => { if ((e.key === 'Enter' || e.key === ' ') && !e.repeat) { e.preventDefault(); open(side, b); } });
  element.addEventListener('dblclick', () => open(side, b));
  element.addEventListener('pointerdown', (e) => beginDrag(e, side, b, element, range));
  return element;
}

function drawStatus(s) {
  const agree = s.differences.length === 0;
  $('agreement').className = agree ? 'good' : 'bad';
  $('agreement').textContent = agree ? 'all sides agree' : s.differences.length + (s.differences.length === 1 ? ' difference' : ' differences');
  $('agreement').title = s.differences.join('\n');
  const items = [
    item('Graph calls', s.graphCalls + ' (' + s.graphWrites + ' writes)'),
    item('board writes', s.boardWrites),
    item('deliveries', s.deliveries),
    ...s.queues.map((q) => item(q.name, q.active + (q.booked ? ' (+' + q.booked + ' booked)' : ''))),
    item('dead letters', s.deadLetters, s.deadLetters > 0),
    item('subscriptions', s.subscriptions, s.subscriptions < state.resources.length),
    item('handler', s.handlerPid ? 'pid ' + s.handlerPid : 'not running', !s.handlerPid),
    item('restarts', s.restarts),
  ];
  if (s.announcing) items.push(item('not announced', s.announcing, true));
  if (s.dropping) items.push(item('notifications', 'being dropped', true));
  $('status').replaceChildren(...items);
  for (const button of document.querySelectorAll('[data-toggle]')) {
    button.setAttribute('aria-pressed', String(s[button.dataset.toggle]));
  }
}

function item(name, value, bad) {
  const span = make('span', bad ? 'bad' : '');
  span.append(name + ' ', make('b', '', String(value)));
  return span;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const percent = (part) => part * 100 + '%';
const clock = (text) => text.slice(11, 16);
const iso = (time) => new Date(time).toISOString().slice(0, 19) + 'Z';

// -- dragging

function beginDrag(e, side, b, element, range) {
  if (e.button !== 0) return;
  const track = element.parentElement;
  drag = {
    side, b, element, range, track, x: e.clientX, moved: false, to: b.row,
    start: Date.parse(b.start), end: Date.parse(b.end), resize: e.target.classList.contains('edge'),
  };
  element.setPointerCapture(e.pointerId);
  element.addEventListener('pointermove', moveDrag);
  element.addEventListener('pointerup', endDrag);
  element.addEventListener('pointercancel', cancelDrag);
}

function moveDrag(e) {
  if (!drag) return;
  const by = e.clientX - drag.x;
  if (!drag.moved && Math.hypot(by, e.movementY) < 4) return;
  drag.moved = true;
  drag.element.classList.add('dragging');
  const shift = Math.round((by / drag.track.clientWidth) * drag.range.length / snap) * snap;
  const { b, range } = drag;
  drag.start = Date.parse(b.start) + (drag.resize ? 0 : shift);
  drag.end = Math.max(Date.parse(b.end) + shift, drag.start + snap);
  drag.element.style.left = percent((drag.start - range.start) / range.length);
  drag.element.style.width = percent((drag.end - drag.start) / range.length);
  drag.element.querySelector('small').textContent = clock(iso(drag.start)) + '–' + clock(iso(drag.end));
  if (drag.side === 'board' && !drag.resize) overRow(e.clientX, e.clientY);
}

// overRow lets the block follow the pointer to another person's row.
function overRow(x, y) {
  const row = document.elementsFromPoint(x, y).find((element) => element.matches?.('#board .row'));
  for (const each of document.querySelectorAll('#board .row.over')) each.classList.remove('over');
  if (!row) return;
  drag.to = row.dataset.row;
  if (drag.to !== drag.b.row) row.classList.add('over');
  const shift = row.getBoundingClientRect().top - drag.track.closest('.row').getBoundingClientRect().top;
  drag.element.style.transform = 'translateY(' + shift + 'px)';
  drag.track.style.zIndex = 4;
}

function endDrag() {
  const done = drag;
  stopDrag();
  if (!done?.moved) return;
  const { b } = done;
  const change = { id: b.id, start: iso(done.start), end: iso(done.end) };
  if (change.start === b.start && change.end === b.end && done.to === b.row) return;
  if (done.side === 'board') post('/api/board/move', { ...change, from: b.row, to: done.to });
  else post('/api/outlook/move', { ...change, row: b.row });
}

function cancelDrag() { stopDrag(); }

function stopDrag() {
  if (!drag) return;
  const { element } = drag;
  element.removeEventListener('pointermove', moveDrag);
  element.removeEventListener('pointerup', endDrag);
  element.removeEventListener('pointercancel', cancelDrag);
  const redraw = drag.moved;
  drag = null;
  for (const each of document.querySelectorAll('#board .row.over')) each.classList.remove('over');
  if (redraw) draw();
}

document.addEventListener('keydown', (e) => { if (e.key === 'Escape') cancelDrag(); });

// -- forms

let editing = null; // the block in the open form; without an id it is a new one

function open(side, b) {
  editing = b;
  const dialog = $(side + '-dialog'), form = dialog.querySelector('form');
  form.reset();
  for (const field of ['subject', 'body', 'importance', 'task', 'category', 'showAs', 'sensitivity', 'row']) {
    if (form.elements[field] && b[field] !== undefined) form.elements[field].value = b[field];
  }
  if (side === 'board') { form.elements.task.value = b.task ?? ''; form.elements.category.value = b.category ?? ''; }
  else form.elements.row.disabled = Boolean(b.id);
  form.elements.start.value = b.start.slice(0, 16);
  form.elements.end.value = b.end.slice(0, 16);
  for (const box of form.querySelectorAll('[name=resources]')) box.checked = b.resources?.includes(box.value) ?? false;
  form.querySelector('.delete').hidden = !b.id;
  dialog.showModal();
}

function blank(side, row, at) {
  const start = at ?? Date.parse(day + 'T09:00:00Z');
  return { row: row ?? state.resources[0]?.no, resources: row ? [row] : [], start: iso(start), end: iso(start + hour) };
}

// seconds keeps those of a time that the form, which shows minutes, has not changed.
const seconds = (value, before) => (before.slice(0, 16) === value.slice(0, 16) ? before : value.slice(0, 16) + ':00Z');

for (const side of ['board', 'outlook']) {
  const dialog = $(side + '-dialog'), form = dialog.querySelector('form');
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const f = form.elements;
    const change = {
      id: editing.id ?? '', subject: f.subject.value, body: f.body.value, importance: f.importance.value,
      start: seconds(f.start.value, editing.start), end: seconds(f.end.value, editing.end),
    };
    if (side === 'board') {
      change.task = f.task.value;
      change.category = f.category.value;
      change.resources = [...form.querySelectorAll('[name=resources]:checked')].map((box) => box.value);
    } else {
      Object.assign(change, { row: f.row.value, showAs: f.showAs.value, sensitivity: f.sensitivity.value });
    }
    if (await post('/api/' + side + '/save', change)) dialog.close();
  });
  form.querySelector('.cancel').addEventListener('click', () => dialog.close());
  form.querySelector('.delete').addEventListener('click', async () => {
    const key = side === 'board' ? { id: editing.id } : { id: editing.id, row: editing.row };
    if (await post('/api/' + side + '/delete', key)) dialog.close();
  });
  document.querySelector('[data-new=' + side + ']').addEventListener('click', () => { if (state) open(side, blank(side)); });
  // A double click on an empty place begins something there.
  $(side).addEventListener('dblclick', (e) => {
    if (!e.target.matches('.row .track')) return;
    const range = hours(), box = e.target.getBoundingClientRect();
    const at = range.start + Math.floor(((e.clientX - box.left) / box.width) * range.length / (2 * snap)) * 2 * snap;
    open(side, blank(side, e.target.closest('.row').dataset.row, at));
  });
}

// -- day and trouble

function show(date) {
  if (!date) return;
  day = date;
  $('day').value = date;
  shown = '';
  poll();
}
const shift = (days) => show(new Date(Date.parse(day + 'T00:00:00Z') + days * 24 * hour).toISOString().slice(0, 10));
$('previous').addEventListener('click', () => shift(-1));
$('next').addEventListener('click', () => shift(1));
$('today').addEventListener('click', () => show(today));
$('day').addEventListener('change', () => show($('day').value));

for (const button of document.querySelectorAll('[data-do]')) {
  button.addEventListener('click', () => {
    post('/api/trouble', { do: button.dataset.do, on: button.getAttribute('aria-pressed') === 'false' });
  });
}

pollForEver();
