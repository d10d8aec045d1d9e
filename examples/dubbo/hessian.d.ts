/** The part of npm's hessian.js that is used here; it comes without types. */
declare module 'hessian.js' {
  export class EncoderV2 {
    write(value: unknown): this;
    writeString(value: string | null): this;
    writeInt(value: number): this;
    get(): Buffer;
  }
  export class DecoderV2 {
    constructor(bytes: Buffer);
    read(): unknown;
    position(): number;
  }
}
