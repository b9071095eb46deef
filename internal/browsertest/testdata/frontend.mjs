// npm's clerk-js on the pages of an application, from signing in to signing out.
import { ADA, BASE, SUFFIX, at, background, claims, cookies, dead, figures, foreground, mark, must, pause, play, shown, skew, step, ticket, visitor } from './kit.mjs';

const { HARBOUR, QUARRY, SECRET } = process.env;
const suffixed = (name) => `${name}_${SUFFIX}`;
const told = {};

// Not by animation frames, which a hidden page has none of.
const ready = (page) => page.waitForFunction(() => globalThis.Clerk?.loaded, undefined, { polling: 50 });

// toSignIn asks for a page as nobody and comes to where clerk-js can sign in.
async function toSignIn(page, wanted) {
  await page.goto(`${BASE}${wanted}`);
  must(at(page) === '/welcome', `nobody asked for ${wanted} and came to ${page.url()}`);
  await ready(page);
  must(await page.evaluate(() => !Clerk.isSignedIn && !Clerk.session), 'clerk-js says that somebody is signed in');
}

// enter goes in with what clerk-js was asked to sign in by.
async function enter(page, how, wanted) {
  const begun = Date.now();
  const session = await page.evaluate(async ({ code, ...how }) => {
    let made = await Clerk.client.signIn.create(how);
    if (code) {
      const { strategy, emailAddressId } = made.supportedFirstFactors.find((f) => f.strategy === 'email_code');
      await made.prepareFirstFactor({ strategy, emailAddressId });
      made = await made.attemptFirstFactor({ strategy, code });
    }
    if (made.status !== 'complete') throw new Error(`sign-in is ${made.status}`);
    return made.createdSessionId;
  }, how);
  await mark('signed in');
  await Promise.all([
    page.waitForURL(`${BASE}${wanted}`),
    page.evaluate(([session, redirectUrl]) => void Clerk.setActive({ session, redirectUrl }), [session, wanted]),
  ]);
  must((await shown(page, 'user')) === ADA, `the page is of ${await shown(page, 'user')}`);
  await ready(page);
  return Date.now() - begun;
}

// look takes note of the session cookie: alive, and under both names the same. In
// the background clerk-js looks every five seconds, so that a token may be a moment
// late.
async function look(context, seen, since, late) {
  const jar = await cookies(context);
  const token = jar.__session ?? '';
  must(token !== '', 'the session cookie is gone');
  if (token !== jar[suffixed('__session')]) {
    const again = await cookies(context); // it may have been between the two
    must(again.__session === again[suffixed('__session')], 'the two session cookies differ');
  }
  const left = claims(token).exp - Date.now() / 1000;
  must(left > -late, `the token in the cookie has been dead for ${-left} s`);
  if (seen.at(-1)?.token !== token) seen.push({ token, at: (Date.now() - since) / 1000 });
  return left;
}

// stay watches the page for a while, as somebody would who works on it, and until
// the token was renewed so often.
async function stay(page, seconds, often, late) {
  const since = Date.now();
  const seen = [];
  let least = Infinity;
  for (let n = 0; Date.now() - since < seconds * 1000 || seen.length <= often; n++) {
    must(Date.now() - since < (seconds + 15) * 1000, `renewed ${seen.length - 1} times in ${seconds + 15} s`);
    least = Math.min(least, await look(page.context(), seen, since, late));
    if (n % 4 === 0) {
      const who = await page.evaluate(async () => {
        const answer = await fetch('/who');
        return { ...(await answer.json()), code: answer.status };
      });
      must(who.code === 200 && who.user === ADA, `a fetch is answered with ${JSON.stringify(who)}`);
    }
    if (n % 12 === 0) {
      await page.evaluate((n) => new Promise((done, failed) => {
        const frame = Object.assign(document.createElement('iframe'), { src: `/frame?n=${n}`, onload: done, onerror: failed });
        document.body.append(frame);
      }), n);
    }
    await pause(250);
  }
  return { renewals: seen.slice(1).map((s) => Number(s.at.toFixed(1))), least: Number(least.toFixed(1)) };
}

// freeze stops the tab, which is in the background, until its token is dead.
async function freeze(page) {
  const context = page.context();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
  await pause(500); // for what was under way
  const before = (await cookies(context)).__session;
  while (!(await dead(context))) await pause(200);
  must((await cookies(context)).__session === before, 'a frozen tab renewed its cookie');
  return () => cdp.send('Page.setWebLifecycleState', { state: 'active' });
}

// hold keeps clerk-js from getting an answer about tokens.
async function hold(context, page) {
  await context.route(/\/(tokens|touch)\?/, () => {});
  const asked = page.waitForRequest(/nobody-answers/);
  await page.evaluate(() => void fetch('/nobody-answers/tokens?').catch(() => {}));
  await asked; // so the page has heard of it
}

