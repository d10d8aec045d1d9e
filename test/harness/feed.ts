/** Lives in the conformance kit, which codec authors use too. */
export * from '../../src/conformance/feed.ts';
