/** ControlMetrics: the control plane's own numbers in Prometheus' text form. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { StatusReport } from './status/status-report.ts';

export class ControlMetrics {
  readonly #registry = new Registry();
  readonly #translations = new Counter({
    name: 'meltemi_control_translations_total',
    help: 'Configurations translated',
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'meltemi_control_translation_seconds',
    help: 'Time to translate the whole configuration',
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2],
    registers: [this.#registry],
  });
  readonly #resources = new Gauge({
    name: 'meltemi_control_resources',
    help: 'Resources by kind and outcome',
    labelNames: ['kind', 'outcome'],
    registers: [this.#registry],
  });
  readonly #faults = new Gauge({
    name: 'meltemi_control_file_faults',
    help: 'Faults of files that belong to no resource',
    registers: [this.#registry],
  });
  readonly #proxies = new Gauge({
    name: 'meltemi_control_proxies',
    help: 'Connected proxies',
    registers: [this.#registry],
  });
  readonly #rejected = new Gauge({
    name: 'meltemi_control_rejected_resources',
    help: 'xDS resources that a proxy rejects',
    labelNames: ['proxy'],
    registers: [this.#registry],
  });

  timeTranslation<T>(translate: () => T): T {
    this.#translations.inc();
    const end = this.#seconds.startTimer();
    try {
      return translate();
    } finally {
      end();
    }
  }

  async text(status: StatusReport): Promise<string> {
    this.#resources.reset();
    for (const { kind, outcome } of status.resources) this.#resources.inc({ kind, outcome });
    this.#faults.set(status.faults.length);
    this.#proxies.set(status.proxies.length);
    this.#rejected.reset();
    for (const proxy of status.proxies) this.#rejected.set({ proxy: proxy.id }, proxy.resources.rejected);
    return this.#registry.metrics();
  }
}
