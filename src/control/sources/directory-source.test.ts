import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/harness/fake-clock.ts';
import { DirectorySource } from './directory-source.ts';
import type { FileStamp, FolderReader } from './folder-reader.ts';
import type { FileContent } from './yaml-documents.ts';

/** Files in memory, whose stamps move as a file system's do. */
class MemoryFolder implements FolderReader {
  readonly files = new Map<string, { text: string; stamp: FileStamp }>();
  onEvent: () => void = () => {};
  failure: Error | null = null;
  unreadable = '';
  #time = 1_000n;
  #inode = 1n;

  /** Written in place: one inode, both times move. */
  write(file: string, text: string): void {
    const inode = this.files.get(file)?.stamp.inode ?? this.#inode++;
    const now = this.#time++;
    this.files.set(file, { text, stamp: { inode, sizeBytes: BigInt(text.length), modifiedNs: now, changedNs: now } });
  }

  /** Written elsewhere, then renamed here: a new inode whose change time is later. */
  rename(file: string, text: string): void {
    const written = this.#time++;
    const stamp = {
      inode: this.#inode++,
      sizeBytes: BigInt(text.length),
      modifiedNs: written,
      changedNs: this.#time++,
    };
    this.files.set(file, { text, stamp });
  }

  async list(): Promise<ReadonlyMap<string, FileStamp>> {
    if (this.failure !== null) throw this.failure;
    return new Map([...this.files].map(([file, entry]) => [file, entry.stamp]));
  }

  async read(file: string): Promise<{ text: string; stamp: FileStamp } | null> {
    if (file === this.unreadable) throw new Error(`${file}: EACCES`);
    return this.files.get(file) ?? null;
  }

  watch(onEvent: () => void): () => void {
    this.onEvent = onEvent;
    return () => {};
  }
}

function resource(name: string): string {
  return `apiVersion: v1\nkind: Thing\nmetadata: { name: ${name} }\n`;
}

async function started(files: Record<string, string>) {
  const folder = new MemoryFolder();
  const clock = new FakeClock();
  const seen: Record<string, string[]>[] = [];
  const faults: (string | null)[] = [];
  for (const [file, text] of Object.entries(files)) folder.write(file, text);
  const names = (content: FileContent): string[] => content.documents.map((document) => document.name);
  const source = new DirectorySource({
    reader: folder,
    clock,
    onChange: (contents) =>
      seen.push(Object.fromEntries([...contents].map(([file, content]) => [file, names(content)]))),
    onFault: (message) => faults.push(message),
  });
  await source.start();
  /** Lets the promises of a look finish; the fake clock stands still. */
  const look = async (): Promise<void> => {
    folder.onEvent();
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  };
  return { folder, clock, seen, faults, source, look, pass };
}

describe('DirectorySource', () => {
  it('tells every file once at the start', async () => {
    const { seen } = await started({ 'a.yaml': resource('a'), 'b.yaml': resource('b') });
    expect(seen).toEqual([{ 'a.yaml': ['a'], 'b.yaml': ['b'] }]);
  });

  it('takes a file written in place only after size and times held still for the settle interval', async () => {
    const { folder, seen, look, pass } = await started({ 'a.yaml': resource('a') });
    folder.write('a.yaml', '');
    await look();
    folder.write('a.yaml', 'apiVersion: v1\nkind: Th');
    await look();
    await look();
    expect(seen).toHaveLength(1);
    folder.write('a.yaml', resource('b'));
    await pass(21);
    expect(seen).toHaveLength(1);
    await pass(21);
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['b'] }]);
  });

  it('takes a renamed file at the first look', async () => {
    const { folder, seen, look } = await started({ 'a.yaml': resource('a') });
    folder.rename('a.yaml', resource('b'));
    await look();
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['b'] }]);
  });

  it('tells files that change together in one call', async () => {
    const { folder, seen, look, pass } = await started({ 'a.yaml': resource('a') });
    folder.rename('a.yaml', resource('a2'));
    folder.write('b.yaml', resource('b'));
    await look();
    expect(seen).toHaveLength(1);
    await pass(21);
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['a2'], 'b.yaml': ['b'] }]);
  });

  it('does not let a file that is written without end hold the others back', async () => {
    const { folder, seen, look, pass } = await started({ 'a.yaml': resource('a') });
    folder.rename('a.yaml', resource('a2'));
    folder.write('noise.yaml', '1');
    await look();
    for (let turn = 0; turn < 15; turn++) {
      folder.write('noise.yaml', `${turn}`);
      await pass(21);
    }
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['a2'] }]);
  });

  it('drops a file only when it is missing at two looks', async () => {
    const { folder, seen, look, pass } = await started({ 'a.yaml': resource('a'), 'b.yaml': resource('b') });
    folder.files.delete('a.yaml');
    await look();
    folder.write('a.yaml', resource('a3'));
    await pass(21);
    await pass(21);
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['a3'], 'b.yaml': ['b'] }]);
    folder.files.delete('a.yaml');
    await look();
    await pass(21);
    expect(seen.slice(2)).toEqual([{ 'b.yaml': ['b'] }]);
  });

  it('says nothing when a file was touched but is the same', async () => {
    const { folder, seen, look, pass } = await started({ 'a.yaml': resource('a') });
    folder.write('a.yaml', resource('a'));
    await look();
    await pass(21);
    expect(seen).toHaveLength(1);
  });

  it('finds by polling what the system did not tell', async () => {
    const { folder, seen, pass } = await started({ 'a.yaml': resource('a') });
    folder.rename('a.yaml', resource('b'));
    await pass(2_000);
    expect(seen.slice(1)).toEqual([{ 'a.yaml': ['b'] }]);
  });

  it('takes a file that may not be read as broken, and the others as they are', async () => {
    const { folder, seen, look } = await started({ 'a.yaml': resource('a'), 'b.yaml': resource('b') });
    folder.unreadable = 'a.yaml';
    folder.rename('a.yaml', resource('a2'));
    folder.rename('b.yaml', resource('b2'));
    await look();
    expect(seen.slice(1)).toEqual([{ 'a.yaml': [], 'b.yaml': ['b2'] }]);
  });

  it('keeps everything while a folder cannot be read', async () => {
    const { folder, seen, faults, look } = await started({ 'a.yaml': resource('a') });
    folder.failure = new Error('config: EACCES');
    await look();
    await look();
    folder.failure = null;
    await look();
    expect([seen.length, faults]).toEqual([1, ['config: EACCES', null]]);
  });
});
