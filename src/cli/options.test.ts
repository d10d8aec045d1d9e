import { describe, expect, it } from 'vitest';
import { addressOf } from '../metaprotocol/address.ts';
import { UsageError } from './command.ts';
import { readAddress, readDirectories, readInteger, readOptions, readSize } from './options.ts';
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
    ['64MiB', 67_108_864],
    ['512KiB', 524_288],
    ['1GiB', 1_073_741_824],
    ['100000', 100_000],
  ])('have sizes: %s', (text, bytes) => {
    expect(readSize(text, '--size', 65_536, 2 ** 40)).toBe(bytes);
  });

  it.each(['', 'MiB', '64 MiB', '64mib', '64m', '-1', '1.5MiB', '1KiB', '2000GiB'])('refuse the size %j', (text) => {
    const expected = 'expected a size such as 64MiB, from 65536 to 1099511627776 bytes';
    expect(() => readSize(text, '--size', 65_536, 2 ** 40)).toThrow(new UsageError(`--size ${text}: ${expected}`));
  });

  it('say how far access logs may grow', () => {
    const limits = (...argv: string[]) => readProxyOptions(readOptions(argv, PROXY_OPTIONS)).accessLogLimits;
    const [size, files] = ['--access-log-max-size=16MiB', '--access-log-max-files=3'];
    expect(limits()).toBe(null);
    expect(limits(size)).toEqual({ maxBytes: 16_777_216, maxFiles: 5 });
    expect(limits(size, files)).toEqual({ maxBytes: 16_777_216, maxFiles: 3 });
    expect(() => limits(files)).toThrow('--access-log-max-files 3: without --access-log-max-size');
    expect(() => limits(size, '--access-log-max-files=1')).toThrow('expected a whole number from 2 to 1000');
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
