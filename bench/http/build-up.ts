/**
 * What one HTTP request costs in the proxy, step by step, without sockets: the same request and answer as in the benchmark, in
 * memory, first through the codecs alone, then with the engine, its statistics, the HTTP filter and the access log.
 */
import { http1Factory } from '../../src/codecs/http1/plugin.ts';
import { HTTP_LOG_FORMAT } from '../../src/control/generate/http-connection-manager.ts';
import { SystemClock } from '../../src/metaprotocol/clock.ts';
import type { Codec, Sink } from '../../src/metaprotocol/codec.ts';
import {
  ANY_CONNECTION,
  CALLER_TIMEOUTS,
  CLUSTER,
  ENDPOINT,
  INSPECTION,
  ROUTE,
  type RouteDescription,
  type RuntimeDescription,
  weightedCluster,
} from '../../src/metaprotocol/description.ts';
import { LogWriter } from '../../src/metaprotocol/log-writer.ts';
import type { Message, RequestMessage, ResponseMessage } from '../../src/metaprotocol/message.ts';
import { Registry } from '../../src/metaprotocol/registry.ts';
import { DataPlane } from '../../src/metaprotocol/runtime.ts';
import { Counter, type Gauge, Histogram, type StatsScope, StatsStore } from '../../src/metaprotocol/stats.ts';
import { SlabOutput, SlabPool } from '../../src/metaprotocol/wire/output.ts';
import type { Wire, WireHandler } from '../../src/metaprotocol/wire/wire.ts';
import { builtInPlugins } from '../../src/proxy/plugins.ts';

export interface BuildUpRow {
  readonly step: string;
  /** CPU time of one request and its answer up to this step, in µs: the median of the rounds. */
  readonly cpuUs: number;
}

