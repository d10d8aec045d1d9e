/** `meltemi demo`: a mesh with servers and callers to look at and to change. */

import { relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusReport } from '../control/status/status-report.ts';
import { findingLine } from '../control/status/status-text.ts';
import { addressOf } from '../metaprotocol/address.ts';
import { processLog } from '../proxy/process-log.ts';
import { createProxyProcess } from '../proxy/proxy-process.ts';
import { type Command, UsageError } from './command.ts';
import { type DemoMesh, runThriftDemo } from './demo/thrift-demo.ts';
import { type Mesh, startMesh } from './mesh.ts';
import { readOptions } from './options.ts';
import { productVersion } from './product-version.ts';
import { builtInManifests, PROXY_OPTIONS, readProxyOptions } from './proxy-options.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const LISTENER_TIMEOUT_MS = 10_000;

export const demoCommand: Command = {
  help: `Usage: meltemi demo thrift [--check]

Starts two versions of a Thrift service, callers and a mesh between them, says which file to edit, and shows who answers.
Runs in a checkout of the repository.

  --check                 edit the route unattended; exits with 1 when a call failed or a change was not seen

Examples:
  meltemi demo thrift
  meltemi demo thrift --check
`,
  run([name, ...argv], stopSignal) {
    if (name !== 'thrift') throw new UsageError(`${name ?? 'nothing'}: expected the name of a demo: thrift`);
    const { check } = readOptions(argv, { check: { type: 'boolean', default: false } });
    return runThriftDemo({ check, startMesh: startDemoMesh, output: process.stdout, signal: stopSignal() });
  },
};

/** `routerLabels`: of a second proxy, which serves the Gateways that select it; none: there is none. */
export async function startDemoMesh(configDirectory: string, routerLabels: readonly string[] = []): Promise<DemoMesh> {
  const log = processLog('warn');
  const optionsOf = (id: string) => ({ ...readOptions([], PROXY_OPTIONS), id, 'drain-time': '1' });
  const mesh = await startMesh({
    directories: [configDirectory],
    xdsListen: ANY_PORT,
    controlAdminListen: ANY_PORT,
    proxyAdminListen: ANY_PORT,
    accessLogFile: '',
    proxy: readProxyOptions(optionsOf('demo')),
    log,
  });
  const closers = [() => mesh.close()];
  if (routerLabels.length > 0) {
    const options = { ...optionsOf('demo-router'), type: 'router', label: routerLabels, bind: 'loopback' };
    const router = await createProxyProcess({
      ...readProxyOptions(options),
      xds: addressOf(mesh.controlPlane.xdsAddress),
      version: productVersion(),
      manifests: builtInManifests(),
      adminListen: null,
      log,
    });
    closers.unshift(() => router.drain().then(() => router.close()));
    await router.ready;
  }
  return {
    whereToConnect: (host, port) => whereToConnect(mesh, host, port),
    findings: () => findingsOf(mesh.controlPlane.status()),
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

/** With the files as the reader would type them. */
function findingsOf({ faults, resources }: StatusReport): string[] {
  const findings = [...faults, ...resources.flatMap((resource) => resource.findings)];
  return findings.map((finding) => findingLine({ ...finding, file: relative(process.cwd(), finding.file) }));
}

async function whereToConnect(mesh: Mesh, host: string, port: number): Promise<string> {
  for (const startedAt = performance.now(); performance.now() - startedAt < LISTENER_TIMEOUT_MS; await sleep(20)) {
    for (const { addresses } of mesh.controlPlane.status().proxies) {
      const found = addresses.find((address) => address.host === host && address.port === port);
      if (found !== undefined) return addressOf({ host: found.bind.address, port: found.bind.port });
    }
  }
  throw new Error(`no proxy serves ${host}:${port} after ${LISTENER_TIMEOUT_MS} ms`);
}
