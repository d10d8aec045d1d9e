/** A StatusReport as text for a terminal. */
import type { FindingStatus, ProxyStatus, ResourceStatus, StatusReport } from './status-report.ts';

export function renderStatus(report: StatusReport): string {
  const lines: string[] = [];
  for (const fault of report.faults) lines.push(findingLine(fault));
  for (const resource of report.resources) lines.push(...resourceLines(resource));
  for (const proxy of report.proxies) lines.push('', ...proxyLines(proxy));
  if (report.proxies.length === 0) lines.push('', 'no proxy is connected');
  return `${lines.join('\n')}\n`;
}

/** The findings of a folder that was judged without any proxy. */
export function renderValidation(report: StatusReport): string {
  const lines = report.faults.map(findingLine);
  const counts = { accepted: 0, refused: 0, unsupported: 0 };
  for (const { kind, name, file, line, findings, outcome } of report.resources) {
    if (outcome === 'unsupported')
      lines.push(`${file}:${line}: not applied: ${kind} ${name}: the kind is not supported yet`);
    lines.push(...findings.map(findingLine));
    counts[outcome === 'lastGood' ? 'refused' : outcome]++;
  }
  const unsupported = counts.unsupported === 0 ? '' : `, ${counts.unsupported} not supported yet`;
  const none = report.resources.length + report.faults.length === 0 ? ': no .yaml or .yml file has a resource' : '';
  lines.push(`${counts.accepted} valid, ${counts.refused} invalid${unsupported}${none}`);
  return `${lines.join('\n')}\n`;
}

/** `routes.yaml:12: error: spec.routes[0]: actual …, expected …`, as compilers do. */
export function findingLine({ level, file, line, path, message }: FindingStatus): string {
  return `${file}:${line}: ${LEVEL_WORDS[level]}: ${path === '' ? '' : `${path}: `}${message}`;
}

const LEVEL_WORDS: Readonly<Record<FindingStatus['level'], string>> = {
  error: 'error',
  warning: 'warning',
  notApplied: 'not applied',
  shadowed: 'shadowed',
};

function resourceLines(resource: ResourceStatus): string[] {
  const lines = [
    `${resource.kind} ${resource.namespace}/${resource.name} (${resource.file}:${resource.line}): ${stateOf(resource)}`,
  ];
  for (const finding of resource.findings) lines.push(`  ${findingLine(finding)}`);
  for (const { proxy, level, product, message } of resource.remarks) {
    lines.push(
      `  ${level === 'rejected' ? 'rejected by' : 'on'} ${proxy}: ${product === '' ? '' : `${product}: `}${message}`,
    );
  }
  return lines;
}

function stateOf({ outcome, proxies, appliedOn, liveAfterMs }: ResourceStatus): string {
  const took = liveAfterMs === null ? '' : `, ${liveAfterMs} ms after the save`;
  const where =
    proxies === 0
      ? 'no proxy uses it'
      : `applied on ${appliedOn} of ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}${took}`;
  switch (outcome) {
    case 'accepted':
      return where;
    case 'lastGood':
      return `INVALID, the last good version stays: ${where}`;
    case 'refused':
      return 'INVALID, not used: no version of it was valid since the control plane started';
    case 'unsupported':
      return 'the kind is not supported yet, not used';
  }
}

function proxyLines(proxy: ProxyStatus): string[] {
  const { total, acknowledged, live, rejected } = proxy.resources;
  const head = `proxy ${proxy.id} (${proxy.type}, namespace ${proxy.namespace}, from ${proxy.peer}, ${proxy.protocol})`;
  const lines = [`${head}: ${total} resources, ${acknowledged} accepted, ${live} live, ${rejected} rejected`];
  const width = Math.max(0, ...proxy.addresses.map((address) => bindText(address.bind).length));
  for (const address of proxy.addresses) {
    const target =
      address.direction === 'inbound'
        ? `inbound port ${address.port} ${address.host}`.trimEnd()
        : address.direction === 'gateway'
          ? address.host
          : `${address.host}:${address.port}`;
    lines.push(`  connect to ${bindText(address.bind).padEnd(width)} for ${target} (${address.protocol})`);
  }
  for (const text of proxy.unsendable) lines.push(`  cannot be sent: ${text}`);
  return lines;
}

function bindText({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
