// Signs out in headless Chromium, with and without JavaScript, with and without
// a secret key, and with Clerk gone; then loads session.js into a page with a
// Content-Security-Policy. Ends with 1 at the first thing that is not as it
// should be.
//
//   REVOKING=http://app.example.test:1 SCRIPTED=http://app.example.test:2 BROKEN=http://app.example.test:3 \
//   RESOLVE='MAP *.example.test 127.0.0.1' CHROMIUM=/usr/bin/chromium MODULES=dir node check.mjs
import { createRequire } from 'node:module';
import path from 'node:path';

const { REVOKING, SCRIPTED, BROKEN, RESOLVE, CHROMIUM, MODULES, SUFFIX } = process.env;
const { chromium } = createRequire(path.resolve(MODULES, 'from.js'))('playwright-core');

function must(fact, message) {
  if (!fact) throw new Error(message);
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', `--host-resolver-rules=${RESOLVE}`] });

// visitor is a browser that is signed in at base, as Clerk's cookies say it.
async function visitor(base, options = {}) {
  const context = await browser.newContext(options);
  const { hostname: host } = new URL(base);
  const parent = host.split('.').slice(-2).join('.');
  const of = (name, domain, more = {}) => ({ name, value: '1', domain, path: '/', sameSite: 'Lax', ...more });
  await context.addCookies([
    of('__session', host), of(`__session_${SUFFIX}`, host), of(`__refresh_${SUFFIX}`, host, { httpOnly: true }),
    of('__client_uat', host), of('__client_uat', `.${parent}`), of(`__client_uat_${SUFFIX}`, `.${parent}`),
    of('__clerk_handshake', `.${parent}`), of('__clerk_handshake_nonce', host), of('__clerk_redirect_count', host),
    // Only where a browser lets clerk-js write it, which it always does with Secure.
    ...(host === 'localhost' ? [of('clerk_active_context', host, { secure: true })] : []),
    of('__clerk_db_jwt', host), of(`__clerk_db_jwt_${SUFFIX}`, host), of('theirs', host),
  ]);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.troubles = [];
  page.on('pageerror', (e) => page.troubles.push(`script error: ${e.message}`));
  page.on('console', (m) => {
    if (m.type() === 'error' && !/status of (403|404)|not executable/.test(m.text())) page.troubles.push(m.text());
  });
  page.names = async () => [...new Set((await context.cookies()).map((c) => c.name))].sort().join(' ');
  return page;
}

const kept = `__clerk_db_jwt __clerk_db_jwt_${SUFFIX} theirs`;

async function out(page, base, what) {
  await page.waitForURL(`${base}/bye?a=1`);
  must((await page.names()) === kept, `${what}: left are ${await page.names()}`);
}

async function press(base, options) {
  const page = await visitor(base, options);
  await page.goto(`${base}/_authproxy/sign-out?redirect_url=%2Fbye%3Fa%3D1`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  return page;
}

async function quiet(page, what) {
  must(page.troubles.length === 0, `${what}: ${page.troubles.join('\n')}`);
  await page.context().close();
}

const local = REVOKING.replace('app.example.test', 'localhost');
for (const [what, base, options] of [
  ['a secret key, no JavaScript', REVOKING, { javaScriptEnabled: false }],
  ['a secret key, on localhost', local, {}],
  ['clerk-js', SCRIPTED, {}],
]) {
  const page = await press(base, options);
  await out(page, base, what);
  await quiet(page, what);
}

{
  const page = await press(SCRIPTED, { javaScriptEnabled: false });
  await page.locator('noscript p').waitFor(); // getByText does not look there
  must((await page.names()).includes('__session'), 'signed out here and not at Clerk, for want of JavaScript');
  await quiet(page, 'no JavaScript');
}

for (const way of ['gone', 'stays', 'refuses']) {
  const page = await visitor(BROKEN);
  await page.context().addCookies([{ name: 'way', value: way, url: BROKEN }]);
  await page.goto(`${BROKEN}/_authproxy/sign-out?redirect_url=%2Fbye%3Fa%3D1`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('alert').filter({ hasText: 'still signed in' }).waitFor();
  must((await page.names()).includes('__session'), `signed out here and not at Clerk, which ${way}`);
  await page.context().addCookies([{ name: 'way', value: 'works', url: BROKEN }]);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForURL(`${BROKEN}/bye?a=1`);
  await quiet(page, `Clerk ${way}`);
}

{
  // Another site's form, top-level, with the cookies that Lax lets through.
  const page = await visitor(REVOKING);
  await page.goto(`${local}/page`);
  await page.evaluate((to) => {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = to;
    document.body.append(form);
    form.submit();
  }, `${REVOKING}/_authproxy/sign-out`);
  await page.waitForURL(`${REVOKING}/_authproxy/sign-out`);
  must((await page.names()).includes('__session'), 'another site signed somebody out');
  await quiet(page, 'another site');
}

{
  const page = await visitor(SCRIPTED);
  await page.goto(`${SCRIPTED}/page`);
  await page.waitForFunction(() => globalThis.Clerk?.options);
  const { key, options, elements } = await page.evaluate(() => ({
    ...globalThis.Clerk, elements: document.querySelectorAll('script[data-clerk-publishable-key]').length,
  }));
  must(key.startsWith('pk_test_') && options.telemetry === false && elements === 1, `session.js: ${key}, ${JSON.stringify(options)}, ${elements} elements`);
  await quiet(page, 'session.js');
}

await browser.close();
