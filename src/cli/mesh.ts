/** A mesh on one machine: a control plane and one proxy in this process. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type ControlPlane, createControlPlane } from '../control/control-plane.ts';
import { addressOf } from '../metaprotocol/address.ts';
import type { Log } from '../metaprotocol/core.ts';
import type { Address } from '../metaprotocol/filter.ts';
import { createProxyProcess, type ProxyProcess } from '../proxy/proxy-process.ts';
import { productVersion } from './product-version.ts';
import { builtInManifests, type OwnProxyOptions } from './proxy-options.ts';

export interface MeshOptions {
  readonly directories: readonly string[];
  readonly xdsListen: Address;
  readonly controlAdminListen: Address | null;
  readonly proxyAdminListen: Address | null;
  readonly accessLogFile: string;
  readonly proxy: OwnProxyOptions;
  readonly log: Log;
}

/** Of a proxy that has not connected. */
const NO_RESOURCES = { total: 1, acknowledged: 0, live: 0, rejected: 0 };

export class Mesh {
  readonly controlPlane: ControlPlane;
  readonly proxy: ProxyProcess;

  constructor(controlPlane: ControlPlane, proxy: ProxyProcess) {
    this.controlPlane = controlPlane;
    this.proxy = proxy;
  }

  /** Resolves when the control plane heard what its proxy runs, or after a second. */
  async settled(): Promise<void> {
    for (const startedAt = performance.now(); performance.now() - startedAt < 1_000; await sleep(10)) {
      const { total, acknowledged, live, rejected } = this.controlPlane.status().proxies[0]?.resources ?? NO_RESOURCES;
      if (live === acknowledged && acknowledged + rejected === total) return;
    }
  }

  /** Running calls end first, within the proxy's drain deadline. */
  async close(): Promise<void> {
    await this.proxy.drain();
    await this.proxy.close();
    await this.controlPlane.close();
  }
}

/** Resolves when the proxy serves a first configuration on every worker. Rejects when something cannot listen. */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const manifests = builtInManifests();
  const controlPlane = await createControlPlane({
    directories: options.directories,
    manifests,
    awaitsManifests: (options.proxy.plugins ?? []).length > 0,
    listen: options.xdsListen,
    adminListen: options.controlAdminListen,
    insecure: false,
    log: options.log,
    accessLogFile: options.accessLogFile,
    stateDirectory: options.proxy.stateDirectory ?? undefined,
  });
  try {
    const proxy = await createProxyProcess({
      ...options.proxy,
      xds: addressOf(controlPlane.xdsAddress),
      version: productVersion(),
      manifests,
      adminListen: options.proxyAdminListen,
      log: options.log,
    });
    await proxy.ready;
    return new Mesh(controlPlane, proxy);
  } catch (error) {
    await controlPlane.close();
    throw error;
  }
}
