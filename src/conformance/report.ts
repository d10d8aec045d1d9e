/** A conformance report as a list for people and as JUnit XML for machines. */
import type { ConformanceReport } from './run-conformance.ts';

export function reportText({ codec, version, seed, results, passed }: ConformanceReport): string {
  const marks = { passed: 'ok  ', failed: 'FAIL', 'not applicable': 'n/a ' } as const;
  const lines = results.map(({ name, title, verdict, reason }) => {
    const why = reason === '' ? '' : `\n       ${reason.replaceAll('\n', '\n       ')}`;
    return `${marks[verdict]} ${name}: ${title}${why}`;
  });
  const count = (wanted: string) => results.filter(({ verdict }) => verdict === wanted).length;
  const failed = count('failed');
  const verdict = passed ? 'conforms' : `does not conform: ${failed} of ${results.length} checks failed`;
  lines.push(
    `${codec} ${version} ${verdict} (${count('passed')} passed, ${count('not applicable')} not applicable, seed ${seed})`,
  );
  return `${lines.join('\n')}\n`;
}

export function reportJunit({ codec, results }: ConformanceReport): string {
  const cases = results.map(({ name, title, verdict, reason, ms }) => {
    const open = `  <testcase classname="${escapeXml(codec)}" name="${escapeXml(`${name}: ${title}`)}" time="${ms / 1_000}"`;
    if (verdict === 'passed') return `${open}/>`;
    const inside =
      verdict === 'failed' ? `<failure>${escapeXml(reason)}</failure>` : `<skipped message="${escapeXml(reason)}"/>`;
    return `${open}>${inside}</testcase>`;
  });
  const count = (wanted: string) => results.filter(({ verdict }) => verdict === wanted).length;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="${escapeXml(codec)}" tests="${results.length}" failures="${count('failed')}" skipped="${count('not applicable')}">
${cases.join('\n')}
</testsuite>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeXml(text: string): string {
  const whole = text.toWellFormed();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot carry them.
  const plain = whole.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?');
  return plain.replace(/[&<>"]/g, (found) => ENTITIES[found]!);
}
