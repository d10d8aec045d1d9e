/** `meltemi validate`: judges a folder without running anything. */
import { renderValidation } from '../control/status/status-text.ts';
import { validate } from '../control/validate.ts';
import { readManifests } from '../proxy/plugin-loading/read-manifests.ts';
import { type Command, ExitCode } from './command.ts';
import { readDirectories, readOptions } from './options.ts';
import { builtInManifests, readPlugins } from './proxy-options.ts';

export const validateCommand: Command = {
  help: `Usage: meltemi validate -f DIR [options]

Exits with 0 when every resource could be used, with 1 when some could not.

  -f, --file DIR          folder or file with the configuration; may be given again
  --plugin PATH|PACKAGE   a codec that the configuration's proxies have; may be given again
  --json                  the same for programs

Examples:
  meltemi validate -f config
  meltemi validate -f config --plugin ./codec.ts
`,
  async run(argv) {
    const values = readOptions(argv, {
      file: { type: 'string', short: 'f', multiple: true },
      plugin: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
    });
    const manifests = [...builtInManifests(), ...(await readManifests(readPlugins(values.plugin)))];
    const { ok, report } = await validate({ directories: readDirectories(values.file), manifests });
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : renderValidation(report));
    return ok ? ExitCode.Ok : ExitCode.Failure;
  },
};
