/** `meltemi up`: a mesh on this machine, the way to start. */

import { renderStatus } from '../control/status/status-text.ts';
import { addressOf } from '../metaprotocol/address.ts';
import { processLog } from '../proxy/process-log.ts';
import { type Command, ExitCode, untilAborted } from './command.ts';
import { startMesh } from './mesh.ts';
import { readAddress, readDirectories, readLogLevel, readOptions } from './options.ts';
import { PROXY_OPTIONS, PROXY_OPTIONS_HELP, readProxyOptions } from './proxy-options.ts';

export const upCommand: Command = {
  help: `Usage: meltemi up -f DIR [options]

Starts a control plane and one proxy in this process and serves the folder's services. A saved file is live at once.

  -f, --file DIR          folder or file with the configuration; may be given again
  --listen HOST:PORT      xDS (127.0.0.1:15010)
  --admin HOST:PORT       admin API of the control plane (127.0.0.1:15014)
  --proxy-admin HOST:PORT admin API of the proxy (127.0.0.1:15000)
  --access-log FILE       a line for each call, or for pipelined ones that are alike; /dev/stdout is this terminal (none)
  --log-level LEVEL       info, warn, error or silent (warn)
${PROXY_OPTIONS_HELP}

Examples:
  meltemi up -f examples/thrift/config
  meltemi up -f config --workers 2 --access-log /dev/stdout
`,
  async run(argv, stopSignal) {
    const values = readOptions(argv, {
      ...PROXY_OPTIONS,
      file: { type: 'string', short: 'f', multiple: true },
      listen: { type: 'string', default: '127.0.0.1:15010' },
      admin: { type: 'string', default: '127.0.0.1:15014' },
      'proxy-admin': { type: 'string', default: '127.0.0.1:15000' },
      'access-log': { type: 'string', default: '' },
      'log-level': { type: 'string', default: 'warn' },
    });
    const mesh = await startMesh({
      directories: readDirectories(values.file),
      xdsListen: readAddress(values.listen, '--listen'),
      controlAdminListen: readAddress(values.admin, '--admin'),
      proxyAdminListen: readAddress(values['proxy-admin'], '--proxy-admin'),
      accessLogFile: values['access-log'],
      proxy: readProxyOptions(values),
      log: processLog(readLogLevel(values['log-level'])),
    });
    const { controlPlane, proxy } = mesh;
    const stopped = stopSignal();
    await mesh.settled();
    process.stdout.write(
      `${renderStatus(controlPlane.status())}
control plane: xDS ${addressOf(controlPlane.xdsAddress)}, admin http://${addressOf(controlPlane.adminAddress!)}
proxy admin:   http://${addressOf(proxy.adminAddress!)}
Edit the files in ${values.file!.join(', ')} and save; \`meltemi status\` says what became of them. Ctrl-C ends.
`,
    );
    await untilAborted(stopped);
    await mesh.close();
    return ExitCode.Ok;
  },
};
