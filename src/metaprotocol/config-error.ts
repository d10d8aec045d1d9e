/** ConfigError: configuration that cannot be used, always as the list of all its faults. */

export interface ConfigIssue {
  /** Where inside the thing that was configured: `routes[2].match.regex`. '' = the whole. */
  readonly path: string;
  /** Actual and expected value, in words. */
  readonly message: string;
}

export class ConfigError extends Error {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super(issues.map((issue) => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)).join('; '));
    this.name = 'ConfigError';
    this.issues = issues;
  }
}
