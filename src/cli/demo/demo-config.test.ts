import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { copyDemoConfig, withPorts } from './demo-config.ts';

const example = fileURLToPath(new URL('../../../examples/thrift', import.meta.url));

describe('the demo config', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'meltemi-demo-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('points the copied service at the servers that run', async () => {
    const servers = { v1: { framed: 1, theader: 2 }, v2: { framed: 3, theader: 4 } };
    const { service, routeFile } = await copyDemoConfig(example, join(directory, 'demo'), servers);
    const { spec } = parse(await readFile(join(directory, 'demo/service-entry.yaml'), 'utf8'));
    expect(spec.ports.map((port: { number: number }) => port.number)).toEqual([service.framed, service.theader]);
    expect(spec.endpoints.map((endpoint: { ports: object }) => Object.values(endpoint.ports))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await readFile(routeFile, 'utf8')).toContain('subset: v1');
  });

  it('leaves other numbers alone', () => {
    expect(withPorts('weight: 20\nport: 9090\nname: p9090\n', new Map([['9090', 7]]))).toBe(
      'weight: 20\nport: 7\nname: p9090\n',
    );
  });
});
