// What Clerk's SDK says about paths: for each case of stdin, {organization, personal,
// paths}, an error or the target of every path. The last function is that of
// @clerk/backend's OrganizationMatcher, which the package does not export.
'use strict';

const { match } = require('@clerk/shared/pathToRegexp');

const matcher = patterns => (patterns && patterns.length ? match(patterns) : null);

function target(organization, personal, path) {
  const { pathname } = new URL('https://app.example.com' + path);
  const found = organization && organization(pathname);
  if (found && found.params.id) return { ID: String(found.params.id) };
  if (found && found.params.slug) return { Slug: String(found.params.slug) };
  return personal && personal(pathname) ? { Personal: true } : null;
}

const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(cases.map(c => {
  try {
    const organization = matcher(c.organization), personal = matcher(c.personal);
    return { targets: c.paths.map(path => target(organization, personal, path)) };
  } catch (e) {
    return { error: e.message };
  }
})));
