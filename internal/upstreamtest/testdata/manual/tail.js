for (const line of require('node:fs').readFileSync(0, 'latin1').trim().split('\n')) {
  const [kind, header] = line.split(' ');
  const req = { headers: header === '-' ? {} : { 'x-auth-organization-name': Buffer.from(header, 'base64').toString('latin1') } };
  const show = (v) => Buffer.from(v).toString('base64');
  if (kind === 'list') {
    console.log(authList(req, 'X-Auth-Organization-Name').map((v) => ',' + show(v)).join(''));
  } else {
    const value = authHeader(req, 'X-Auth-Organization-Name');
    console.log(value === undefined ? '-' : show(value));
  }
}
