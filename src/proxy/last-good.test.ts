import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastGood } from './last-good.ts';
import { Fixtures, resources } from './testing/resources.ts';

const fixtures = new Fixtures();
const some = resources(fixtures.cluster('C'), fixtures.endpoints('C', 9), fixtures.routesTo('R', 'C'));

describe('LastGood', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meltemi-last-good-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('gives back what was saved, versions included', async () => {
    await new LastGood(join(folder, 'new'), 'proxy/1').save(some);
    expect(await new LastGood(join(folder, 'new'), 'proxy/1').load(fixtures.xds)).toEqual(some);
    expect(await new LastGood(folder, 'other').load(fixtures.xds)).toBeNull();
  });

  it('keeps the newest of several saves and leaves no draft', async () => {
    const lastGood = new LastGood(folder, 'p');
    await Promise.all([lastGood.save(some), lastGood.save(new Map()), lastGood.save(resources(fixtures.cluster('D')))]);
    expect(await lastGood.load(fixtures.xds)).toEqual(resources(fixtures.cluster('D')));
    expect(await readdir(folder)).toHaveLength(1);
  });

  it.each([
    ['half a file', (text: string) => text.slice(0, text.length / 2)],
    ['an edited one', (text: string) => text.replace(/,\{"typeUrl":[^}]*\}/, '')],
    ['another format', (text: string) => text.replace('"format":1', '"format":2')],
    ["another proxy's", (text: string) => text.replace('"node":"p"', '"node":"q"')],
  ])('refuses %s and names the file', async (_what, damage) => {
    const lastGood = new LastGood(folder, 'p');
    await lastGood.save(some);
    const text = await readFile(lastGood.path, 'utf8');
    expect(damage(text)).not.toBe(text);
    await writeFile(lastGood.path, damage(text));
    await expect(lastGood.load(fixtures.xds)).rejects.toThrow(lastGood.path);
  });
});
