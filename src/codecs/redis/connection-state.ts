/** ConnectionState: what an upstream connection must have been told before a caller's commands mean what the caller means. */

export interface ConnectionState {
  /** '' = the server's default user. */
  readonly user: string;
  /** null: the caller said none; the cluster's own credentials are used, if it has any. */
  readonly password: string | null;
  readonly database: number;
  /** Version of RESP. */
  readonly resp: 2 | 3;
  /** Names it in pools; '' is how every connection begins. Holds the password, so it must not be shown. */
  readonly key: string;
}

export const FIRST_STATE: ConnectionState = Object.freeze({ user: '', password: null, database: 0, resp: 2, key: '' });

export function changeState(state: ConnectionState, change: Partial<Omit<ConnectionState, 'key'>>): ConnectionState {
  const { user, password, database, resp } = { ...state, ...change };
  const isFirst = password === null && database === 0 && resp === 2;
  const secret = password === null ? '' : `${text64(user)}:${text64(password)}`;
  return { user, password, database, resp, key: isFirst ? '' : `${resp}/${database}/${secret}` };
}

/** The inverse, for the upstream side, which gets nothing but the key. */
export function stateOf(key: string): ConnectionState {
  if (key === '') return FIRST_STATE;
  const [resp, database, secret] = key.split('/') as [string, string, string];
  const [user, password] = secret.split(':') as [string, string?];
  return {
    user: password === undefined ? '' : Buffer.from(user, 'base64url').toString(),
    password: password === undefined ? null : Buffer.from(password, 'base64url').toString(),
    database: Number(database),
    resp: resp === '3' ? 3 : 2,
    key,
  };
}

function text64(text: string): string {
  return Buffer.from(text).toString('base64url');
}
