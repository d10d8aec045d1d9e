/** `meltemi codec new`: a folder to start from. It is the echo-rpc plugin under another name, so it always works. */
import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Registry } from '../../metaprotocol/registry.ts';
import { builtInPlugins } from '../../proxy/plugins.ts';
import { protocolName } from '../../schema/fields.ts';
import { ExitCode, UsageError } from '../command.ts';
import { readCodecArguments } from './read-codec-arguments.ts';

const TEMPLATE = fileURLToPath(new URL('../../../plugins/echo-rpc', import.meta.url));
const TEMPLATE_NAME = 'echo-rpc';

export async function newCodec(argv: readonly string[]): Promise<number> {
  const { codec: name, values } = readCodecArguments(argv, { directory: { type: 'string' } }, 'NAME of the protocol');
  const { error } = protocolName.safeParse(name);
  if (error !== undefined) throw new UsageError(`${JSON.stringify(name)}: expected ${error.issues[0]!.message}`);
  if (new Registry(builtInPlugins()).codec(name) !== undefined) {
    throw new UsageError(`${name}: a protocol of that name is built in; a proxy takes no second one`);
  }
  const directory = values.directory ?? name;
  if ((await stat(directory).catch(() => null)) !== null) throw new UsageError(`${directory} exists already`);
  await cp(TEMPLATE, directory, { recursive: true });
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const { parentPath, name: file } of files) await rename(join(parentPath, file), name);
  const here = relative(process.cwd(), directory);
  const [codec, samples, mesh] = ['codec.ts', 'samples', 'mesh'].map((part) => forShell(join(here, part)));
  process.stdout.write(`${here}: a codec that works, its samples, a server, a client and a mesh for them

  meltemi codec test ${codec} --samples ${samples}
  meltemi up -f ${mesh} --plugin ${codec} --watch

Edit ${here}/codec.ts. ${here}/README.md says what is what.
`);
  return ExitCode.Ok;
}

/** As somebody copies it: a space would make two words of it. */
function forShell(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

async function rename(file: string, name: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const renamed = text
    .replaceAll(TEMPLATE_NAME, name)
    .replace(', the subject of docs/write-a-codec.md', '')
    .replace(': the protocol of the tutorial', '')
    .replace("from 'vitest'", "from 'node:test'");
  if (renamed !== text) await writeFile(file, renamed);
}
