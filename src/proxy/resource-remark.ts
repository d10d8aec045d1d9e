/** What is to be said of one resource: why its newest version was refused, or what of it has no effect. */
export interface ResourceRemark {
  readonly typeUrl: string;
  readonly name: string;
  readonly message: string;
}
