/** What samples must be read as, and what a codec promises of itself. */
import type { Message } from '../../metaprotocol/message.ts';
import { manifestSchema } from '../../schema/manifest-schema.ts';
import { schemaFaults } from '../../schema/schema-faults.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat, fail } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { attributesOf, dataOf, type Received } from '../received.ts';
import type { Sample } from '../sample.ts';
import { isOneway, type Subject, sentBytesOf } from '../subject.ts';

/** Of bytes without lengths a window is all the limit there is. */
const LIMIT = /Limit(Bytes)?$|^windowBytes$/;

export const manifestCheck: Check = {
  name: 'manifest',
  title: 'the manifest is plain data, its defaults are valid and bad options are refused by name',
  run({ factory }) {
    const { manifest } = factory;
    expectSame(JSON.parse(JSON.stringify(manifest)), manifest, 'manifest as JSON');
    const [fault] = schemaFaults(manifestSchema, manifest);
    expectThat(fault === undefined, `manifest.${fault?.path}: ${fault?.message}`);
    for (const [what, names] of [
      ['code', manifest.codes.map(({ name }) => name)],
      ['attribute', manifest.attributes.fixed.map(({ key }) => key)],
      ['option', manifest.options.map(({ key }) => key)],
    ] as const) {
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      expectThat(twice === undefined, `${what} ${twice} is declared twice`);
    }
    factory.parseOptions(undefined);
    const limits = manifest.options.filter(({ key, type }) => type === 'integer' && LIMIT.test(key));
    expectThat(limits.length > 0, 'no option ends in LimitBytes or is a window: limits are mandatory');
    const bad = [{ 'no-such-option': 1 }, ...manifest.options.map(({ key }) => ({ [key]: { not: 'a value' } }))];
    for (const raw of bad) expectRefused(factory, raw);
  },
};

function expectRefused(factory: Subject['factory'], raw: Readonly<Record<string, unknown>>): void {
  const [key] = Object.keys(raw);
  try {
    factory.parseOptions(raw);
  } catch (error) {
    const { issues } = error as { issues?: readonly { readonly path: string; readonly message: string }[] };
    const isNamed = issues?.some(({ path, message }) => path.includes(key!) || message.includes(key!));
    expectThat(isNamed === true, `options ${JSON.stringify(raw)}: ${(error as Error).message} does not name ${key}`);
    return;
  }
  fail(`options ${JSON.stringify(raw)} were accepted`);
}

export const goldenRequests: Check = {
  name: 'golden-requests',
  title: 'sample requests are read as what they are',
  run(subject) {
    for (const exchange of subject.exchanges) {
      const { message, head, codec, out } = subject.request(exchange);
      expectGolden(message, exchange.request, `request of ${exchange.name}`);
      if (exchange.response === null && head.answer === null) {
        expectThat(isOneway(head), `request of ${exchange.name}: not oneway, but the samples hold no response`);
      }
      if (exchange.response !== null) {
        expectThat(!isOneway(head), `request of ${exchange.name}: oneway, but the samples hold a response`);
      }
      if (head.answer !== null && exchange.response !== null) {
        codec.encode(1, head.answer, head);
        expectBytes(out.take(), sentBytesOf(exchange.response), `own answer to ${exchange.name}`);
      }
    }
  },
};

export const goldenResponses: Check = {
  name: 'golden-responses',
  title: 'sample responses are read as what they are',
  run(subject) {
    expectEnds(subject);
    for (const exchange of subject.answered) {
      const message = subject.response(exchange);
      const { head, trailers, ended } = message;
      expectGolden(message, exchange.response, `response of ${exchange.name}`);
      const found = head.outcome ?? trailers?.outcome ?? null;
      const { outcome } = exchange.response;
      if (outcome !== undefined) expectSame(found, outcome, `outcome of ${exchange.name}`);
      const isTold = found !== null || !ended || subject.isOpaque;
      expectThat(isTold, `response of ${exchange.name}: ended without an outcome`);
    }
  },
};

function expectGolden(message: Received<Message>, sample: Sample, what: string): void {
  for (const [key, value] of Object.entries(sample.attributes)) {
    expectSame(message.head.get(key), value, `${what}: attribute ${key}`);
  }
  if (sample.data !== undefined) expectBytes(dataOf(message), sample.data, `${what}: data`);
  for (const [key, value] of Object.entries(sample.trailers ?? {})) {
    expectSame(message.trailers?.get(key), value, `${what}: trailer ${key}`);
  }
}

export const attributesCheck: Check = {
  name: 'attributes',
  title: 'get and entries agree, and name only what the manifest declares',
  run(subject) {
    const { fixed, open } = subject.factory.manifest.attributes;
    const known = new Set(fixed.map(({ key }) => key));
    for (const follower of subject.followers) {
      const isReadOnly = fixed.some(({ key, mutable }) => key === follower && !mutable);
      expectThat(isReadOnly, `follower ${follower} is not one of the read-only attributes of the manifest`);
    }
    const heads = [
      ...subject.exchanges.map((exchange) => subject.request(exchange).head),
      ...subject.answered.map((exchange) => subject.response(exchange).head),
    ];
    for (const head of heads) {
      const seen = new Set<string>();
      for (const [key, value] of attributesOf(head)) {
        expectThat(known.has(key) || open !== null, `attribute ${key} is not in the manifest, which has no open ones`);
        // Repeated fields may combine.
        const isRepeated = attributesOf(head).filter(([other]) => other === key).length > 1;
        const got = isRepeated ? head.get(key)?.slice(0, value.length) : head.get(key);
        if (!seen.has(key)) expectSame(got, value, `get(${JSON.stringify(key)}) against entries()`);
        seen.add(key);
      }
      for (const key of known) {
        // What another one tells already need not be listed.
        if (seen.has(key) || subject.followers.includes(key)) continue;
        expectSame(head.get(key), undefined, `get(${JSON.stringify(key)}), absent from entries()`);
      }
      const absent = 'conformance-absent-key';
      expectSame(head.get(absent), undefined, `get of a key that no message has`);
      // Names of Object.prototype are keys like others.
      expectSame(head.get('constructor'), undefined, 'get("constructor")');
    }
  },
};

export const detectCheck: Check = {
  name: 'detection',
  title: 'requests are detected as this protocol, and foreign bytes are not',
  gate: ({ factory }) => (factory.detect === undefined ? 'the codec offers no detection' : null),
  run(subject) {
    const detect = subject.factory.detect!.bind(subject.factory);
    for (const { name, request } of subject.exchanges) {
      expectSame(detect(request.bytes), 'match', `detection of ${name}`);
      for (let length = 0; length < request.bytes.length; length++) {
        const found = detect(request.bytes.subarray(0, length));
        expectThat(found !== 'reject', `detection of the first ${length} bytes of ${name}: reject`);
      }
    }
    const foreign = { 'a TLS hello': '1603010200010001fc0303', zeros: '00'.repeat(64), ones: 'ff'.repeat(64) };
    for (const [what, hex] of Object.entries(foreign)) {
      expectThat(
        detect(Buffer.from(hex, 'hex')) !== 'match',
        `${what} was detected as ${subject.factory.manifest.name}`,
      );
    }
  },
};
