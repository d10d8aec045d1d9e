import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RecordingOutput } from '../../conformance/recording-output.ts';
import { RecordingSink } from '../../conformance/recording-sink.ts';
import { thriftFactory, thriftManifest } from './plugin.ts';

const page = readFileSync(new URL('../../../docs/codecs/thrift.md', import.meta.url), 'utf8');

describe('the Thrift plugin', () => {
  it('states a manifest that survives JSON', () => {
    expect(JSON.parse(JSON.stringify(thriftManifest))).toEqual(thriftManifest);
    expect(thriftManifest.codes).toContainEqual({ name: 'INTERNAL_ERROR', code: 6 });
  });

  it('makes codecs that are ready at once for any number of calls', () => {
    const sink = new RecordingSink();
    const options = thriftFactory.parseOptions(undefined);
    thriftFactory.createServerCodec(sink, new RecordingOutput(), options, 1).start();
    expect(sink.events).toEqual([]);
    thriftFactory.createClientCodec(sink, new RecordingOutput(), options, '').start();
    expect(sink.events).toEqual([{ kind: 'ready', maxStreams: 0x7fff_ffff }]);
  });

  it('is described with all its attributes and options', () => {
    for (const { key } of thriftManifest.attributes.fixed) expect(page).toContain(`| \`${key}\` |`);
    for (const option of thriftManifest.options) {
      const shown = option.type === 'integer' ? option.default : `\`${option.default}\``;
      expect(page).toContain(`| \`${option.key}\` | ${shown} |`);
    }
  });
});
