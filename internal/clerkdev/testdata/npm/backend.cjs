// Asks npm's @clerk/backend, which is Clerk's own code, what it makes of the
// emulator. Reads one JSON object from standard input, writes one to standard output.
'use strict'
const { createClerkClient } = require('@clerk/backend')

async function read() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

// state is what an application sees of a request.
async function state(clerk, { url, headers, options }) {
  const s = await clerk.authenticateRequest(new Request(url, { headers }), options)
  const auth = s.status === 'handshake' ? null : s.toAuth()
  return {
    status: s.status, reason: s.reason, userId: auth?.userId, sessionId: auth?.sessionId,
    orgId: auth?.orgId, orgSlug: auth?.orgSlug, orgRole: auth?.orgRole, orgPermissions: auth?.orgPermissions,
    claim: auth?.sessionClaims?.team,
  }
}

// visit is what a browser gets to see of the answer.
async function visit(clerk, { url, headers, options }) {
  const s = await clerk.authenticateRequest(new Request(url, { headers }), options)
  return {
    status: s.status, reason: s.reason, location: s.headers.get('location'), cookies: s.headers.getSetCookie(),
    userId: s.status === 'handshake' ? null : s.toAuth()?.userId, orgSlug: s.status === 'handshake' ? null : s.toAuth()?.orgSlug,
  }
}

// error is what the library throws for a refusal.
async function error(call) {
  try {
    await call()
  } catch (e) {
    return { status: e.status, code: e.errors?.[0]?.code, param: e.errors?.[0]?.meta?.paramName, trace: !!e.clerkTraceId, retryAfter: e.retryAfter }
  }
  return null
}

async function users(clerk, { userId, email }) {
  const user = await clerk.users.getUser(userId)
  const merged = await clerk.users.updateUserMetadata(userId, { publicMetadata: { role: 'owner', deep: { a: null, c: 3 } } })
  const replaced = await clerk.users.replaceUserMetadata(userId, { privateMetadata: { p: 1 } })
  const updated = await clerk.users.updateUser(userId, { lastName: 'Lovelace' })
  const list = await clerk.users.getUserList({ emailAddress: [email], orderBy: '+created_at' })
  const everybody = await clerk.users.getUserList({ limit: 1 })
  const memberships = await clerk.users.getOrganizationMembershipList({ userId })
  return {
    firstName: user.firstName, email: user.primaryEmailAddress?.emailAddress,
    merged: merged.publicMetadata, replaced: replaced.privateMetadata, lastName: updated.lastName,
    listed: list.data.map(u => u.id), total: list.totalCount, everybody: everybody.totalCount, shown: everybody.data.length,
    roles: memberships.data.map(m => m.role),
    missing: await error(() => clerk.users.getUser('user_nobody')),
    large: await error(() => clerk.users.updateUserMetadata(userId, { publicMetadata: { k: 'a'.repeat(9000) } })),
  }
}

async function sessions(clerk, { userId, sessionId }) {
  const template = await clerk.jwtTemplates.create({ name: 'crm', claims: { aud: 'crm' } })
  const token = await clerk.sessions.getToken(sessionId, 'crm')
  const list = await clerk.sessions.getSessionList({ userId, status: 'active' })
  return {
    template: template.name, lifetime: template.lifetime, token: token.jwt, active: list.data.map(s => s.id),
    templates: (await clerk.jwtTemplates.list()).totalCount,
    reserved: await error(() => clerk.jwtTemplates.update({ templateId: template.id, name: 'crm', claims: { sub: 'x' } })),
    removed: (await clerk.jwtTemplates.delete(template.id)).deleted,
  }
}

async function flood(clerk, { userId }) {
  for (let n = 0; n < 20; n++) {
    const refused = await error(() => clerk.users.updateUserMetadata(userId, { publicMetadata: { n } }))
    if (refused) return { n, ...refused }
  }
  return null
}

async function main() {
  const input = await read()
  const clerk = createClerkClient(input.client)
  const out = {}
  if (input.user) out.users = await users(clerk, input.user)
  if (input.session) out.sessions = await sessions(clerk, input.session)
  out.states = {}
  for (const [name, request] of Object.entries(input.requests ?? {})) {
    if (request.headers.authorization === 'template') request.headers.authorization = `Bearer ${out.sessions.token}`
    out.states[name] = await state(clerk, request)
  }
  out.visits = {}
  for (const [name, request] of Object.entries(input.visits ?? {})) out.visits[name] = await visit(clerk, request)
  if (input.revoke) out.revoked = (await clerk.sessions.revokeSession(input.revoke)).status
  if (input.flood) out.flood = await flood(clerk, input.flood)
  process.stdout.write(JSON.stringify(out))
}

main().catch(e => {
  console.error(e)
  process.exitCode = 1
})
