/** `meltemi proxy`: a proxy that gets its configuration from a control plane. */

import { addressOf } from '../metaprotocol/address.ts';
import { processLog } from '../proxy/process-log.ts';
import { createProxyProcess } from '../proxy/proxy-process.ts';
import { type Command, ExitCode, UsageError, untilAborted } from './command.ts';
import { readAddress, readLogLevel, readOptions } from './options.ts';
import { productVersion } from './product-version.ts';
import { builtInManifests, PROXY_OPTIONS, PROXY_OPTIONS_HELP, readProxyOptions } from './proxy-options.ts';

export const proxyCommand: Command = {
  help: `Usage: meltemi proxy --xds HOST:PORT [options]

Runs until SIGTERM or SIGINT, then takes no new connections, lets running calls finish, and exits with 0.

  --xds HOST:PORT         the control plane
  --admin HOST:PORT       admin API of this proxy (127.0.0.1:15000)
  --log-level LEVEL       info, warn, error or silent (info)
${PROXY_OPTIONS_HELP}

Examples:
  meltemi proxy --xds 127.0.0.1:15010 --id web-1
  meltemi proxy --xds 10.0.0.1:15010 --id wind-1 --ip 10.0.0.7 --label app=wind --workers 4 --state-dir /var/lib/meltemi
  meltemi proxy --xds 10.0.0.1:15010 --id edge-1 --type router --label istio=ingressgateway
`,
  async run(argv, stopSignal) {
    const values = readOptions(argv, {
      ...PROXY_OPTIONS,
      xds: { type: 'string' },
      admin: { type: 'string', default: '127.0.0.1:15000' },
      'log-level': { type: 'string', default: 'info' },
    });
    if (values.xds === undefined) throw new UsageError('--xds HOST:PORT is missing: where the control plane listens');
    const proxy = await createProxyProcess({
      ...readProxyOptions(values),
      xds: addressOf(readAddress(values.xds, '--xds')),
      version: productVersion(),
      manifests: builtInManifests(),
      adminListen: readAddress(values.admin, '--admin'),
      log: processLog(readLogLevel(values['log-level'])),
    });
    const stopped = stopSignal();
    process.stdout.write(`proxy admin: http://${addressOf(proxy.adminAddress!)}\n`);
    void proxy.ready.then(() => process.stdout.write('ready: the configuration runs on every worker\n'));
    await untilAborted(stopped);
    await proxy.drain();
    await proxy.close();
    return ExitCode.Ok;
  },
};
