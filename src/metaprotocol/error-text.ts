/** The words of a thrown value, for log lines and details. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
