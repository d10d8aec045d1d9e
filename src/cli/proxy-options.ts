/** The options by which a proxy says who it is and how it runs; `proxy` and `up` share them. */
import { isIP } from 'node:net';
import { hostname, networkInterfaces, platform } from 'node:os';
import type { ProtocolManifest } from '../metaprotocol/manifest.ts';
import { Registry } from '../metaprotocol/registry.ts';
import type { LogLimits } from '../proxy/log-rotation.ts';
import { builtInPlugins } from '../proxy/plugins.ts';
import type { ProxyProcessOptions } from '../proxy/proxy-process.ts';
import type { PluginReference } from '../proxy/workers/worker-messages.ts';
import { UsageError } from './command.ts';
import { readChoice, readInteger, readSize } from './options.ts';

export const PROXY_OPTIONS = {
  config: { type: 'string' },
  id: { type: 'string' },
  type: { type: 'string', default: 'sidecar' },
  ip: { type: 'string', multiple: true },
  namespace: { type: 'string', default: 'default' },
  label: { type: 'string', multiple: true },
  'service-account': { type: 'string', default: 'default' },
  locality: { type: 'string', default: '' },
  workers: { type: 'string', default: '1' },
  bind: { type: 'string', default: 'direct' },
  'state-dir': { type: 'string' },
  'drain-time': { type: 'string', default: '10' },
  'access-log-max-size': { type: 'string' },
  'access-log-max-files': { type: 'string' },
  plugin: { type: 'string', multiple: true },
  watch: { type: 'boolean', default: false },
} as const;

export const PROXY_OPTIONS_HELP = `  --config FILE           a YAML file with any of these options, as workers: 2 or plugin: [./codec.ts]
  --id ID                 name of this proxy; default: the host's name
  --ip ADDRESS            address of the workload beside it; may be given again
  --namespace NS          namespace of the workload (default)
  --label KEY=VALUE       label of the workload; may be given again
  --service-account SA    (default)
  --locality REGION/ZONE/SUBZONE
  --type sidecar|router   (sidecar)
  --workers N             threads that serve connections (1)
  --bind direct|loopback  listen at a service's own address where that is local, or always on loopback (direct)
  --state-dir DIR         keep the last good configuration here and start from it when the control plane is away
  --drain-time SECONDS    how long running calls may go on after SIGTERM (10)
  --access-log-max-size SIZE  rename an access log that has grown so far, such as 64MiB, and begin a new one (never)
  --access-log-max-files N    and keep so many, the current one included (5)
  --plugin PATH|PACKAGE   a codec of your own, TypeScript or JavaScript; may be given again
  --watch                 a saved plugin takes the place of the one before`;

const MIN_LOG_BYTES = 65_536;
const MAX_LOG_BYTES = 2 ** 40;
const DEFAULT_LOG_FILES = '5';

/** As `readOptions` gives them. */
export interface ProxyOptionValues {
  readonly id?: string | undefined;
  readonly type: string;
  readonly ip?: readonly string[] | undefined;
  readonly namespace: string;
  readonly label?: readonly string[] | undefined;
  readonly 'service-account': string;
  readonly locality: string;
  readonly workers: string;
  readonly bind: string;
  readonly 'state-dir'?: string | undefined;
  readonly 'drain-time': string;
  readonly 'access-log-max-size'?: string | undefined;
  readonly 'access-log-max-files'?: string | undefined;
  readonly plugin?: readonly string[] | undefined;
  readonly watch: boolean;
}

/** What the operator says of a proxy. */
export type OwnProxyOptions = Pick<
  ProxyProcessOptions,
  'node' | 'workers' | 'stateDirectory' | 'drainDeadlineMs' | 'accessLogLimits' | 'plugins' | 'watchPlugins'
>;

export function readProxyOptions(values: ProxyOptionValues): OwnProxyOptions {
  const [region = '', zone = '', subZone = ''] = values.locality.split('/');
  return {
    node: {
      id: values.id ?? hostname(),
      type: readChoice(values.type, '--type', ['sidecar', 'router']),
      namespace: values.namespace,
      ips: (values.ip ?? []).map(readIp),
      labels: Object.fromEntries((values.label ?? []).map(readLabel)),
      serviceAccount: values['service-account'],
      locality: { region, zone, subZone },
      bind: readChoice(values.bind, '--bind', ['direct', 'loopback']),
      localAddresses: localAddresses(),
    },
    workers: readInteger(values.workers, '--workers', 1, 256),
    stateDirectory: values['state-dir'] ?? null,
    drainDeadlineMs: readInteger(values['drain-time'], '--drain-time', 0, 86_400) * 1_000,
    accessLogLimits: readLogLimits(values['access-log-max-size'], values['access-log-max-files']),
    plugins: readPlugins(values.plugin),
    watchPlugins: values.watch,
  };
}

/** What the built-in codecs say of themselves. */
export function builtInManifests(): ProtocolManifest[] {
  return new Registry(builtInPlugins()).manifests();
}

/** Paths and packages as seen from where the command was called. */
export function readPlugins(references: readonly string[] = []): PluginReference[] {
  return references.map((reference) => ({ reference, directory: process.cwd() }));
}

function readLogLimits(maxSize: string | undefined, maxFiles: string | undefined): LogLimits | null {
  const [size, files] = ['--access-log-max-size', '--access-log-max-files'];
  if (maxSize === undefined) {
    if (maxFiles === undefined) return null;
    throw new UsageError(`${files} ${maxFiles}: without ${size} an access log is one file; expected both`);
  }
  return {
    maxBytes: readSize(maxSize, size, MIN_LOG_BYTES, MAX_LOG_BYTES),
    maxFiles: readInteger(maxFiles ?? DEFAULT_LOG_FILES, files, 2, 1_000),
  };
}

function readIp(text: string): string {
  if (isIP(text) === 0) throw new UsageError(`--ip ${text}: expected an IP address, such as 10.0.0.7`);
  return text;
}

function readLabel(text: string): [key: string, value: string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new UsageError(`--label ${text}: expected KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Where this machine can bind: on Linux that is all of 127/8, elsewhere what its interfaces have. */
function localAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap(
    (entries) => entries?.map(({ address }) => address) ?? [],
  );
  return platform() === 'linux' ? ['127.0.0.0/8', ...addresses] : addresses;
}
