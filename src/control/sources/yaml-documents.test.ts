import { describe, expect, it } from 'vitest';
import { type FileContent, readYamlDocuments } from './yaml-documents.ts';

function read(text: string): FileContent {
  return readYamlDocuments('f.yaml', text, 0);
}

function faults(text: string): string[] {
  const content = read(text);
  const all = [
    ...content.faults,
    ...content.documents.flatMap((document) => [...document.faults, ...document.textFaults()]),
  ];
  return all.map(({ place, path, message }) => `${place.line} ${path}: ${message}`);
}

const HEAD = 'apiVersion: v1\nkind: Thing\nmetadata: { name: a }\n';

describe('readYamlDocuments', () => {
  it('reads every document with its identity and line', () => {
    const { documents } = read(
      `# licence\n---\n${HEAD}---\n${HEAD.replace('name: a', 'name: b, namespace: n')}---\n# end\n`,
    );
    expect(documents.map(({ name, namespace, place }) => [name, namespace, place.line])).toEqual([
      ['a', 'default', 3],
      ['b', 'n', 7],
    ]);
  });

  it('finds the line of a field, or of its nearest parent', () => {
    const [document] = read(`${HEAD}spec:\n  list:\n    - x: 1\n    - y: 2\n`).documents;
    expect(document!.placeOf(['spec', 'list', 1, 'y']).line).toBe(7);
    expect(document!.placeOf(['spec', 'list', 1, 'z', 'deeper']).line).toBe(7);
    expect(document!.placeOf(['spec', 'other']).line).toBe(4);
  });

  it('takes a List apart', () => {
    const text =
      'apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Thing\n    metadata: { name: a }\n    spec: { x: 1 }\n';
    const [document] = read(text).documents;
    expect([document!.name, document!.place.line, document!.placeOf(['spec']).line]).toEqual(['a', 4, 7]);
  });

  it('names duplicate keys with their lines and still knows the resource', () => {
    expect(faults(`${HEAD}spec:\n  x: 1\n  x: 2\n`)).toEqual([
      '6 : YAML: the key x stands twice in one mapping, expected once',
    ]);
    expect(read(`${HEAD}spec:\n  x: 1\n  x: 2\n`).documents).toHaveLength(1);
  });

  it('names placeholders that nobody replaced', () => {
    const [found] = faults(HEAD.concat('spec:\n  host: a.$', '{DOMAIN}\n'));
    expect(found).toContain('5 spec.host: actual the placeholder $');
  });

  it.each([
    ['text', '1 : actual "text", expected a resource with apiVersion and kind'],
    ['- a', '1 : actual a list ["a"], expected a resource with apiVersion and kind'],
    ['domain: x', '1 : actual an object without apiVersion and kind, expected a resource'],
    ['kind: Thing\nmetadata: {}', '1 apiVersion: actual nothing, expected a text that is not empty'],
    ['a: [1', '1 : YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    [
      'apiVersion: v1\nkind: T\nmetadata: {name: a, __proto__: 1}',
      '3 metadata.__proto__: actual the key __proto__, expected a field name',
    ],
  ])('refuses %j', (text, expected) => {
    expect(faults(text)).toContain(expected);
  });

  it('refuses text that is no Unicode, which no resource could carry', () => {
    expect(faults(HEAD.concat('spec: { host: "a\\ud800", "\\udc00": x }\n'))).toEqual([
      '4 spec.host: actual "a\\ud800", expected Unicode: there is half of a surrogate pair',
      '4 spec: actual the key "\\udc00", expected Unicode: there is half of a surrogate pair',
    ]);
  });

  it('survives what is made to break parsers', () => {
    const bomb = `a: &a [x]\n${Array.from(
      { length: 12 },
      (_, n) =>
        `b${n}: &b${n} [${Array(9)
          .fill(n === 0 ? '*a' : `*b${n - 1}`)
          .join(',')}]`,
    ).join('\n')}`;
    expect(faults(bomb).join()).toContain('alias');
    expect(faults('kind: Secret\nspec:\n  a: &a 1\n  b: *a\n  c: *b\n')).toEqual([
      '5 : YAML: Unresolved alias (the anchor must be set before the alias): b',
    ]);
    expect(faults('['.repeat(20_000)).length).toBeGreaterThan(0);
    expect(faults('\0\u0001{{{ \ufffd')).not.toEqual([]);
  });
});
