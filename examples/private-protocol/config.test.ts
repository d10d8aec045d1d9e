import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import echoRpc from '../../plugins/echo-rpc/codec.ts';
import { validate } from '../../src/control/validate.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const manifests = echoRpc.codecs.map(({ manifest }) => manifest);

describe('the configuration of the example', () => {
  it.each(['config', 'config/service.yaml routes/canary.yaml', 'config/service.yaml routes/v2.yaml'])(
    '%s is valid',
    async (paths) => {
      const { ok, report } = await validate({ directories: paths.split(' ').map(here), manifests });
      expect(report.resources.flatMap(({ findings }) => findings)).toEqual([]);
      expect(ok).toBe(true);
    },
  );

  it('is also that of the plugin', async () => {
    const { ok } = await validate({ directories: [here('../../plugins/echo-rpc/mesh')], manifests });
    expect(ok).toBe(true);
  });
});
