/** How a plugin of the tests answers a method; `normal` is what Docker's protocol asks for. */
export type PluginBehaviour =
  | { readonly kind: 'normal' }
  /** Answers rightly, this much later. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Takes the request and never says anything. */
  | { readonly kind: 'hung' }
  /** Status 200 with bytes that are no JSON. */
  | { readonly kind: 'garbage' }
  /** A valid JSON answer of about this many bytes. */
  | { readonly kind: 'huge'; readonly bytes: number }
  /** Status 200 and a body that never ends. */
  | { readonly kind: 'endless' }
  /** Status 200, half a body, then silence. */
  | { readonly kind: 'stalled' }
  /** Status 200, half a body, then the connection is reset. */
  | { readonly kind: 'truncated' }
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** The process kills itself: before the method had an effect, or after it and before the answer. */
  | { readonly kind: 'dies'; readonly when: 'before' | 'after' }
  /** The method has its effect, then this status and body are given. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: string }
  /** Status 200 with `{"Err": text}`; no effect. */
  | { readonly kind: 'err'; readonly text: string }
  /** The right answer with this Content-Type. */
  | { readonly kind: 'content-type'; readonly type: string }
  /** 404, as for an optional method that it does not have. */
  | { readonly kind: 'missing' }
  /** 302 to this place. */
  | { readonly kind: 'redirect'; readonly location: string }
  /** Every volume of the answer claims this mountpoint: `/`, `../x`, `relative`… */
  | { readonly kind: 'mountpoint'; readonly path: string }
  /** Status 200 with exactly this JSON value; no effect. */
  | { readonly kind: 'answer'; readonly value: unknown };

/** One request as the plugin got it. */
export interface RecordedCall {
  /** `VolumeDriver.Mount`. */
  readonly method: string;
  readonly httpMethod: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Exact bytes of the body, as text. */
  readonly body: string;
}

/** What the process of a plugin is told when it starts. */
export interface PluginProcessConfig {
  /** Its state and the volumes' content; survives a restart. */
  readonly dir: string;
  readonly name: string;
  readonly listen: PluginListen;
  readonly implements: readonly string[];
  readonly scope: string;
}

export type PluginListen =
  | { readonly socket: string }
  | {
      readonly port: number;
      readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
    };

export type PluginControl =
  | {
      readonly id: number;
      readonly do: 'behave';
      readonly method: string;
      readonly behaviour: PluginBehaviour;
      readonly times: number;
    }
  | { readonly id: number; readonly do: 'implement'; readonly types: readonly string[] }
  | { readonly id: number; readonly do: 'calls' }
  | { readonly id: number; readonly do: 'forget-calls' };
