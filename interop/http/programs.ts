/** curl, ab and wrk: what each is asked to do, and what it says of it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LARGE = 1_073_741_824;
const FORMAT = '\n%{http_code} %{size_download} bytes, %{num_connects} connects\n';
const LIMITS = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };

/** Uses of a program, by name; each gives text that has to be the same through the mesh. */
export type Uses = Readonly<Record<string, (url: string) => Promise<string>>>;

async function curl(...options: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '-w', FORMAT, ...options], LIMITS);
  return stdout;
}

/** By a shell: Node's own pipes do not block, which curl takes for the end of its input. */
async function shell(line: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', line], LIMITS);
  return stdout;
}

/** `file`: something to send. `direct`: the server's own address. */
export function curlUses(file: string, direct: string): Uses {
  const body = ['--data-binary', `@${file}`];
  return {
    GET: (url) => curl(`${url}/text`),
    'POST with a length': (url) => curl(...body, `${url}/sum`),
    'POST in chunks': (url) => curl('-H', 'Transfer-Encoding: chunked', ...body, `${url}/sum`),
    'PUT echoed while it is sent': async (url) => {
      const { stdout } = await run('curl', ['-sS', '-T', file, `${url}/echo`], { ...LIMITS, encoding: 'buffer' });
      return `${stdout.length} bytes`;
    },
    'Expect: 100-continue': async (url) => {
      const { stdout, stderr } = await run(
        'curl',
        ['-sSv', '-H', 'Expect: 100-continue', '-d', 'x=1', `${url}/sum`],
        LIMITS,
      );
      return `${/^< HTTP\/1\.1 100 Continue/m.test(stderr)} ${stdout}`;
    },
    'early hints': async (url) =>
      (await curl('-i', `${url}/hints`)).replace(/^(date|connection|keep-alive):[^\n]*\n/gim, ''),
    HEAD: async (url) => /content-length: \d+/i.exec(await curl('-I', `${url}/bytes?count=1000`))?.[0] ?? 'no length',
    '204': (url) => curl(`${url}/nothing`),
    '304': (url) => curl(`${url}/unchanged`),
    '404': (url) => curl(`${url}/nowhere`),
    'keep-alive': (url) => curl(`${url}/text`, `${url}/bytes?count=10`, `${url}/bytes?count=10&framing=chunked`),
    'no keep-alive': (url) => curl('-H', 'Connection: close', `${url}/text`, `${url}/text`),
    // Apart: a body for /text, which does not read it, could lose the answer to the reset that follows, directly as well.
    'HTTP/1.0': async (url) => (await curl('-0', `${url}/text`)) + (await curl('-0', ...body, `${url}/sum`)),
    'an early 413': (url) => curl('-T', file, `${url}/refuse`),
    'a long target': (url) => curl(`${url}/text?${'q'.repeat(8_000)}`),
    'a gigabyte down': (url) => shell(`curl -sS '${url}/bytes?count=${LARGE}' | sha1sum`),
    'a gigabyte up': (url) => shell(`curl -sS '${direct}/bytes?count=${LARGE}' | curl -sS -T - '${url}/sum'`),
  };
}

export const LOAD_USES: Uses = {
  'ab, keep-alive': (url) => ab('-k', `${url}/text`),
  'ab, a connection each': (url) => ab(`${url}/text`),
  'ab, POST': (url) => ab('-k', '-p', '/etc/hostname', `${url}/sum`),
  'wrk, 64 connections': async (url) => {
    const { stdout } = await run('wrk', ['-t2', '-c64', '-d4s', `${url}/text`], LIMITS);
    const answered = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
    const wrong = /Socket errors.*|Non-2xx.*/.exec(stdout)?.[0] ?? 'no errors';
    return `${answered > 1_000 ? 'thousands of requests' : stdout}, ${wrong}`;
  },
};

async function ab(...options: string[]): Promise<string> {
  // Digests have one length, so ab takes none of them for a failure.
  const { stdout } = await run('ab', ['-q', '-n', '5000', '-c', '32', ...options], LIMITS);
  const number = (title: string) => Number(new RegExp(`^${title}:\\s+(\\d+)`, 'm').exec(stdout)?.[1] ?? 0);
  return `${number('Complete requests')} complete, ${number('Failed requests')} failed, ${number('Non-2xx responses')} refused`;
}
