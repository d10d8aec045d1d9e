/** The demo's own copy of the example's configuration, with the ports that this machine has free. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

/** The ports of one of the example's servers, or of the service as callers see it. */
export interface WirePorts {
  readonly framed: number;
  readonly theader: number;
}

export interface DemoConfig {
  readonly directory: string;
  /** The file that says where calls go. */
  readonly routeFile: string;
  readonly service: WirePorts;
}

/** The ports written in the example's ServiceEntry. */
const written: Readonly<Record<'service' | 'v1' | 'v2', WirePorts>> = {
  service: { framed: 9090, theader: 9091 },
  v1: { framed: 9101, theader: 9201 },
  v2: { framed: 9102, theader: 9202 },
};

/** Copies `example`/config to `directory` and replaces the ports; what an earlier demo left there goes. */
export async function copyDemoConfig(
  example: string,
  directory: string,
  servers: Readonly<Record<'v1' | 'v2', WirePorts>>,
): Promise<DemoConfig> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await cp(join(example, 'config'), directory, { recursive: true });
  const service = { framed: await freePort(), theader: await freePort() };
  const ports = new Map<string, number>();
  for (const [name, actual] of Object.entries({ ...servers, service })) {
    const { framed, theader } = written[name as keyof typeof written];
    ports.set(String(framed), actual.framed).set(String(theader), actual.theader);
  }
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, withPorts(text, ports));
  }
  return { directory, routeFile: join(directory, 'meta-router.yaml'), service };
}

/** Replaces port numbers at the end of a line, as YAML has them. */
export function withPorts(yaml: string, ports: ReadonlyMap<string, number>): string {
  return yaml.replace(/(?<=: )\d+$/gm, (port) => String(ports.get(port) ?? port));
}
