/** `npm run interop -- thrift|dubbo|redis|http|brpc|trpc`: stock clients and servers of other languages through the mesh. Not part of `npm test`: it installs its parts. */
import { interopBrpc } from './brpc/run.ts';
import { interopDubbo } from './dubbo/run.ts';
import { interopHttp } from './http/run.ts';
import { interopRedis } from './redis/run.ts';
import { interopThrift } from './thrift/run.ts';
import { interopTrpc } from './trpc/run.ts';

const usage = `Usage: npm run interop -- thrift|dubbo|redis|http|brpc|trpc

Needs java and mvn on the PATH (trpc: go), thrift python3 too; redis needs redis-server, redis-tools, tcl, python3 and apt-get; http installs curl, ab, wrk and chromium by apt-get where they are missing. What they need is installed into .meltemi/interop.`;
const protocols = new Map([
  ['thrift', interopThrift],
  ['dubbo', interopDubbo],
  ['redis', interopRedis],
  ['http', interopHttp],
  ['brpc', interopBrpc],
  ['trpc', interopTrpc],
]);

async function main(): Promise<number> {
  const [protocol = ''] = process.argv.slice(2);
  const interop = protocols.get(protocol);
  if (interop === undefined) {
    console.log(usage);
    return protocol === '--help' || protocol === '-h' ? 0 : 2;
  }
  return (await interop()) ? 0 : 1;
}

process.exitCode = await main();
