/** TLS settings of a definition; files are read at each connection, so renewed certificates are used. */
export interface TlsSettings {
  readonly verify: boolean;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Only `caFile` counts, not the certificate authorities that Node brings. */
  readonly exclusiveRoots: boolean;
}

/** Where a plugin listens. */
export type PluginAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsSettings };

/** A plugin as its socket or definition file says. */
export interface PluginDefinition {
  readonly name: string;
  /** The `.sock`, `.spec` or `.json` file. */
  readonly path: string;
  readonly address: PluginAddress;
  /** Changes when the definition is replaced or its unix socket is made anew, as a restart does. */
  readonly stamp: string;
}
