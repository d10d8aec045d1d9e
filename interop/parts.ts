/** Installs what the interoperability tests need from outside into a git-ignored folder, once. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `.meltemi/interop` in the checkout. */
export const partsDirectory = fileURLToPath(new URL('../.meltemi/interop', import.meta.url));

/** A Python with `packages` installed; gives the interpreter. */
export async function installPython(packages: readonly string[]): Promise<string> {
  const environment = join(partsDirectory, 'python');
  const python = join(environment, 'bin/python');
  await mkdir(partsDirectory, { recursive: true });
  if (!existsSync(python)) await run('python3', ['-m', 'venv', environment]);
  await run(python, ['-m', 'pip', 'install', '--quiet', ...packages]);
  return python;
}

/** A package of npm, `name@version`; gives what it exports. */
export async function installNpm<T>(name: string, version: string): Promise<T> {
  const directory = join(partsDirectory, 'npm', name);
  await mkdir(directory, { recursive: true });
  const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  await run('npm', ['install', ...flags, '--prefix', directory, `${name}@${version}`]);
  return (await import(pathToFileURL(createRequire(join(directory, 'x.js')).resolve(name)).href)) as T;
}

/** Compiles a Maven project, with these of its properties changed; gives its class path. */
export async function installJava(project: string, name: string, properties: readonly string[] = []): Promise<string> {
  const parts = join(partsDirectory, name);
  const defines = [`parts=${parts}`, ...properties].map((property) => `-D${property}`);
  await run('mvn', ['-q', '-B', '-f', join(project, 'pom.xml'), 'compile', ...defines]);
  return `${join(parts, 'classes')}:${join(parts, 'libraries')}/*`;
}

/** Builds a Go module; gives its program. */
export async function installGo(module: string, name: string): Promise<string> {
  const program = join(partsDirectory, name, 'program');
  await run('go', ['build', '-mod=readonly', '-buildvcs=false', '-o', program, '.'], { cwd: module });
  return program;
}
