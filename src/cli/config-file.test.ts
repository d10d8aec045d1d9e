import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readOptions } from './options.ts';
import { PROXY_OPTIONS, readProxyOptions } from './proxy-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'meltemi-config-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string, ...argv: string[]) {
  const file = join(folder, 'proxy.yaml');
  writeFileSync(file, text);
  return readOptions(['--config', file, ...argv], PROXY_OPTIONS);
}

describe('a config file', () => {
  it('has the options of the command line, with paths from its own folder', () => {
    const values = read(`id: wind-1
ip: 10.0.0.7
label: [app=wind, version=2]
workers: 4
watch: true
state-dir: state
access-log-max-size: 16MiB
access-log-max-files: 3
plugin: [./codec.ts, codecs/other.js, /abs/one.ts, some-package]
`);
    const { node, workers, watchPlugins, stateDirectory, plugins, accessLogLimits } = readProxyOptions(values);
    expect(node).toMatchObject({ id: 'wind-1', ips: ['10.0.0.7'], labels: { app: 'wind', version: '2' } });
    expect([workers, watchPlugins, stateDirectory]).toEqual([4, true, join(folder, 'state')]);
    expect(accessLogLimits).toEqual({ maxBytes: 16_777_216, maxFiles: 3 });
    expect(plugins?.map(({ reference }) => reference)).toEqual([
      join(folder, 'codec.ts'),
      join(folder, 'codecs/other.js'),
      '/abs/one.ts',
      'some-package',
    ]);
  });

  it('gives way to the command line, option by option', () => {
    expect(read('workers: 4\nlabel: [app=wind]\nid: wind\n', '--workers', '2', '--label=app=sun')).toMatchObject({
      id: 'wind',
      workers: '2',
      label: ['app=sun'],
    });
  });

  it.each(['', '# nothing yet\n'])('may say nothing: %j', (text) => {
    expect(read(text).workers).toBe('1');
  });

  it.each([
    [
      'workrs: 4\nwatch: yes\n',
      /:1: workrs: an unknown option \(did you mean workers\?\)\n.*:2: watch: actual "yes", expected true or false$/,
    ],
    ['config: other.yaml\n', /:1: config: an unknown option, expected one of id, /],
    ['id: [a, b]\n', /:1: id: actual a list \["a","b"\], expected a text or a number$/],
    ['label: { app: wind }\n', /:1: label: actual an object .*, expected a text or a number, or a list of them$/],
    ['id:\n', /:1: id: actual null, expected a text or a number$/],
    ['id: a\nid: b\n', /:2: YAML: /],
    ['- id\n', /:1: actual a list \["id"\], expected options, as workers: 2$/],
    ['id: *nothing\n', /proxy\.yaml:1?:? ?YAML: /],
    ['id: [\n', /:\d: YAML: /],
  ])('that cannot be used is refused with its places: %j', (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });

  it('that is not there is named', () => {
    expect(() => readOptions(['--config', join(folder, 'absent.yaml')], PROXY_OPTIONS)).toThrow('absent.yaml');
  });
});
