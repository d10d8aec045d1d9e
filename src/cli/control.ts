/** `meltemi control`: a control plane for proxies that run elsewhere. */

import { createControlPlane } from '../control/control-plane.ts';
import { addressOf } from '../metaprotocol/address.ts';
import { processLog } from '../proxy/process-log.ts';
import { type Command, ExitCode, untilAborted } from './command.ts';
import { readAddress, readDirectories, readLogLevel, readOptions } from './options.ts';
import { builtInManifests } from './proxy-options.ts';

export const controlCommand: Command = {
  help: `Usage: meltemi control -f DIR [options]

Reads the folder, watches it, and serves every proxy that connects.

  -f, --file DIR          folder or file with the configuration; may be given again
  --listen HOST:PORT      xDS (127.0.0.1:15010)
  --insecure              allow --listen where other machines reach it, though it has no TLS
  --admin HOST:PORT       admin API (127.0.0.1:15014)
  --access-log FILE       where proxies write their calls, such as /dev/stdout (none)
  --state-dir DIR         keep the last good version of each resource here, for a start with a broken one
  --log-level LEVEL       info, warn, error or silent (info)

Examples:
  meltemi control -f config
  meltemi control -f config --listen 0.0.0.0:15010 --insecure
`,
  async run(argv, stopSignal) {
    const values = readOptions(argv, {
      file: { type: 'string', short: 'f', multiple: true },
      listen: { type: 'string', default: '127.0.0.1:15010' },
      insecure: { type: 'boolean', default: false },
      admin: { type: 'string', default: '127.0.0.1:15014' },
      'access-log': { type: 'string', default: '' },
      'state-dir': { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
    });
    const controlPlane = await createControlPlane({
      directories: readDirectories(values.file),
      manifests: builtInManifests(),
      listen: readAddress(values.listen, '--listen'),
      adminListen: readAddress(values.admin, '--admin'),
      insecure: values.insecure,
      log: processLog(readLogLevel(values['log-level'])),
      accessLogFile: values['access-log'],
      stateDirectory: values['state-dir'],
    });
    const stopped = stopSignal();
    const { xdsAddress, adminAddress } = controlPlane;
    process.stdout.write(`control plane: xDS ${addressOf(xdsAddress)}, admin http://${addressOf(adminAddress!)}\n`);
    await untilAborted(stopped);
    await controlPlane.close();
    return ExitCode.Ok;
  },
};
