import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSamples } from '../../../src/conformance/read-samples.ts';
import { CHECKS, runCheck } from '../../../src/conformance/run-conformance.ts';
import type { Sample, Samples } from '../../../src/conformance/sample.ts';
import { Subject } from '../../../src/conformance/subject.ts';
import type { CodecFactory } from '../../../src/metaprotocol/codec.ts';
import type { Capabilities } from '../../../src/metaprotocol/manifest.ts';
import { BROKEN_CODECS } from './broken-codecs.ts';
import { BROKEN_RUNS } from './broken-runs.ts';
import { BROKEN_STREAMS } from './broken-streams.ts';

const read = (folder: string) => readSamples(fileURLToPath(new URL(`../../../${folder}`, import.meta.url)));
const SAMPLES: Readonly<Record<string, Samples>> = {
  'echo-rpc': await read('plugins/echo-rpc/samples'),
  http1: await read('test/conformance/samples/http1'),
  tcp: await read('test/conformance/samples/tcp'),
  redis: await read('test/conformance/samples/redis'),
};
const BROKEN = [...BROKEN_CODECS, ...BROKEN_STREAMS, ...BROKEN_RUNS];
/** Of what a codec of whole messages has no part in. */
const NO_PART = ['messages are whole', 'its requests are not joined'];

describe('every check can fail', () => {
  it('and a broken codec shows it', () => {
    const shown = new Set(BROKEN.map(({ check }) => check));
    expect(CHECKS.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });

  it.each(BROKEN)('$check fails for $good.manifest.name that $mistake', ({ check: name, good, factory, reason }) => {
    const check = CHECKS.find((one) => one.name === name)!;
    const samples = SAMPLES[good.manifest.name]!;
    expect(runCheck(check, new Subject({ factory: good, samples })).verdict).not.toBe('failed');
    const result = runCheck(check, new Subject({ factory, samples }));
    expect(result.reason).toMatch(reason);
    expect(result.verdict).toBe('failed');
  });
});

describe('no check can be talked out of', () => {
  const [good] = BROKEN_CODECS.map((one) => one.good);
  const samples = SAMPLES['echo-rpc']!;
  const withEnd = (end: 'close' | 'fin'): Samples => ({
    ...samples,
    exchanges: samples.exchanges.map(({ request, response, ...exchange }) => {
      return { ...exchange, request: { ...request, end }, response: response && { ...response, end } };
    }),
  });
  const verdicts = (factory: CodecFactory, used = samples) => {
    const subject = new Subject({ factory, samples: used, fuzzInputs: 0 });
    return Object.fromEntries(CHECKS.map((check) => [check.name, runCheck(check, subject)]));
  };
  const claiming = (capabilities: Partial<Capabilities>): CodecFactory => {
    const { manifest } = good!;
    return { ...good!, manifest: { ...manifest, capabilities: { ...manifest.capabilities, ...capabilities } } };
  };

  it('by a manifest that says that nothing can be done', () => {
    const nothing = { requestMutation: false, responseMutation: false, oneway: false, errorReply: false };
    const found = Object.entries(verdicts(claiming(nothing)));
    const gone = found.filter(([, { reason, verdict }]) => verdict === 'not applicable' && !NO_PART.includes(reason));
    expect(gone).toEqual([]);
    const failed = found.filter(([, { verdict }]) => verdict === 'failed').map(([name]) => name);
    expect(failed).toEqual(['request-mutation', 'response-mutation', 'local-replies', 'oneway']);
  });

  it('by a manifest that says that messages stream, or that streams are whole messages', () => {
    const found = verdicts(claiming({ streaming: true }));
    expect(found['long-body']!.reason).toMatch(/no request of the samples can go on and on/);
    const http = BROKEN_STREAMS[0]!.good;
    const whole = {
      ...http,
      manifest: { ...http.manifest, capabilities: { ...http.manifest.capabilities, streaming: false } },
    };
    const check = CHECKS.find(({ name }) => name === 'window')!;
    const { reason } = runCheck(check, new Subject({ factory: whole, samples: SAMPLES.http1! }));
    expect(reason).toMatch(/it has data behind its head, but the manifest says that nothing streams/);
  });

  it.each([
    ['fin', /it ends before its connection does/],
    ['close', /would read on behind it/],
  ] as const)('by samples that say that a message is the last of its connection (%s)', (end, reason) => {
    const found = verdicts(good!, withEnd(end));
    for (const name of ['golden-responses', 'repeated-ids', 'bounded-memory'])
      expect(found[name]!.reason).toMatch(reason);
  });

  it('by samples that say that a whole message has another spelling', () => {
    const [first, ...rest] = samples.exchanges;
    const sent = { ...first!, request: { ...first!.request, sent: Buffer.from('other') } };
    const found = verdicts(good!, { ...samples, exchanges: [sent, ...rest] });
    expect(found['pass-through']!.verdict).toBe('failed');
  });

  it('by samples without trailers of a codec that has them', () => {
    const http = SAMPLES.http1!;
    const exchanges = http.exchanges.map(({ request, response, ...exchange }) => {
      const without = (text: Buffer) =>
        Buffer.from(text.toString().replace(/(?<=\r\n)(?:X-Sum|Server-Timing): .*\r\n/, ''));
      const bytesOf = (sample: Sample) => ({ ...sample, bytes: without(sample.bytes) });
      return { ...exchange, request: bytesOf(request), response: response && bytesOf(response) };
    });
    const check = CHECKS.find(({ name }) => name === 'trailers')!;
    const factory = BROKEN_STREAMS[0]!.good;
    const { reason } = runCheck(check, new Subject({ factory, samples: { ...http, exchanges } }));
    expect(reason).toMatch(/the codec writes trailers, but no message of the samples has any/);
  });

  it('by attributes that are said to follow from others', () => {
    const found = verdicts(good!, { ...samples, traits: { followers: { method: ['no-such-attribute'] } } });
    expect(found.attributes!.reason).toMatch(/follower no-such-attribute is not one of the read-only attributes/);
  });
});
