'use strict';
// Everything works without this but the countdown and the attack from the page.
// With it a token dies without the redirect behind a form, so that every redirect
// that is left belongs to what is shown.
document.documentElement.classList.add('js');

document.addEventListener('DOMContentLoaded', () => {
  const life = document.querySelector('.life');
  if (life) countDown(life);
  const form = document.getElementById('attack-form');
  if (form) attack(form);
  const death = document.getElementById('die-form');
  if (death) die(death);
});

// countDown lets the token's life run down by the server's clock, which the
// browser's need not agree with.
function countDown(life) {
  const { now, issued, expires } = life.dataset;
  const seconds = life.querySelector('.ring strong');
  const arc = life.querySelector('.ring .left');
  const status = life.querySelector('[role=status]');
  const start = performance.now();
  const left = () => Math.max(0, expires - now - (performance.now() - start) / 1000);
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const tick = () => {
    const rest = left();
    seconds.textContent = Math.ceil(rest);
    arc.setAttribute('stroke-dashoffset', 100 * (1 - Math.min(1, rest / (expires - issued))));
    life.classList.toggle('late', rest <= 10);
    life.classList.toggle('over', rest === 0);
    if (rest === 0) {
      clearInterval(timer);
      life.querySelector('.until').hidden = true;
      life.querySelector('.renew').hidden = false;
      say('The session token has run out. Load the page again: the proxy gets you a new one.');
    } else if (rest <= 10) {
      say('The session token has 10 seconds left.'); // once, not every second
    }
  };
  const timer = setInterval(tick, 1000);
  tick();
}

function attack(form) {
  const name = form.querySelector('#name');
  const value = form.querySelector('#forged');
  const chips = [...form.querySelectorAll('.chip')];
  const mark = () => chips.forEach((c) => c.setAttribute('aria-pressed', c.dataset.name === name.value));
  chips.forEach((c) => c.addEventListener('click', () => { name.value = c.dataset.name; mark(); }));
  name.addEventListener('input', mark);
  mark();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    show(await send(name.value.trim(), value.value.trim()));
  });
}

function die(form) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(event.submitter?.name ? [[event.submitter.name, event.submitter.value]] : []);
    const answer = await fetch(form.action, { method: 'POST', body, redirect: 'manual' }).catch(() => undefined);
    if (answer?.ok || answer?.type === 'opaqueredirect') {
      location.assign('/');
      return;
    }
    const text = answer ? `It was answered with ${answer.status}.` : 'The proxy does not answer.';
    say(document.getElementById('die-verdict'), { kind: 'unsure', title: 'The token lives', text });
  });
}

// send forges the header and returns what to show: kind, title, text and the two
// sides. Only what the application says it received is a verdict.
async function send(name, value) {
  let answer;
  try {
    answer = await fetch('/echo', { headers: { Accept: 'application/json', [name]: value }, cache: 'no-store', redirect: 'manual' });
  } catch (error) {
    return error instanceof TypeError && navigator.onLine
      ? { kind: 'unsure', title: 'Not sent', text: `The browser refuses this header, or the proxy does not answer. (${error.message})` }
      : { kind: 'unsure', title: 'Not sent', text: 'The proxy does not answer.' };
  }
  const reason = answer.headers.get('X-Clerk-Auth-Reason') ?? '';
  if (answer.status === 401 && !reason.includes('expired')) {
    return { kind: 'good', title: 'The proxy let nothing through', text: `It refused the request: ${reason}.` };
  }
  if (answer.status === 401 || answer.type === 'opaqueredirect') {
    const text = 'Your session token has run out, and without a refresh cookie only a page load renews it: load the page again.';
    return { kind: 'unsure', title: 'The proxy let nothing through', text };
  }
  if (!answer.ok) {
    return { kind: 'unsure', title: 'The proxy let nothing through', text: `It answered ${answer.status}.` };
  }
  const echo = await answer.json();
  const verdict = judge(echo, name, value);
  if ('ran_out' in echo) verdict.text += ' Your session token had run out; the proxy fetched a fresh one on the way.';
  return verdict;
}

function judge(echo, name, value) {
  const trial = echo.sent.find((t) => t.name.toLowerCase() === name.toLowerCase());
  if (!trial) {
    return { kind: 'unsure', title: 'Nothing to see', text: 'The browser did not send this header, or it carries a credential that is not shown here.' };
  }
  const sides = { sent: [{ name, value }], arrived: trial.arrived };
  const own = echo.received.find((f) => trial.arrived.some((a) => a.name === f.header));
  const from = own?.claim ? `from your claim ${own.claim}` : 'the proxy’s own word';
  switch (trial.outcome) {
    case 'kept back': {
      sides.from = from;
      const same = trial.arrived.some((a) => a.value === value);
      const text = trial.arrived.length === 0 ? 'The app received nothing under this name, in any spelling.'
        : same ? `The app has the same value, ${from}, whatever you send. Try another.`
          : `What the app has under this name is ${from}.`;
      return { kind: 'good', title: 'Never arrived', text, sides };
    }
    case 'passed':
      if (!trial.arrived.some((a) => a.value === value)) {
        return { kind: 'unsure', title: 'The browser sent its own', text: 'A page cannot choose this header.', sides: { ...sides, sent: [] } };
      }
      return { kind: 'unsure', title: 'It arrived, as it may', text: 'The proxy does not own this name, so no app should take it for an identity.', sides };
    default:
      return { kind: 'bad', title: 'It arrived', text: 'A forged identity reached the app. That is a fault in the proxy.', sides };
  }
}

function say(verdict, { kind, title, text }) {
  verdict.className = `verdict ${kind}`;
  verdict.replaceChildren(element('b', title), element('span', text));
}

function show({ sides, ...verdict }) {
  say(document.getElementById('verdict'), verdict);
  document.getElementById('sides').hidden = !sides;
  if (!sides) return;
  for (const side of ['sent', 'arrived']) {
    const rows = sides[side].map((f) => pair(element('dt', f.name), element('dd', f.value)));
    if (side === 'arrived' && sides.from) rows.forEach((r) => r.lastChild.append(element('span', sides.from, 'from')));
    if (rows.length === 0) rows.push(pair(element('dt', 'under this name'), element('dd', 'nothing', 'none')));
    document.getElementById(side).replaceChildren(...rows);
  }
}

function pair(...children) {
  const div = document.createElement('div');
  div.append(...children);
  return div;
}

function element(tag, text, className = '') {
  const e = document.createElement(tag);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}
