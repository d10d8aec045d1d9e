/** `meltemi demo`: a mesh with servers and callers to look at and to change. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, UsageError } from './command.ts';
import { type DemoMesh, runThriftDemo } from './demo/thrift-demo.ts';
import { type Mesh, startMesh } from './mesh.ts';
import { readOptions, writeAddress } from './options.ts';
import { createProcessLog } from './process-log.ts';
import { PROXY_OPTIONS, readProxyOptions } from './proxy-options.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const LISTENER_TIMEOUT_MS = 10_000;

export const demoCommand: Command = {
  name: 'demo',
  summary: 'show a mesh at work: servers, callers, and a route to edit',
  help: `Usage: meltemi demo thrift [--check]

Starts two versions of a Thrift service, callers and a mesh between them, says which file to edit, and shows who answers.
Runs in a checkout of the repository.

  --check                 edit the route unattended; exits with 1 when a call failed or a change was not seen

Examples:
  meltemi demo thrift
  meltemi demo thrift --check
`,
  run([name, ...argv], signal) {
    if (name !== 'thrift') throw new UsageError(`${name ?? 'nothing'}: expected the name of a demo: thrift`);
    const { check } = readOptions(argv, { check: { type: 'boolean', default: false } });
    return runThriftDemo({ check, startMesh: startDemoMesh, output: process.stdout, signal });
  },
};

export async function startDemoMesh(configDirectory: string): Promise<DemoMesh> {
  const mesh = await startMesh({
    directories: [configDirectory],
    xdsListen: ANY_PORT,
    controlAdminListen: ANY_PORT,
    proxyAdminListen: ANY_PORT,
    accessLogFile: '',
    proxy: readProxyOptions({ ...readOptions([], PROXY_OPTIONS), id: 'demo', 'drain-time': '1' }),
    log: createProcessLog('warn'),
  });
  return { whereToConnect: (host, port) => whereToConnect(mesh, host, port), close: () => mesh.close() };
}

async function whereToConnect(mesh: Mesh, host: string, port: number): Promise<string> {
  for (const startedAt = performance.now(); performance.now() - startedAt < LISTENER_TIMEOUT_MS; await sleep(20)) {
    for (const { addresses } of mesh.controlPlane.status().proxies) {
      const found = addresses.find((address) => address.host === host && address.port === port);
      if (found !== undefined) return writeAddress({ host: found.bind.address, port: found.bind.port });
    }
  }
  throw new Error(`no proxy serves ${host}:${port} after ${LISTENER_TIMEOUT_MS} ms`);
}
