// Prints `passed failed` of a vitest JSON report. Skipped tests count as failed: what CI does not run, it does not prove.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const skipped = report.numPendingTests + report.numTodoTests;
if (skipped > 0) console.error(`${skipped} tests were skipped, which counts as failed here`);
// A file that could not be loaded has no tests of its own, and yet it failed.
const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
for (const file of brokenFiles) console.error(`${file.name}: ${file.message}`);
console.log(`${report.numPassedTests} ${report.numFailedTests + skipped + brokenFiles.length}`);
