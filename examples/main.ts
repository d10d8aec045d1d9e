/** `npm run example -- NAME [--check]`: runs an example of this folder that has a main.ts. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [name, ...rest] = process.argv.slice(2);
const main = new URL(`${name}/main.ts`, import.meta.url);
const isKnown = name !== undefined && /^[a-z-]+$/.test(name) && existsSync(main);
if (isKnown && rest.every((option) => option === '--check')) {
  const { run } = (await import(main.href)) as { run: (options: { check: boolean }) => Promise<boolean> };
  process.exitCode = (await run({ check: rest.includes('--check') })) ? 0 : 1;
} else {
  const folders = readdirSync(import.meta.dirname).filter((each) =>
    existsSync(join(import.meta.dirname, each, 'main.ts')),
  );
  console.error(
    `usage: npm run example -- NAME [--check], NAME being one of ${folders.join(', ')}; thrift is npm run demo`,
  );
  process.exitCode = 2;
}
