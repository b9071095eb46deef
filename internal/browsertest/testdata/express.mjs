// A small Express application with Clerk's own SDK, behind the proxy. To every
// request it answers what the SDK says of who is signed in, and what the proxy's
// headers say.
import { createRequire } from 'node:module';
import path from 'node:path';

// The clock goes where the test puts it, for the SDK too.
let ahead = 0;
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...parts) {
    super(...(parts.length ? parts : [Real.now() + ahead]));
  }

  static now() {
    return Real.now() + ahead;
  }
};

const require = createRequire(path.resolve(process.env.MODULES, 'from.js'));
const express = require('express');
const { clerkMiddleware, getAuth } = require('@clerk/express');
const { PUBLISHABLE_KEY, SECRET_KEY, JWT_KEY, API, BASE } = process.env;

const app = express();
app.put('/ahead/:ms', (q, r) => {
  ahead = Number(q.params.ms);
  r.end();
});
app.use(clerkMiddleware({
  publishableKey: PUBLISHABLE_KEY, secretKey: SECRET_KEY, jwtKey: JWT_KEY, apiUrl: API, proxyUrl: '/__clerk',
  authorizedParties: [BASE], telemetry: { disabled: true },
}));
app.all('/{*any}', (q, r) => {
  const { userId, sessionId, orgId, actor } = getAuth(q);
  const header = (name) => q.get(name) ?? '';
  r.set('X-App', 'yes').set('Vary', 'Accept-Language').cookie('app_visit', '1').json({
    sdk: { user: userId ?? '', session: sessionId ?? '', organization: orgId ?? '', actor: actor?.sub ?? '' },
    proxy: { user: header('X-Auth-User-Id'), session: header('X-Auth-Session-Id'), organization: header('X-Auth-Org'), actor: header('X-Auth-Actor') },
    status: header('X-Auth-Status'), cookies: header('Cookie'), method: q.method,
  });
});
app.use((error, _q, r, _next) => r.status(500).send(String(error.stack)));
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume(); // the test is gone
