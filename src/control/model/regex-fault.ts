/** regexFault: what is wrong with a regular expression in RE2's syntax; null: nothing. */
import { RE2JS } from 're2js';

export function regexFault(text: string): string | null {
  if (text === '') return 'it is empty';
  try {
    RE2JS.compile(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
