// An application without any script of Clerk's: its pages are left alone for five
// minutes at a time, and nothing of what somebody does then is lost.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ADA, BASE, OUT, advance, at, cookies, figures, mark, must, play, shown, step, visitor } from './kit.mjs';

const { SECRET, TOO_LARGE } = process.env;
const typed = 'What I typed: “ä & = + %41” \n and more.\n'.repeat(200);

// enter signs in on the emulator's page.
async function enter(page, wanted) {
  await page.goto(`${BASE}${wanted}`);
  must(at(page) === '/__clerk/sign-in', `nobody asked for ${wanted} and came to ${page.url()}`);
  await page.getByRole('button', { name: 'Ada Okafor' }).click();
  await page.waitForURL(`${BASE}${wanted}`);
  await isHers(page);
  await mark('signed in');
}

const isHers = async (page) => must((await shown(page, 'user')) === ADA, `${page.url()} is of ${await shown(page, 'user')}`);

// fiveMinutes is how long nobody touches the page.
const fiveMinutes = () => advance(300);

async function follow(page) {
  await page.getByRole('link', { name: 'next' }).click();
  await page.waitForURL(`${BASE}/page/next`); // and not a trace of Clerk in the address
  await isHers(page);
}

async function save(page) {
  await page.getByLabel('text').fill(typed);
  await fiveMinutes();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL(`${BASE}/form`);
}

async function upload(page) {
  const file = path.join(OUT, 'five megabytes.bin');
  writeFileSync(file, Buffer.alloc(5 << 20, 'authproxy '));
  await page.getByLabel('file').setInputFiles(file);
  await fiveMinutes();
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.waitForURL(`${BASE}/form`);
  await isHers(page);
}

const told = {};

// refused is what a person without a way to be renewed sees, and what is left to do.
async function refused(page) {
  await follow(page); // a page that did not itself bring a fresh cookie, as most
  await save(page);
  told.refusal = (await page.locator('main').innerText()).replaceAll(/\s*\n\s*/g, ' | ').replace(/Request \|.*/, '').trim();
  must(/401/.test(told.refusal), `the form is answered with ${told.refusal}`);
  await mark('refused');

  // Back is the form as it was left; a page in another tab renews the session.
  await page.goBack();
  must((await page.getByLabel('text').inputValue()) === typed, 'what was typed is gone');
  const other = await page.context().newPage();
  await other.goto(`${BASE}/page/other`);
  await isHers(other);
  await mark('renewed elsewhere');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL(`${BASE}/form`);
  await isHers(page);
}

// tooLarge is where without a secret key a production instance's answer does not
// fit a cookie.
async function tooLarge(page) {
  await fiveMinutes();
  await page.getByRole('link', { name: 'next' }).click();
  await page.getByText('401').waitFor();
  told.refusal = (await page.locator('main').innerText()).replaceAll(/\s*\n\s*/g, ' | ').replace(/Request \|.*/, '').trim();
  must(/set CLERK_SECRET_KEY/.test(told.refusal), `the page says ${told.refusal}`);
  await mark('refused');
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.waitForURL(`${BASE}/page/next`); // still signed in at Clerk
  await isHers(page);
}

await play(async (browser, troubles) => {
  const { context, page } = await visitor(browser, troubles, { javaScriptEnabled: false });
  const quiet = async (work) => {
    const before = troubles.length;
    await work();
    must(troubles.slice(before).every((t) => /status of 401/.test(t)), 'on the pages');
    troubles.length = before; // a 401 is what it was about
  };

  step('sign in');
  await enter(page, '/page/one');
  if (TOO_LARGE === 'yes') {
    step('five minutes, then a link');
    await quiet(() => tooLarge(page));
  } else {
    step('five minutes, then a link');
    await fiveMinutes();
    await follow(page);
    if (SECRET === 'yes') {
      step('five minutes, then a form');
      await save(page);
      await isHers(page);
      step('five minutes, then a file');
      await upload(page);
    } else {
      step('five minutes, then a form');
      await mark('typing');
      await quiet(() => refused(page));
    }
    const jar = await cookies(context);
    must(jar.app_visit && jar.__session, `the browser holds ${Object.keys(jar)}`);
  }
  await mark('leaving');

  if (SECRET === 'yes') {
    step('somebody else: a form is the first thing after five minutes');
    const second = await visitor(browser, troubles, { javaScriptEnabled: false });
    await enter(second.page, '/page/two');
    await save(second.page);
    await isHers(second.page);
    await mark('leaving');
    await second.context.close();
  }
  figures(told);
});
