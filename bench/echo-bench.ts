/** A protocol's benchmark: who is measured, under what load. */
import { fileURLToPath } from 'node:url';
import { Child, Core } from './child.ts';
import { envoyVersion, startEnvoy, tcpProxyFilter } from './proxies/envoy.ts';
import { startMeltemi } from './proxies/meltemi.ts';
import { startPipe } from './proxies/start-pipe.ts';
import type { Plan, Row, Subject, Workload } from './rounds.ts';
import { runRounds } from './rounds.ts';
import type { Target } from './targets.ts';

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const host = 'echo.bench.example';
const subsets = [{ name: 'v1', labels: { version: 'v1' } }];
const route = (method: string) => ({
  name: method,
  match: { attributes: { method: { exact: method } } },
  route: [{ destination: { host, subset: 'v1' } }],
});
/** As many routes as Envoy gets, and the second one matches. */
const routes = [route('other'), route('echo')];

/** What one protocol measures. */
export interface EchoBench {
  /** Of `echoProtocolNamed`, and of the mesh. */
  readonly protocol: string;
  /** The mesh, by subject: the DestinationRule's trafficPolicy. */
  readonly policies: Readonly<Record<string, object>>;
  /** Envoy's filters for the protocol, by subject. */
  envoyFilters(accessLogFile: string): Readonly<Record<string, object>>;
  readonly targets: readonly Target[];
}

export interface EchoBenchOptions {
  readonly quick: boolean;
  readonly reversed: boolean;
  /** For config files and logs; the caller removes it. */
  readonly directory: string;
  readonly onProgress: (text: string) => void;
}

/** The whole grid takes under four minutes, the quick one under one. */
function planOf(quick: boolean): { plan: Plan; workloads: Workload[] } {
  const grid = [1, 16, 64].flatMap((callers) => [1, 16].map((inFlight) => ({ callers, inFlight })));
  if (quick) {
    const plan = { rounds: 1, warmUpMs: 500, measureMs: 1000 };
    return { plan, workloads: grid.map((load) => ({ ...load, payloadBytes: 100 })) };
  }
  const plan = { rounds: 3, warmUpMs: 250, measureMs: 700 };
  return { plan, workloads: [100, 10_000].flatMap((payloadBytes) => grid.map((load) => ({ ...load, payloadBytes }))) };
}

export async function runEchoBench(bench: EchoBench, options: EchoBenchOptions): Promise<Row[]> {
  const { quick, reversed, directory, onProgress } = options;
  const { protocol } = bench;
  const children: Child[] = [];
  const start = (child: Child) => {
    children.push(child);
    return child;
  };
  try {
    const load = start(Child.script('load', Core.load, script('./load.ts'), [protocol]));
    const order = reversed ? 'reversed' : 'in-order';
    const echo = start(Child.script('echo', Core.load, script('./echo-server.ts'), [protocol, order]));
    const { port: echoPort } = await echo.message<{ port: number }>();

    const subjects: Subject[] = [{ name: 'direct', port: echoPort, proxy: null }];
    const pipe = await startPipe('pipe', echoPort);
    subjects.push({ name: 'socket pipe', port: pipe.port, proxy: start(pipe.child) });
    for (const [name, trafficPolicy] of Object.entries(bench.policies)) {
      const mesh = await startMeltemi(
        name,
        { host, routes, protocol, upstreamPort: echoPort, policy: { subsets, trafficPolicy } },
        directory,
      );
      start(mesh.control);
      subjects.push({ name, port: mesh.port, proxy: start(mesh.proxy) });
    }
    if (envoyVersion() !== null) {
      const filters = { 'envoy tcp_proxy': tcpProxyFilter, ...bench.envoyFilters(`${directory}/envoy-access.log`) };
      for (const [name, filter] of Object.entries(filters)) {
        const { child, port } = await startEnvoy(name, filter, echoPort, directory);
        subjects.push({ name, port, proxy: start(child) });
      }
    }

    const { plan, workloads } = planOf(quick);
    const warmUp = { rounds: 1, warmUpMs: 0, measureMs: 1500 };
    await runRounds(warmUp, load, subjects, [{ callers: 16, inFlight: 4, payloadBytes: 100 }], () => {});
    return await runRounds(plan, load, subjects, workloads, (done, of) => onProgress(`${done}/${of}`));
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}
