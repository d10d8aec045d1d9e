/** `npm run interop -- thrift`: stock clients and servers of other languages through the mesh. Not part of `npm test`: it installs its parts. */
import { interopThrift } from './thrift/run.ts';

const usage = `Usage: npm run interop -- thrift

Needs python3 and, for the thread-pool server, java and mvn on the PATH; what they need is installed into .meltemi/interop.`;

async function main(): Promise<number> {
  const [protocol] = process.argv.slice(2);
  if (protocol !== 'thrift') {
    console.log(usage);
    return protocol === '--help' || protocol === '-h' ? 0 : 2;
  }
  return (await interopThrift()) ? 0 : 1;
}

process.exitCode = await main();
