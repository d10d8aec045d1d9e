/** Starts the proxies that do least, so that a run tells what Node's sockets cost in it. */
import { fileURLToPath } from 'node:url';
import { Child, Core } from '../child.ts';

/** Both carry `bytes`; the shared one counts Redis commands to find whose the replies are, and may write a log. */
const scripts = { pipe: './pipe.ts', 'shared pipe': './shared-pipe.ts' } as const;

export async function startPipe(
  kind: keyof typeof scripts,
  upstreamPort: number,
  ...logFile: readonly string[]
): Promise<{ child: Child; port: number }> {
  const script = fileURLToPath(new URL(scripts[kind], import.meta.url));
  const child = Child.script(kind, Core.proxy, script, [`${upstreamPort}`, ...logFile]);
  return { child, port: (await child.message<{ port: number }>()).port };
}
