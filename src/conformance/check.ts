/** Check: one thing that every codec must do. */
import type { Subject } from './subject.ts';

export interface Check {
  /** Stable name: `split-points`. */
  readonly name: string;
  /** What is promised if it passes. */
  readonly title: string;
  /**
   * Why it does not apply to this codec; null: it does. Only what a capability gates may say so, and then `run` is replaced by
   * `negative`: a codec that says it cannot must not do it half.
   */
  readonly gate?: (subject: Subject) => string | null;
  readonly negative?: (subject: Subject) => void;
  readonly run: (subject: Subject) => void;
}
