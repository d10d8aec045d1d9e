/** The example's own Dubbo, which shares no code with the codec: a second opinion on every byte. */
export * from '../../../examples/dubbo/frames.ts';
