// A stand-in for clerk-js: the part of window.Clerk that keeps a page signed in.
// No user interface, one session.
(() => {
  'use strict'
  if (window.Clerk) return
  const own = document.currentScript ?? document.querySelector('script[data-clerk-publishable-key]')
  const key = own?.dataset.clerkPublishableKey ?? window.__clerk_publishable_key ?? ''
  const base = (own?.dataset.clerkProxyUrl || window.__clerk_proxy_url || '/__clerk').replace(/\/+$/, '') + '/v1/'
  const development = key.startsWith('pk_test_')
  const early = 10 // seconds before the end of a token that a new one is fetched

  const cookie = name => {
    const found = document.cookie.split('; ').find(pair => pair.startsWith(name + '='))
    return found ? found.slice(name.length + 1) : ''
  }
  // The suffix is of the key alone, so that emulators on other ports are left alone.
  const suffixOf = async () => {
    if (!window.crypto?.subtle) return ''
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(key)))
    return '_' + btoa(String.fromCharCode(...sum)).replace(/\+/g, '-').replace(/\//g, '_').slice(0, 8)
  }
  let suffix = ''
  const write = (name, value, rest = 'SameSite=Lax') => {
    const life = value === '' ? 0 : 31536000
    for (const full of suffix ? [name, name + suffix] : [name]) {
      document.cookie = `${full}=${value}; Path=/; Max-Age=${life}; ${rest}${location.protocol === 'https:' ? '; Secure' : ''}`
    }
  }

  let browser = ''
  const ask = async (method, path, body) => {
    const url = new URL(base + path, location.href)
    if (method !== 'GET' && method !== 'POST') url.searchParams.set('_method', method)
    if (development && path !== 'dev_browser') url.searchParams.set('__clerk_db_jwt', browser)
    const answer = await fetch(url, {
      method: method === 'GET' ? 'GET' : 'POST', credentials: 'include',
      body: method === 'GET' ? undefined : new URLSearchParams(body ?? {}),
    })
    const json = await answer.json()
    if (!answer.ok) throw Object.assign(new Error(json.errors?.[0]?.code ?? 'error'), { status: answer.status, errors: json.errors })
    return json
  }
  const meet = async () => {
    browser = (await ask('POST', 'dev_browser')).id
    write('__clerk_db_jwt', browser)
  }

  let token = ''
  let client = null
  let timer = 0
  const listeners = new Set()
  const claims = jwt => JSON.parse(atob(jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')))
  const left = () => token ? claims(token).exp - Date.now() / 1000 : 0

  const keep = jwt => {
    token = jwt
    write('__session', jwt)
    if (development) {
      const at = jwt ? Math.min(Math.floor((client?.updated_at ?? Date.now()) / 1000), claims(jwt).iat) : 0
      write('__client_uat', String(at), 'SameSite=Strict; Domain=' + etld())
    }
    clearTimeout(timer)
    if (jwt) timer = setTimeout(() => fresh().catch(() => {}), Math.max(1, left() - early) * 1000)
  }
  const etld = () => {
    const host = location.hostname
    return /^[\d.]+$|:/.test(host) ? '' : host.split('.').slice(-2).join('.')
  }

  const adopt = next => {
    client = next
    const s = client?.sessions?.find(one => one.status === 'active' || one.status === 'pending')
    Clerk.client = { sessions: [], ...client, signIn: { create } }
    Clerk.session = s ? { ...s, getToken, user: s.user } : null
    Clerk.user = s?.user ?? null
    Clerk.organization = s?.user?.organization_memberships?.find(m => m.organization.id === s.last_active_organization_id)?.organization ?? null
    Clerk.isSignedIn = s?.status === 'active'
    keep(s?.last_active_token?.jwt ?? '')
    for (const listener of listeners) listener({ client, session: Clerk.session, user: Clerk.user, organization: Clerk.organization })
  }
  const create = async body => {
    const { response, client } = await ask('POST', 'client/sign_ins', body)
    adopt(client)
    return { id: response.id, status: response.status, createdSessionId: response.created_session_id }
  }
  const look = async () => {
    const answer = await ask('GET', 'client')
    adopt(answer.response)
  }

  // One request at a time makes a new token, however many ask.
  let running = null
  const fresh = () => running ??= (async () => {
    const id = Clerk.session?.id
    try {
      if (!id) return
      const { jwt } = await ask('POST', `client/sessions/${id}/tokens`, { organization_id: Clerk.session.last_active_organization_id ?? '' })
      if (Clerk.session?.id === id) keep(jwt)
    } catch (e) {
      if (e.status === 401) await look()
      else if (Clerk.session?.id === id) timer = setTimeout(() => fresh().catch(() => {}), 5000)
    } finally {
      running = null
    }
  })()
  const getToken = async ({ skipCache } = {}) => {
    if (Clerk.session && (skipCache || left() <= early)) await fresh()
    return token || null
  }

  const load = async () => {
    suffix = await suffixOf().catch(() => '')
    browser = cookie('__clerk_db_jwt' + suffix) || cookie('__clerk_db_jwt')
    if (development && !browser) await meet()
    try {
      await look()
    } catch (e) {
      if (!development || e.status !== 401) throw e
      await meet()
      await look()
    }
    const wake = () => {
      if (document.visibilityState === 'visible' && Clerk.session && left() <= early) fresh().catch(() => {})
    }
    document.addEventListener('visibilitychange', wake)
    window.addEventListener('focus', wake)
    Clerk.loaded = true
    Clerk.status = 'ready'
  }

  let loading = null
  const Clerk = {
    publishableKey: key, loaded: false, status: 'loading', isSignedIn: false, version: 'stand-in',
    client: null, session: null, user: null, organization: null,
    load: () => loading ??= load(),
    addListener: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    signOut: async ({ redirectUrl } = {}) => {
      const answer = await ask('DELETE', 'client/sessions')
      adopt(answer.response)
      location.assign(redirectUrl ?? '/')
    },
    setActive: async ({ session, organization, redirectUrl } = {}) => {
      const id = session?.id ?? session ?? Clerk.session?.id
      const body = { intent: organization === undefined ? 'select_session' : 'select_org' }
      if (organization !== undefined) body.active_organization_id = organization?.id ?? organization ?? ''
      adopt((await ask('POST', `client/sessions/${id}/touch`, body)).client)
      if (redirectUrl) location.assign(redirectUrl)
    },
  }
  window.Clerk = Clerk
})()