const organization = async (page) => claims((await cookies(page.context())).__session).o?.id ?? '';

async function choose(page, id) {
  await page.evaluate((organization) => Clerk.setActive({ organization }), id || null);
  must((await organization(page)) === id, `the token is of ${await organization(page)}, not ${id}`);
  const who = await page.evaluate(async () => (await fetch('/who')).json());
  must(who.organization === id, `the application hears of ${who.organization}, not ${id}`);
  await page.reload();
  must((await shown(page, 'organization')) === JSON.stringify(id), `the page is of ${await shown(page, 'organization')}`);
  await ready(page);
  must((await page.evaluate(() => Clerk.organization?.id ?? '')) === id, 'clerk-js thinks otherwise');
}

// isOut makes sure that nobody is signed in, for the application, the cookies and
// clerk-js, and that it stays so.
async function isOut(page, how) {
  for (const again of [false, true]) {
    if (again) await page.reload();
    await ready(page);
    must(await page.evaluate(() => !Clerk.isSignedIn && !Clerk.session && !Clerk.user), `${how}: clerk-js says that somebody is signed in`);
    const jar = await cookies(page.context());
    for (const name of ['__session', suffixed('__session'), suffixed('__refresh')]) must(!jar[name], `${how}: ${name} is there`);
    for (const name of ['__client_uat', suffixed('__client_uat')]) must((jar[name] ?? '0') === '0', `${how}: ${name} is ${jar[name]}`);
    await page.goto(`${BASE}/page/after`);
    must(at(page) === '/welcome', `${how}: one who asks for a page comes to ${page.url()}`);
  }
}

await play(async (browser, troubles) => {
  const { context, page } = await visitor(browser, troubles);

  step('nobody');
  await toSignIn(page, '/page/one');

  step('sign in with a ticket');
  told.version = await page.evaluate(() => Clerk.version);
  must(!/stand-in/.test(told.version), 'this is not clerk-js');
  told.signInMs = await enter(page, { strategy: 'ticket', ticket: await ticket('ada') }, '/page/one');

  step('stay on the page');
  told.focused = await stay(page, 34, 3, 0);

  step('in the background');
  const other = await background(page);
  told.hidden = await stay(page, 12, 1, skew);

  step('frozen, then a reload');
  await freeze(page);
  await page.reload(); // still frozen: clerk-js has no time to wake up
  must((await shown(page, 'user')) === ADA && page.url() === `${BASE}/page/one`, `after the reload: ${page.url()}`);
  must(!(await dead(context)), 'the page load left a dead cookie');
  await ready(page);

  if (SECRET === 'yes') {
    step('frozen, then a form');
    const typed = 'kept whole: ' + 'äöü\n'.repeat(2000);
    await page.evaluate((text) => { document.forms.text.elements.text.value = text; }, typed); // fill waits for frames
    await hold(context, page); // clerk-js is not the quicker one
    const wake = await freeze(page);
    await wake();
    await foreground(page, other);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(`${BASE}/form`);
    must((await shown(page, 'user')) === ADA, 'the form did not arrive as hers');
    must(!(await dead(context)), 'the form left a dead cookie');
    must((await cookies(context)).app_visit, 'the application’s cookie did not arrive');
    await context.unrouteAll();
    await page.goto(`${BASE}/page/two`);
  } else {
    step('frozen, then woken up');
    const wake = await freeze(page);
    const woken = Date.now();
    await wake();
    await foreground(page, other);
    while (await dead(context)) {
      must(Date.now() - woken < 10_000, 'awake for 10 s, and the cookie is dead');
      await pause(20);
    }
    told.wokenMs = Date.now() - woken;
  }
  await ready(page);

  step('switch organisation');
  for (const id of [HARBOUR, QUARRY, '']) await choose(page, id);

  step('sign out through the proxy');
  await mark('signing out');
  await page.goto(`${BASE}/_authproxy/sign-out?redirect_url=/welcome`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${BASE}/welcome`);
  await isOut(page, 'signed out through the proxy');

  step('sign in with a password, or a code');
  await toSignIn(page, '/page/three');
  const how = SECRET === 'yes' ? { strategy: 'password', identifier: 'ada', password: 'clerkdev' } : { identifier: 'ada', code: '424242' };
  await enter(page, how, '/page/three');
  await choose(page, QUARRY);

  step('sign out with clerk-js');
  await mark('signing out');
  await Promise.all([page.waitForURL(`${BASE}/welcome`), page.evaluate(() => void Clerk.signOut({ redirectUrl: '/welcome' }))]);
  await isOut(page, 'signed out with clerk-js');

  figures(told);
});
