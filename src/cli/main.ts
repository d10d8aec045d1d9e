#!/usr/bin/env node
/** What a shell starts. Imports nothing that an old Node cannot load before it has said which one is needed. */
import { neededNode } from './product-version.ts';

const needed = neededNode(process.versions.node);
if (needed === null) {
  const { meltemi } = await import('./meltemi.ts');
  await meltemi();
} else {
  process.stderr.write(`meltemi: this is Node ${process.versions.node}, expected ${needed}\n`);
  process.exitCode = 1;
}
