import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateFile } from './state-file.ts';

describe('StateFile', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meltemi-state-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const at = (...names: string[]) => new StateFile<readonly string[]>(join(folder, ...names), 1);

  it('gives back what was saved, to its owner only', async () => {
    await at('new', 'file.json').save(['a', 'ü']);
    expect(await at('new', 'file.json').load()).toEqual(['a', 'ü']);
    expect((await stat(join(folder, 'new', 'file.json'))).mode & 0o777).toBe(0o600);
    expect(await at('other.json').load()).toBeNull();
  });

  it('keeps the newest of several saves and leaves no draft', async () => {
    const file = at('file.json');
    await Promise.all([file.save(['first']), file.save(['second']), file.save(['last'])]);
    expect(await file.load()).toEqual(['last']);
    expect(await readdir(folder)).toEqual(['file.json']);
  });

  it.each([
    ['half a file', (text: string) => text.slice(0, text.length / 2)],
    ['an edited one', (text: string) => text.replace('"a",', '')],
    ['another format', (text: string) => text.replace('"format":1', '"format":2')],
    ['another thing', () => 'null'],
  ])('refuses %s and names the file', async (_what, damage) => {
    const file = at('file.json');
    await file.save(['a', 'b']);
    const text = await readFile(file.path, 'utf8');
    expect(damage(text)).not.toBe(text);
    await writeFile(file.path, damage(text));
    await expect(file.load()).rejects.toThrow(file.path);
  });

  it('rejects where nothing can be written', async () => {
    await writeFile(join(folder, 'no-folder'), '');
    await expect(at('no-folder', 'file.json').save(['a'])).rejects.toThrow();
  });
});
