/** The example's files, by themselves and with each route copied over them, are accepted; only the mutation is remarked on. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { thriftManifest } from '../../src/codecs/thrift/plugin.ts';
import { validate } from '../../src/control/validate.ts';

const example = import.meta.dirname;
const routes = await readdir(join(example, 'routes'));

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meltemi-example-'));
  await cp(join(example, 'config'), directory, { recursive: true });
});
afterEach(() => rm(directory, { recursive: true }));

it.each(['config', ...routes])('%s', async (name) => {
  if (name.endsWith('.yaml')) await cp(join(example, 'routes', name), join(directory, 'meta-router.yaml'));
  else if (name !== 'config') await cp(join(example, 'routes', name), directory, { recursive: true });
  const { ok, report } = await validate({ directories: [directory], manifests: [thriftManifest] });
  const { faults, resources } = report;
  expect(faults).toEqual([]);
  const findings = resources.flatMap((resource) => resource.findings.map(({ path }) => path));
  // The service's port detects the transport, and framed calls have no headers to change.
  expect(findings).toEqual(name === 'mutation.yaml' ? ['spec.routes[0].requestMutation'] : []);
  expect(resources.map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ['DestinationRule', 'accepted'],
    ['MetaRouter', 'accepted'],
    ['ServiceEntry', 'accepted'],
  ]);
  expect(ok).toBe(true);
});

it.each([
  ['README.md', 'meta-router.yaml', ['spec.routes[0].headers.response']],
  ['docs/config.md', 'application-protocol.yaml', []],
])('what %s shows goes with them', async (page, name, remarks) => {
  const text = await readFile(join(example, '../..', page), 'utf8');
  const shown = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml);
  await writeFile(join(directory, name), shown.join('---\n'));
  const { ok, report } = await validate({ directories: [directory], manifests: [thriftManifest] });
  expect(report.resources.flatMap(({ findings }) => findings.map(({ path }) => path))).toEqual(remarks);
  expect([ok, shown.length]).toEqual([true, 1]);
});
