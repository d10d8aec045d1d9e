/** rewritePath: a request's `:path` after a rewrite, or a redirect's, which may have a fragment. The query is kept unless the new path has one of its own. */
import type { PathRewrite } from './http-route-options.ts';

export function rewritePath(path: string, rewrite: PathRewrite): string {
  const mark = path.indexOf('?');
  const plain = mark < 0 ? path : path.slice(0, mark);
  const query = mark < 0 ? '' : path.slice(mark);
  const rewritten = change(plain, rewrite);
  const whole = rewritten.startsWith('/') ? rewritten : `/${rewritten}`;
  if (query === '' || whole.includes('?')) return whole;
  const fragment = whole.indexOf('#');
  return fragment < 0 ? whole + query : whole.slice(0, fragment) + query + whole.slice(fragment);
}

function change(path: string, rewrite: PathRewrite): string {
  switch (rewrite.kind) {
    case 'whole':
      return rewrite.to;
    case 'prefix':
      return rewrite.to + path.slice(rewrite.prefix.length);
    case 'regex':
      return rewrite.regex.matcher(path).replaceAll(rewrite.to, true);
  }
}
