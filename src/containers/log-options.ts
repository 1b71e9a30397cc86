/** Which part of a container's output. @public */
export interface LogOptions {
  /** Go on with new output until the container ends. @defaultValue false */
  readonly follow?: boolean;
  /** Only the last n lines of what is there. */
  readonly tail?: number;
  readonly since?: Date;
  readonly until?: Date;
  /** @defaultValue true */
  readonly stdout?: boolean;
  /** @defaultValue true */
  readonly stderr?: boolean;
  readonly signal?: AbortSignal;
}
