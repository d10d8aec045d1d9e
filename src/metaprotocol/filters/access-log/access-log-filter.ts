/** Access log: one line for each call, as text or JSON, of fields that every protocol has and of any attribute. */

import type { ConfigIssue } from '../../config-error.ts';
import { ConfigError } from '../../config-error.ts';
import { type Filter, type FilterContext, type FilterFactory, FilterStatus, type Stream } from '../../filter.ts';
import { type LogWriter, noLog } from '../../log-writer.ts';
import type { Message, Run } from '../../message.ts';
import { compileLine } from './line-format.ts';
import { CallsOfRun, type LoggedCall } from './logged-call.ts';

export interface AccessLogOptions {
  readonly path: string;
  readonly format: string;
  /** Each value is a format of its own; null: text. */
  readonly jsonFormat: Readonly<Record<string, string>> | null;
}

export const DEFAULT_FORMAT =
  '[%START_TIME%] %PROTOCOL% %LISTENER% "%ROUTE_NAME%" %STATUS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %DURATION_US% "%DOWNSTREAM_REMOTE_ADDRESS%" "%UPSTREAM_CLUSTER%" "%UPSTREAM_HOST%" "%RESPONSE_DETAILS%" %CALLS%';

class AccessLogFilter implements Filter {
  readonly onRequest?: NonNullable<Filter['onRequest']>;
  readonly onResponse?: NonNullable<Filter['onResponse']>;
  readonly knowsRuns: boolean;
  readonly #render: (call: LoggedCall, log: LogWriter) => void;
  readonly #log: LogWriter;
  readonly #countsCalls: boolean;

  constructor(options: AccessLogOptions, context: FilterContext) {
    this.#log = context.openLog(options.path);
    const formats = options.jsonFormat === null ? [options.format] : Object.values(options.jsonFormat);
    // Attributes are read at the end, when the bytes that heads came in may be others' already.
    if (formats.some((format) => format.includes('%REQ('))) this.onRequest = (_stream, request) => kept(request);
    if (formats.some((format) => format.includes('%RESP('))) this.onResponse = (_stream, response) => kept(response);
    this.#countsCalls = formats.some((format) => format.includes('%CALLS%'));
    this.knowsRuns = this.onRequest === undefined && this.onResponse === undefined;
    this.#render = options.jsonFormat === null ? compileLine(options.format, []) : compileJson(options.jsonFormat);
  }

  onEnd(stream: Stream): void {
    const { run } = stream.request;
    if (run) this.#writeRun(stream, run);
    else this.#write(stream);
  }

  #write(call: LoggedCall): void {
    this.#log.beginLine();
    this.#render(call, this.#log);
    this.#log.endLine();
  }

  /** Where lines say how many calls they are about, those that are alike share one. */
  #writeRun(stream: Stream, run: Run): void {
    const call = new CallsOfRun(stream, run);
    for (let index = 0; index < run.calls; ) {
      const next = call.select(index);
      const lines = this.#countsCalls ? 1 : next - index;
      for (let line = 0; line < lines; line++) this.#write(call);
      index = next;
    }
  }
}

/** An object of one line; its values are formats of their own. */
function compileJson(formats: Readonly<Record<string, string>>): (call: LoggedCall, log: LogWriter) => void {
  const fields = Object.entries(formats).map(([key, format]) => [key, compileLine(format, [])] as const);
  const value = noLog();
  return (call, log) => {
    const texts = fields.map(([key, render]) => {
      value.beginLine();
      render(call, value);
      return [key, value.takeText()];
    });
    log.text(JSON.stringify(Object.fromEntries(texts)));
  };
}

function kept(head: Message): FilterStatus {
  head.keep();
  return FilterStatus.Continue;
}

export const accessLogFilter: FilterFactory<AccessLogOptions> = {
  name: 'access_log',
  parseOptions(raw) {
    const { path, format, jsonFormat } = (raw ?? {}) as Partial<Record<keyof AccessLogOptions, unknown>>;
    const issues: ConfigIssue[] = [];
    if (typeof path !== 'string' || path === '') {
      issues.push({ path: 'path', message: `expected a file path, got ${JSON.stringify(path)}` });
    }
    const text = typeof format === 'string' && format !== '' ? format : DEFAULT_FORMAT;
    const json = typeof jsonFormat === 'object' && jsonFormat !== null ? (jsonFormat as Record<string, string>) : null;
    for (const one of json === null ? [text] : Object.values(json)) compileLine(String(one), issues);
    if (issues.length > 0) throw new ConfigError(issues);
    return { path: path as string, format: text, jsonFormat: json };
  },
  create: (options, context) => new AccessLogFilter(options, context),
};
