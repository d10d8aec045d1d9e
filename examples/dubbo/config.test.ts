/** The example's files, by themselves and with each route copied over them, are accepted without a remark. */
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dubboManifest } from '../../src/codecs/dubbo/plugin.ts';
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
  if (name !== 'config') await cp(join(example, 'routes', name), join(directory, 'meta-router.yaml'));
  const { ok, report } = await validate({ directories: [directory], manifests: [dubboManifest] });
  const { faults, resources } = report;
  expect(faults).toEqual([]);
  expect(resources.flatMap((resource) => resource.findings.map(({ path }) => path))).toEqual([]);
  expect(resources.map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ['DestinationRule', 'accepted'],
    ['MetaRouter', 'accepted'],
    ['ServiceEntry', 'accepted'],
  ]);
  expect(ok).toBe(true);
});
