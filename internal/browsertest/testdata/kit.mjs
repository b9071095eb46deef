// What the scripts share: a browser, the clock and tickets of the test, and a
// word for what must be.
import { createRequire } from 'node:module';
import path from 'node:path';

export const { BASE, CONTROL, SUFFIX, ADA, OUT } = process.env;
const { chromium } = createRequire(path.resolve(process.env.MODULES, 'from.js'))('playwright-core');

export const patience = 30_000;

export function must(fact, message) {
  if (!fact) throw new Error(message);
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const ask = async (path, fields) => (await fetch(`${CONTROL}/${path}`, { method: 'POST', body: new URLSearchParams(fields) })).text();

// mark writes a line into the test's journal.
export const mark = (name) => ask('mark', { name });
export const advance = (seconds) => ask('advance', { seconds });
export const ticket = (user) => ask('ticket', { user });

const begun = Date.now();
export const step = (text) => console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} ${text}`);

export const figures = (values) => console.log(`FIGURES ${JSON.stringify(values)}`);

// play runs steps in a browser and ends with 1 at the first thing that is not as
// it should be, or that went wrong on any page.
export async function play(steps) {
  // AutomationControlled would make clerk-js believe that it is offline
  // (clerk-frontend.md, 8.1).
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    ignoreDefaultArgs: ['--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding'],
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-blink-features=AutomationControlled', `--ignore-certificate-errors-spki-list=${process.env.PIN}`],
  });
  const troubles = [];
  try {
    await steps(browser, troubles);
    must(troubles.length === 0, 'on the pages');
  } catch (error) {
    console.error(`\nNOT AS IT SHOULD BE: ${error.stack}`);
    for (const t of troubles) console.error(`  ${t}`);
    for (const p of browser.contexts().flatMap((c) => c.pages())) {
      console.error(`  ${p.url()}\n${await p.content().catch(String)}`);
    }
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

// visitor is a new browser as far as cookies go; what goes wrong on its pages is
// noted in troubles.
export async function visitor(browser, troubles, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  context.on('weberror', (e) => troubles.push(`script error: ${e.error().stack}`));
  context.on('console', (m) => {
    if (m.type() === 'error' || /authproxy:/.test(m.text())) troubles.push(`console: ${m.text()} ${m.location().url}`);
  });
  context.on('request', (r) => {
    if (!r.url().startsWith(`${BASE}/`) && !/^(data|blob|about):/.test(r.url())) troubles.push(`request to ${r.url()}`);
  });
  return { context, page: await context.newPage() };
}

// cookies are those of the site by their names.
export async function cookies(context) {
  return Object.fromEntries((await context.cookies()).map((c) => [c.name, c.value]));
}

export function claims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

// skew is the proxy's tolerance, in seconds.
export const skew = 3;

// dead reports whether the session cookie has run out for the proxy, too.
export async function dead(context) {
  const token = (await cookies(context)).__session;
  return !token || claims(token).exp + skew < Date.now() / 1000;
}

// background puts another tab in front, so that this one is hidden; foreground
// takes that away again. Playwright makes every page believe that it is in front,
// by a capture that keeps it visible; that has to be ended by whoever began it.
export async function background(page) {
  const playwright = page._connection.toImpl(page).delegate._mainFrameSession._client;
  await playwright.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  const other = await page.context().newPage();
  await other.bringToFront();
  await page.waitForFunction(() => document.hidden && !document.hasFocus(), undefined, { polling: 100 });
  return other;
}

export async function foreground(page, other) {
  await other.close();
  await page.bringToFront();
}

export const shown = (page, id) => page.locator(`#${id}`).innerText();

export const at = (page) => new URL(page.url()).pathname;
