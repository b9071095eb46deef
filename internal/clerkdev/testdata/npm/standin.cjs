// Runs the emulator's stand-in for clerk-js against the emulator, in as much of a
// browser as it needs. Reads {base, key, ticket, organization} from standard input.
'use strict'
const vm = require('node:vm')

async function read() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

const { setTimeout: later } = globalThis
const pause = ms => new Promise(done => later(done, ms))

async function main() {
  const { base, key, ticket, organization } = await read()
  const url = new URL(base)
  const jar = new Map()
  const out = { requests: [], went: null }
  const events = {}
  const location = Object.assign(url, { assign: to => { out.went = to } })
  const document = {
    currentScript: { dataset: { clerkPublishableKey: key, clerkProxyUrl: '/__clerk/' } },
    visibilityState: 'visible',
    addEventListener: (name, f) => { events[name] = f },
    get cookie() { return [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    set cookie(line) {
      const [pair] = line.split('; ')
      const at = pair.indexOf('=')
      if (line.includes('Max-Age=0')) jar.delete(pair.slice(0, at))
      else jar.set(pair.slice(0, at), pair.slice(at + 1))
    },
  }
  const window = { document, location, crypto, addEventListener: (name, f) => { events[name] = f } }
  const context = vm.createContext({
    window, document, location, crypto, URL, URLSearchParams, TextEncoder, Uint8Array, atob, btoa, setTimeout, clearTimeout, console,
    fetch: (to, init) => {
      out.requests.push((new URL(to).searchParams.get('_method') ?? init.method) + ' ' + new URL(to).pathname.replace('/__clerk/v1/', ''))
      return fetch(to, { ...init, headers: { ...init.headers, origin: url.origin } })
    },
  })
  vm.runInContext(await (await fetch(new URL('/__clerk/npm/@clerk/clerk-js@6/dist/clerk.browser.js', url))).text(), context)
  const { Clerk } = window
  const state = () => ({ cookies: Object.fromEntries(jar), signedIn: Clerk.isSignedIn, user: Clerk.user?.id ?? null, organization: Clerk.organization?.id ?? null })

  await Clerk.load()
  out.loaded = state()
  const attempt = await Clerk.client.signIn.create({ strategy: 'ticket', ticket })
  await Clerk.setActive({ session: attempt.createdSessionId })
  out.entered = state()
  await Clerk.setActive({ organization })
  out.switched = state()
  out.forced = await Clerk.session.getToken({ skipCache: true })
  const before = jar.get('__session')
  for (let n = 0; n < 100 && jar.get('__session') === before; n++) await pause(100)
  out.renewed = jar.get('__session') !== before
  const again = out.requests.length
  await Clerk.session.getToken()
  out.cached = out.requests.length === again
  await Clerk.signOut({ redirectUrl: '/bye' })
  out.left = state()
  process.stdout.write(JSON.stringify(out), () => process.exit(0))
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
