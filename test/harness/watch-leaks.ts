/** watchLeaks: a test that passed fails after all if its mesh has something left. */
import { onTestFinished } from 'vitest';

export function watchLeaks<M extends { expectNoLeaks(): void }>(mesh: M): M {
  onTestFinished(({ task }) => {
    if (task.result?.state !== 'fail') mesh.expectNoLeaks();
  });
  return mesh;
}
