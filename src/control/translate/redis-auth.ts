/** Credentials of a RedisService or RedisDestination, its Secret looked up. */
import type { RedisAuthSpec } from '../model/redis-auth.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { Secrets } from './secrets.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Keys of a Secret that hold the password where none is named. */
const PASSWORD_KEYS = ['password', 'token'];

/** null: none are asked for, or a finding says what is missing. */
export function credentialsOf(
  resource: Resource,
  auth: RedisAuthSpec | null | undefined,
  path: FieldPath,
  secrets: Secrets,
  findings: Finding[],
): Credentials | null {
  if (!auth) return null;
  if (auth.plain) return checked(auth.plain.username ?? '', auth.plain.password, [...path, 'plain', 'password']);
  const { name, passwordField, usernameField } = auth.secret!;
  const { namespace } = resource.metadata;
  const secret = secrets.find(namespace, name);
  if (secret === null) {
    const message = secrets.faultOf(namespace, name) ?? `there is no Secret ${name} in the namespace ${namespace}`;
    findings.push(findingAt(resource.document, 'error', [...path, 'secret', 'name'], message));
    return null;
  }
  const read = (key: string): string => (secret.texts.get(key) ?? '').trim();
  const keys = passwordField ? [passwordField] : PASSWORD_KEYS;
  const password = keys.map(read).find((text) => text !== '') ?? '';
  if (usernameField && read(usernameField) === '') {
    const message = `Secret ${name} has no ${usernameField}`;
    findings.push(findingAt(resource.document, 'error', [...path, 'secret', 'usernameField'], message));
  }
  return checked(
    read(usernameField ?? 'username'),
    password,
    [...path, 'secret'],
    `of Secret ${name} (${keys.join(', ')}) `,
  );

  function checked(username: string, given: string, at: FieldPath, whose = ''): Credentials | null {
    if (given !== '') return { username, password: given };
    findings.push(findingAt(resource.document, 'error', at, `the password ${whose}is empty`));
    return null;
  }
}