const REQUEST = Buffer.from('GET /index HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n');
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 13:59:59 GMT\r\nContent-Type: text/plain\r\n` +
    `Content-Length: 66\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(66)}`,
);
const CALLERS = 64;
/** Callers whose requests one turn of the event loop brings, as under load. */
const CALLERS_A_TURN = 8;
const TURNS = 400;
const WARM_UP_ROUNDS = 25;

/** Runs `TURNS` turns. */
type Scene = () => void;

/** `rounds`: how often each step is measured, in turns with the others. */
export function buildUp(rounds: number): BuildUpRow[] {
  const access = { name: 'access_log', options: { path: 'access.log', format: HTTP_LOG_FORMAT } };
  const http = { name: 'http', options: {} };
  const scenes: { step: string; run: Scene; samples: number[] }[] = [
    { step: 'framing and heads: both codecs', run: codecScene(), samples: [] },
    { step: '+ streams, routes, pool', run: engineScene([], new NoStats()), samples: [] },
    { step: '+ statistics', run: engineScene([], new StatsStore()), samples: [] },
    { step: '+ HTTP filter: ids, forwarded', run: engineScene([http], new StatsStore()), samples: [] },
    { step: '+ access log', run: engineScene([http, access], new StatsStore()), samples: [] },
  ];
  for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
    for (const { run, samples } of scenes) {
      const before = process.cpuUsage();
      run();
      const used = process.cpuUsage(before);
      if (round >= WARM_UP_ROUNDS) samples.push((used.user + used.system) / (TURNS * CALLERS_A_TURN));
    }
  }
  return scenes.map(({ step, samples }) => ({
    step,
    cpuUs: samples.toSorted((a, b) => a - b)[samples.length >> 1]!,
  }));
}

export function buildUpText(rows: readonly BuildUpRow[], totalUs: number | null): string {
  const width = 34;
  const line = (step: string, cpuUs: number, added: number) =>
    `  ${step.padEnd(width)}${cpuUs.toFixed(2).padStart(8)}${added.toFixed(2).padStart(8)}`;
  const lines = rows.map(({ step, cpuUs }, index) => line(step, cpuUs, cpuUs - (rows[index - 1]?.cpuUs ?? 0)));
  const memory = rows.at(-1)!.cpuUs;
  if (totalUs !== null) lines.push(line('+ sockets: Node and the kernel', totalUs, totalUs - memory));
  return [`${'CPU of one request, µs'.padEnd(width + 2)}${'so far'.padStart(8)}${'step'.padStart(8)}`, ...lines].join(
    '\n',
  );
}

/** A wire whose peer is this file: what was written is only counted. */
class CountingWire implements Wire {
  readonly queuedBytes = 0;
  handler: WireHandler | null = null;
  writes = 0;

  open(handler: WireHandler): void {
    this.handler = handler;
  }

  write(): void {
    this.writes++;
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
}

/** Bytes arrive in a buffer that is filled anew for each read, as those of sockets do. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

function lent(bytes: Buffer): Buffer {
  bytes.copy(readBuffer, 0);
  return readBuffer.subarray(0, bytes.length);
}

/** Requests go from the one codec to the other, answers back, with nothing between. */
function codecScene(): Scene {
  const options = http1Factory.parseOptions({});
  const slabs = new SlabPool();
  const newOutput = () => {
    const output = new SlabOutput(slabs, () => {});
    output.attach(new CountingWire());
    return output;
  };
  const [downOutput, upOutput] = [newOutput(), newOutput()];
  let request: RequestMessage | null = null;
  let id = 0;
  const down: Codec = http1Factory.createServerCodec(
    sink<RequestMessage>((headId, head) => {
      [id, request] = [headId, head];
      up.encode(1, head);
    }),
    downOutput,
    options,
    1,
  );
  const server = down as ReturnType<typeof http1Factory.createServerCodec>;
  const up = http1Factory.createClientCodec(
    {
      ...sink<ResponseMessage>(
        (_id, head) => server.encode(id, head, request),
        (chunk, end) => server.data(id, chunk, end, true),
      ),
      onReady() {},
    },
    upOutput,
    options,
    '',
  );
  up.start();
  return () => {
    for (let call = 0; call < TURNS * CALLERS_A_TURN; call++) {
      server.decode(lent(REQUEST), true);
      upOutput.flush();
      up.decode(lent(ANSWER), true);
      downOutput.flush();
      server.resume();
    }
  };
}

function sink<M extends Message>(
  onHead: (id: number, head: M) => void,
  onBody: (chunk: Buffer, end: boolean) => void = () => {},
): Sink<M> {
  return {
    closed: false,
    onHead,
    onData: (_id, chunk, end) => onBody(chunk, end),
    onTrailers() {},
    onReset() {},
    onWritable() {},
    onGoAway() {},
    onError(status) {
      throw new Error(status.detail);
    },
  };
}

/** The whole data plane with 64 callers, two routes of which the second matches, and one upstream. */
function engineScene(filters: readonly { name: string; options: unknown }[], stats: StatsScope): Scene {
  let deferred: (() => void)[] = [];
  const upstreams: CountingWire[] = [];
  const log = new LogWriter(
    () => {},
    () => {},
  );
  const plane = new DataPlane({
    registry: new Registry(builtInPlugins()),
    clock: new SystemClock(),
    random: Math.random,
    stats,
    log: { info() {}, warn: fail, error: fail },
    openLog: () => log,
    reusePort: false,
    schedule: (run) => deferred.push(run),
    connector: {
      connect: () => {
        const wire = new CountingWire();
        upstreams.push(wire);
        deferred.push(() => wire.handler!.onOpen());
        return wire;
      },
    },
  });
  const issues = plane.apply(description(filters));
  if (issues.length > 0) throw new Error(`${issues[0]!.path}: ${issues[0]!.message}`);
  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const wire = new CountingWire();
    plane.accept('bench', wire, { source: { host: '127.0.0.1', port: 40_000 + index }, originalDestination: null });
    return wire;
  });
  const settle = () => {
    while (deferred.length > 0) {
      const batch = deferred;
      deferred = [];
      for (const run of batch) run();
    }
  };
  let next = 0;
  return () => {
    for (let turn = 0; turn < TURNS; turn++) {
      for (let count = 0; count < CALLERS_A_TURN; count++) {
        callers[next++ % CALLERS]!.handler!.onBytes(lent(REQUEST), true);
      }
      settle();
      for (const wire of upstreams) {
        if (wire.writes === 0) continue;
        wire.writes = 0;
        wire.handler!.onBytes(lent(ANSWER), true);
      }
      settle();
    }
  };
}

function fail(fields: object, text: string): never {
  throw new Error(`${text} ${JSON.stringify(fields)}`);
}

function description(filters: readonly { name: string; options: unknown }[]): RuntimeDescription {
  const route = (name: string, match: RouteDescription['match']): RouteDescription => ({
    ...ROUTE,
    name,
    match,
    clusters: [weightedCluster('main')],
    timeoutMs: 15_000,
  });
  const other = { kind: 'prefix', value: '/other', ignoreCase: false } as const;
  const routes = [
    route('other', [{ key: ':path', test: other, invert: false, absentIsEmpty: false }]),
    route('all', []),
  ];
  return {
    version: '1',
    listeners: [
      {
        name: 'bench',
        bind: { host: '127.0.0.1', port: 80 },
        serviceAddress: { host: '127.0.0.1', port: 80 },
        direction: 'outbound',
        inspection: INSPECTION,
        chains: [
          {
            name: 'bench',
            match: ANY_CONNECTION,
            tls: null,
            protocol: 'http1',
            codecOptions: {},
            routes: { name: 'bench', virtualHosts: [{ name: 'all', domains: ['*'], routes }] },
            filters,
            statPrefix: 'bench',
            timeouts: CALLER_TIMEOUTS,
            maxStreams: null,
          },
        ],
      },
    ],
    clusters: [{ ...CLUSTER, name: 'main', endpoints: [{ ...ENDPOINT, host: '127.0.0.1', port: 81 }] }],
  };
}

const cells = new Float64Array(0);

class NoCounter extends Counter {
  override add(): void {}
}

class NoHistogram extends Histogram {
  override recordMs(): void {}
}

/** Counts nothing, so that what counting costs can be told. */
class NoStats implements StatsScope {
  counter(): Counter {
    return new NoCounter(cells, 0);
  }

  gauge(): Gauge {
    return new NoCounter(cells, 0);
  }

  histogram(): Histogram {
    return new NoHistogram(cells, 0);
  }

  scope(): StatsScope {
    return this;
  }
}
