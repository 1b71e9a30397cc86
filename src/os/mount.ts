/** A mount as plain data: what a snapshotter returns and `mountAll` performs. Options are mount(8) words. @public */
export interface Mount {
  readonly type: string;
  readonly source: string;
  /** mount(8) words: `ro`, `nosuid`, `lowerdir=…`; never joined with foreign text unescaped. */
  readonly options: readonly string[];
}
