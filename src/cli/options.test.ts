import { describe, expect, it } from 'vitest';
import { addressOf } from '../metaprotocol/address.ts';
import { UsageError } from './command.ts';
import { readAddress, readDirectories, readInteger, readOptions } from './options.ts';
import { PROXY_OPTIONS, readProxyOptions } from './proxy-options.ts';

describe('addresses', () => {
  it.each([
    ['127.0.0.1:15010', { host: '127.0.0.1', port: 15_010 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['15000', { host: '127.0.0.1', port: 15_000 }],
  ])('reads %s', (text, address) => {
    expect(readAddress(text, '--admin')).toEqual(address);
    expect(readAddress(addressOf(address), '--admin')).toEqual(address);
  });

  it.each(['', 'host', 'host:', 'host:70000', '::1:80', 'a:b:c'])('refuses %j and names the option', (text) => {
    expect(() => readAddress(text, '--admin')).toThrow(UsageError);
    expect(() => readAddress(text, '--admin')).toThrow('--admin');
  });
});

describe('options', () => {
  it('are refused when nobody knows them, or when one is missing', () => {
    expect(() => readOptions(['--nope'], {})).toThrow(UsageError);
    expect(() => readOptions(['stray'], {})).toThrow(UsageError);
    expect(() => readDirectories(undefined)).toThrow('-f DIR');
    expect(() => readDirectories(['src', '/no/such'])).toThrow('-f /no/such: there is no such folder or file');
    expect(() => readInteger('0', '--workers', 1, 256)).toThrow('--workers 0');
    expect(() => readInteger('1.5', '--workers', 1, 256)).toThrow(UsageError);
  });

  it.each([
    ['--fil', '--fil: an unknown option (did you mean --file?)'],
    ['--worker=2', '--worker: an unknown option (did you mean --workers?)'],
    ['--wrokers=2', '--wrokers: an unknown option (did you mean --workers?)'],
    ['-x', '-x: an unknown option'],
    ['stray', 'stray: expected options only, such as -f stray'],
  ])('that nobody knows are refused with what was meant: %s', (word, message) => {
    const options = { file: { type: 'string', short: 'f' }, workers: { type: 'string' } } as const;
    expect(() => readOptions([word], options)).toThrow(new UsageError(message));
  });

  it('say who a proxy is', () => {
    const argv =
      '--id p --ip 10.0.0.7 --ip ::2 --label app=wind --label a=b=c --locality r/z --workers 2 --drain-time 3';
    const { node, workers, stateDirectory, drainDeadlineMs } = readProxyOptions(
      readOptions(argv.split(' '), PROXY_OPTIONS),
    );
    expect(node).toMatchObject({
      id: 'p',
      type: 'sidecar',
      namespace: 'default',
      ips: ['10.0.0.7', '::2'],
      labels: { app: 'wind', a: 'b=c' },
      locality: { region: 'r', zone: 'z', subZone: '' },
      bind: 'direct',
    });
    expect([workers, stateDirectory, drainDeadlineMs]).toEqual([2, null, 3_000]);
    expect(() => readProxyOptions(readOptions(['--ip', '10.0.7'], PROXY_OPTIONS))).toThrow('--ip 10.0.7: expected');
    expect(() => readProxyOptions(readOptions(['--label', 'x'], PROXY_OPTIONS))).toThrow('KEY=VALUE');
    expect(() => readProxyOptions(readOptions(['--bind', 'x'], PROXY_OPTIONS))).toThrow('direct or loopback');
  });
});
