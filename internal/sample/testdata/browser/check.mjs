// Walks a browser through `authproxy dev` with its sample app: sign in, read the
// headers, switch person, attack, let the token die, sign out; light and dark, 390
// px wide, with JavaScript off; axe on every page. Ends with 1 at the first thing that is not
// as it should be, and leaves numbered screenshots.
//
//   BASE_URL=http://localhost:4180 OUT_DIR=shots CHROMIUM=/usr/bin/chromium node check.mjs
//
// playwright-core and axe-core are taken from MODULES, a directory that holds
// node_modules; without it from the working directory.
import { readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const base = (process.env.BASE_URL ?? 'http://localhost:4180').replace(/\/$/, '');
const out = process.env.OUT_DIR ?? 'artifacts';
const require = createRequire(path.resolve(process.env.MODULES ?? '.', 'from.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const wide = { width: 1200, height: 860 };
const phone = { width: 390, height: 844 };
const patience = 10_000;
const spellings = ['X-Auth-Role', 'X_Auth_Role', 'X.Auth.Role', 'x-auth-role', 'X-Auth_Role', 'Remote-User', 'X-Forwarded-User'];

function must(fact, message) {
  if (!fact) throw new Error(message);
}

let shots = 0;
async function shot(page, name, fullPage = true) {
  const file = `${String(++shots).padStart(2, '0')}-${name}.png`;
  await page.screenshot({ path: path.join(out, file), fullPage, animations: 'disabled' });
  console.log(`  ${file}`);
}

// accessible runs axe by evaluation, which the page's Content-Security-Policy
// does not concern. Serious and critical findings are faults.
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
  const told = (list) => list.map((v) => `${v.id} (${v.impact}): ${v.help}\n    ${v.nodes.map((n) => `${n.target} ${n.failureSummary ?? ''}`).join('\n    ')}`).join('\n  ');
  must(serious.length === 0, `axe on ${what}:\n  ${told(serious)}`);
  for (const v of violations) console.log(`  axe, not serious, on ${what}: ${told([v])}`);
}

async function inBothSchemes(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await accessible(page, `${name}, ${colorScheme}`);
    await shot(page, `${name}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

async function fits(page, what) {
  const width = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth));
  must(width <= phone.width, `${what} is ${width} px wide on a screen of ${phone.width} px`);
}

// watch notes what must not happen on any page: scripts that fail, policies that
// bite, requests to anybody else.
function watch(page, troubles) {
  page.on('pageerror', (e) => troubles.push(`script error: ${e.message}`));
  page.on('console', (m) => {
    if (m.type() === 'error' && !/status of 40[14]/.test(m.text())) troubles.push(`console: ${m.text()}`);
  });
  page.on('request', (r) => {
    if (!r.url().startsWith(`${base}/`) && !/^(data|blob|about):/.test(r.url())) troubles.push(`request to ${r.url()}`);
  });
}

const people = (page) => page.locator('form[action*="/__clerk/sign-in"] button:visible');
const heading = (page) => page.getByRole('heading', { level: 1 });

// toSignIn opens the address a developer opens and comes to the sign-in page,
// be it sent there or by the button.
async function toSignIn(page) {
  await page.goto(`${base}/`);
  if (!new URL(page.url()).pathname.startsWith('/__clerk/sign-in')) {
    must(/nobody/i.test(await heading(page).innerText()), `the first page is neither sign-in nor "You are nobody": ${await heading(page).innerText()}`);
    await page.getByRole('link', { name: 'Sign in' }).click();
  }
  await people(page).first().waitFor({ timeout: patience });
}

async function pick(page, nth) {
  await people(page).nth(nth).click();
  await page.waitForURL((u) => u.pathname === '/', { timeout: patience });
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ timeout: patience });
}

// value is what the page shows for an identity header.
async function value(page, header) {
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: header, exact: true }) });
  must((await row.count()) === 1, `${await row.count()} rows for ${header}`);
  return (await row.getByRole('cell').last().innerText()).trim();
}

async function readHeaders(page) {
  must((await value(page, 'X-Auth-Status')) === 'authenticated', 'X-Auth-Status is not "authenticated" after sign-in');
  const user = await value(page, 'X-Auth-User-Id');
  must(/^user_/.test(user), `X-Auth-User-Id is ${user}`);
  must(/^sess_/.test(await value(page, 'X-Auth-Session-Id')), 'X-Auth-Session-Id is no session id');
  must((await page.locator('tr.alarm').count()) === 0, 'a row is marked as not the proxy’s');
  const kept = page.getByRole('table', { name: /did not get/ });
  must((await kept.getByRole('row').filter({ hasText: '__session' }).count()) > 0, 'the session cookie is not listed as kept back');
  const everything = await page.locator('dl.all').first().textContent();
  must(!everything.includes('__session'), 'the app received a Clerk cookie');
  must((await page.locator('.t-payload').first().innerText()).includes(user), 'the decoded token does not hold the user id');
  return user;
}

async function attackAll(page) {
  for (const name of spellings) {
    await page.getByRole('button', { name, exact: true }).click();
    must((await page.getByLabel('Header', { exact: true }).inputValue()) === name, `the chip ${name} does not fill the field`);
    const sending = page.waitForRequest((r) => new URL(r.url()).pathname === '/echo');
    await page.getByRole('button', { name: 'Send it' }).click();
    const sent = await (await sending).allHeaders();
    must(sent[name.toLowerCase()] === 'owner', `the browser did not send ${name}`);
    const answer = await (await (await sending).response()).json();
    must(answer.known, 'the app does not know what was sent');
    const trial = answer.sent.find((t) => t.name.toLowerCase() === name.toLowerCase());
    must(trial?.outcome === 'kept back', `${name}: ${JSON.stringify(trial)}`);
    const verdict = page.locator('#verdict');
    await verdict.getByText('Never arrived').waitFor({ timeout: patience });
    must(await verdict.evaluate((v) => v.classList.contains('good')), `the verdict on ${name} is not calm`);
    console.log(`  ${name}: never arrived`);
  }
  await page.getByRole('button', { name: 'X_Auth_Role', exact: true }).click();
  await page.getByRole('button', { name: 'Send it' }).click();
  await page.locator('#arrived').waitFor();
}

// loads lists the page loads, redirects too, that something leads to.
async function loads(page, act) {
  const list = [];
  const note = (r) => {
    if (r.isNavigationRequest() && r.frame() === page.mainFrame()) list.push(`${r.method()} ${new URL(r.url()).pathname}`);
  };
  page.on('request', note);
  await act();
  page.off('request', note);
  return list.join(' · ');
}

const deaths = [
  { button: 'Let the token die and refresh it silently', told: /^Your token had run out (\d+) seconds ago\. The proxy fetched a fresh one from Clerk and passed this page on: no redirect, no login\.$/, way: 'GET /' },
  { button: 'Let the token die and take the handshake', told: /^Your token had run out (\d+) seconds ago\. The browser went to Clerk and back for a fresh one: a few redirects, no login\.$/, way: 'GET / · GET /__clerk/v1/client/handshake · GET / · GET / · GET /' },
];
const note = (page) => page.locator('#renewed');

// facts is what the page shows, at once.
const facts = (page) => page.evaluate(() => {
  const text = (selector) => document.querySelector(selector)?.textContent ?? '';
  const rows = [...document.querySelectorAll('section[aria-labelledby=received] tbody tr')];
  return {
    headers: Object.fromEntries(rows.map((r) => [r.cells[0].textContent.trim(), r.cells[2].textContent.trim()])),
    alarms: document.querySelectorAll('tr.alarm').length,
    payload: JSON.parse(text('.t-payload')), signature: text('.t-signature'),
    ends: Number(document.querySelector('.life')?.dataset.expires), told: text('#renewed'),
  };
});

// survives lets the token die and sees the same page load, by the same session, with
// a new token, and no more redirects than it says.
async function survives(page, { button, told, way }, before = '') {
  const was = await facts(page);
  const taken = await loads(page, async () => {
    await page.getByRole('button', { name: button }).click();
    await note(page).filter({ hasText: told }).waitFor();
  });
  must(taken === before + way, `${button}: ${taken}`);
  const is = await facts(page);
  const [, seconds] = told.exec(is.told);
  must(seconds >= 60 && seconds < 80, `the token had run out ${seconds} seconds ago`);
  must(is.alarms === 0, 'a row is marked as not the proxy’s');
  for (const name of ['X-Auth-User-Id', 'X-Auth-Session-Id', 'X-Auth-Status']) {
    must(is.headers[name] && is.headers[name] === was.headers[name], `${name} was ${was.headers[name]} and is ${is.headers[name]}`);
  }
  must(is.signature !== was.signature && is.payload.exp > Date.now() / 1000, `the page shows the token that was: ${JSON.stringify(is.payload)}`);
  must(is.payload.sid === is.headers['X-Auth-Session-Id'] && is.ends === is.payload.exp, 'the token’s life is another token’s');
  const cookies = await page.context().cookies(base);
  const sessions = cookies.filter((c) => c.name.startsWith('__session'));
  must(sessions.length === 2 && sessions.every((c) => c.value.endsWith(`.${is.signature}`)), 'the browser has another token than the page shows');
  must(cookies.some((c) => c.name.startsWith('__refresh_')), 'there is no refresh cookie for the next time');
  console.log(`  ${taken}`);
}

// ordinary sees that a page load that nothing happened on says so.
async function ordinary(page) {
  must((await loads(page, () => page.goto(`${base}/`))) === 'GET /', 'an ordinary page load takes more than one request');
  must((await note(page).count()) === 0, 'an ordinary page load tells of a renewal');
}

// kill lets the token die behind the page's back.
const kill = (page, form = '') => page.evaluate(async (body) => {
  const answer = await fetch('/__clerk/expire', { method: 'POST', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  if (answer.status !== 204) throw new Error(`/__clerk/expire is ${answer.status}`);
}, form);

// attackDead sends the page's own request with a token that has run out.
async function attackDead(page) {
  const verdict = page.locator('#verdict');
  await kill(page);
  await page.getByRole('button', { name: 'Send it' }).click();
  await verdict.getByText('fetched a fresh one on the way').waitFor();
  must(/^Never arrived/.test(await verdict.innerText()), `with a dead token: ${await verdict.innerText()}`);
  await kill(page, 'forget_refresh=1');
  await page.getByRole('button', { name: 'Send it' }).click();
  await verdict.getByText('only a page load renews it').waitFor();
  await page.goto(`${base}/`);
  must(deaths[1].told.test(await note(page).innerText()), 'the page load after that takes no handshake');
}

// byKeyboard goes through the page with Tab alone.
async function byKeyboard(page) {
  await page.goto(`${base}/`);
  const reached = [];
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (e === document.body) return { text: '' }; // past the end
      const s = getComputedStyle(e);
      return { text: (e.innerText || e.id || '').trim().replace(/\s+/g, ' '), seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 };
    });
    if (at.text === '') break;
    must(at.seen, `no visible focus on "${at.text}"`);
    reached.push(at.text);
  }
  for (const wanted of ['Skip to the content', 'Switch person', 'Sign out', 'Send it', 'X_Auth_Role', ...deaths.map((d) => d.button)]) {
    must(reached.includes(wanted), `Tab does not reach "${wanted}": ${reached.join(' · ')}`);
  }
}

async function steps(browser, troubles) {
  const step = (text) => console.log(text);
  const context = await browser.newContext({ viewport: wide, colorScheme: 'light' });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  watch(page, troubles);
  const calm = () => must(troubles.length === 0, troubles.join('\n'));

  step('somebody new');
  await page.goto(`${base}/`);
  await inBothSchemes(page, 'first-page');

  step('sign in');
  await toSignIn(page);
  await inBothSchemes(page, 'sign-in');
  await pick(page, 0);
  calm();

  step('read the headers');
  const first = await readHeaders(page);
  await shot(page, 'picture', false);
  await inBothSchemes(page, 'headers');
  must(Number(await page.locator('.ring strong').textContent()) > 0, 'the token’s life does not show');

  step('keyboard');
  await byKeyboard(page);

  step('switch person');
  await page.goto(`${base}/`);
  await page.getByRole('link', { name: 'Switch person' }).click();
  await people(page).first().waitFor();
  must((await people(page).count()) > 1, 'there is only one person to be');
  await pick(page, 1);
  const second = await readHeaders(page);
  must(first !== second, `switching person left ${first}`);
  await shot(page, 'switched');
  calm();

  step('let the token die');
  await survives(page, deaths[1]);
  await shot(page, 'handshake', false);
  await ordinary(page);
  await survives(page, deaths[0]);
  await shot(page, 'refreshed', false);

  step('attack'); // on the page that tells of the renewal
  await attackAll(page);
  await inBothSchemes(page, 'attack');
  await attackDead(page);
  await ordinary(page);
  calm();

  step('a page that does not exist');
  const missing = await page.goto(`${base}/nothing-here`);
  must(missing.status() === 404, `/nothing-here is ${missing.status()}`);
  await inBothSchemes(page, 'not-found');

  step('390 px');
  await page.setViewportSize(phone);
  await page.goto(`${base}/`);
  await fits(page, 'the page');
  await survives(page, deaths[0]);
  await fits(page, 'the page that tells of a renewal');
  await inBothSchemes(page, 'phone');
  await page.getByRole('button', { name: 'Send it' }).click();
  await page.locator('#verdict').getByText('Never arrived').waitFor();
  await fits(page, 'the page with a verdict');
  await page.getByText('Everything the app received').click();
  await page.getByText('As it travels').click();
  await fits(page, 'the page with everything open');
  await page.getByRole('link', { name: 'Switch person' }).click();
  await people(page).first().waitFor();
  await fits(page, 'the sign-in page');
  await shot(page, 'phone-sign-in');
  await page.setViewportSize(wide);

  step('sign out');
  await page.goto(`${base}/`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL((u) => u.pathname === '/' || u.pathname.startsWith('/__clerk/sign-in'));
  must((await page.getByRole('button', { name: 'Sign out' }).count()) === 0, 'still signed in after sign-out');
  await shot(page, 'signed-out');
  const after = await (await context.request.get(`${base}/echo`, { maxRedirects: 0 })).text();
  must(!/"signed_in": *true/.test(after), 'the app still hears of a person after sign-out');
  calm();
  await context.close();

  step('the token runs out');
  const later = await browser.newContext({ viewport: wide, reducedMotion: 'reduce' });
  later.setDefaultTimeout(patience);
  const clocked = await later.newPage();
  watch(clocked, troubles);
  await toSignIn(clocked);
  await clocked.clock.install();
  await pick(clocked, 0);
  await clocked.clock.fastForward(120_000);
  await clocked.locator('.renew:visible').waitFor();
  must(/run out/.test(await clocked.locator('.life [role=status]').textContent()), 'the end of the token is not announced');
  await accessible(clocked, 'the page with a token that ran out');
  await shot(clocked, 'run-out', false);
  await later.close();
  calm();

  step('without JavaScript');
  const bare = await browser.newContext({ viewport: wide, javaScriptEnabled: false });
  bare.setDefaultTimeout(patience);
  const plain = await bare.newPage();
  watch(plain, troubles);
  await toSignIn(plain);
  await pick(plain, 0);
  must((await readHeaders(plain)) === first, 'another person without JavaScript');
  must(await plain.locator('pre', { hasText: 'curl' }).isVisible(), 'no curl command without JavaScript');
  must(!(await plain.getByRole('button', { name: 'Send it' }).isVisible()), 'a button that cannot work is shown');
  await shot(plain, 'without-javascript');
  for (const death of deaths) {
    await survives(plain, death, 'POST /__clerk/expire · ');
    await shot(plain, `without-javascript-${death === deaths[0] ? 'refreshed' : 'handshake'}`, false);
  }
  await ordinary(plain);
  await plain.getByRole('button', { name: 'Sign out' }).click();
  await plain.waitForURL((u) => u.pathname === '/' || u.pathname.startsWith('/__clerk/sign-in'));
  must((await plain.getByRole('button', { name: 'Sign out' }).count()) === 0, 'still signed in after sign-out without JavaScript');
  await bare.close();
  calm();
}

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const troubles = [];
try {
  await steps(browser, troubles);
  console.log(`all as it should be; ${shots} screenshots in ${out}`);
} catch (error) {
  console.error(`\nNOT AS IT SHOULD BE: ${error.message}`);
  for (const t of troubles) console.error(`  ${t}`);
  for (const c of browser.contexts()) for (const p of c.pages()) await shot(p, 'failure').catch(() => {});
  process.exitCode = 1;
} finally {
  await browser.close();
}
