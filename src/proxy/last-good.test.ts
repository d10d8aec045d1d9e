import { mkdtemp, rm } from 'node:fs/promises';
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

  it("refuses another proxy's and names the file", async () => {
    const [mine, other] = [new LastGood(folder, 'p/1'), new LastGood(folder, 'p_1')];
    expect(mine.path).toBe(other.path);
    await mine.save(some);
    await expect(other.load(fixtures.xds)).rejects.toThrow(`${mine.path}: of proxy p/1, this is p_1`);
  });
});
