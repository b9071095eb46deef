'use strict';
// What a Node application reads from its request, as JSON.

const { createHash } = require('node:crypto');
const http = require('node:http');
const NAMES = require('./names.json');

function readings(req, name) {
  const lower = name.toLowerCase();
  const raw = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    if (req.rawHeaders[i].toLowerCase() === lower) raw.push(req.rawHeaders[i + 1]);
  }
  const joined = req.headers[lower];
  return {
    [`req.headers['${lower}']`]: joined === undefined ? [] : [joined],
    [`req.headersDistinct['${lower}']`]: req.headersDistinct[lower] ?? [],
    'req.rawHeaders': raw,
  };
}

// What parse of the package "cookie" did up to version 0.6, as Express 4 used it.
function cookies(line) {
  const found = {};
  for (const pair of line.split(';')) {
    const eq = pair.indexOf('=');
    if (eq < 0) continue;
    const name = pair.slice(0, eq).trim();
    if (!(name in found)) found[name] = pair.slice(eq + 1).trim();
  }
  return found;
}

function document(req, body) {
  const url = new URL(req.url, 'http://x');
  const dump = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    dump.push({ from: 'req.rawHeaders', name: req.rawHeaders[i], value: req.rawHeaders[i + 1] });
  }
  for (const [name, value] of Object.entries(req.trailers)) {
    dump.push({ from: 'req.trailers', name, value });
  }
  return JSON.stringify({
    server: `node/${process.versions.node}`,
    method: req.method,
    path: url.pathname,
    query: url.search.slice(1),
    body,
    read: Object.fromEntries(NAMES.map((name) => [name, readings(req, name)])),
    cookies: { 'cookie.parse(req.headers.cookie)': cookies(req.headers.cookie ?? '') },
    dump,
  });
}

const server = http.createServer((req, res) => {
  let body = 0;
  req.on('data', (chunk) => { body += chunk.length; });
  req.on('end', () => {
    const json = document(req, body);
    res.setHeader('Content-Type', 'application/json');
    if (req.method === 'HEAD') res.setHeader('X-Reading', Buffer.from(json).toString('base64'));
    else res.setHeader('Content-Length', Buffer.byteLength(json));
    res.end(req.method === 'HEAD' ? undefined : json);
  });
});

server.on('upgrade', (req, socket) => {
  const key = req.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.on('error', () => socket.destroy());
  socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n${document(req, 0)}\n`);
});

server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
