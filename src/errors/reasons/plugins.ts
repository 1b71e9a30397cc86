import { defineReasons } from './define.js';

export const PLUGIN_REASONS = defineReasons({
  PLUGIN_BAD_DEFINITION: {
    code: 'FAILED_PRECONDITION',
    remedy: 'correct the file that details.path names, or remove it',
  },
  PLUGIN_UNTRUSTED: {
    code: 'PERMISSION_DENIED',
    remedy:
      'a plugin gets the secrets of volumes: details.path must belong to root or this user and no other may write there; change that, or name the owner in trustedUids',
  },
  PLUGIN_UNREACHABLE: {
    code: 'UNAVAILABLE',
    remedy: 'see that the plugin runs and listens where its definition says, then call again',
  },
  PLUGIN_TLS_FAILED: {
    code: 'PERMISSION_DENIED',
    remedy: 'correct the TLSConfig of the definition (CAFile, CertFile, KeyFile) or the certificate of the plugin',
  },
  PLUGIN_TIMEOUT: {
    code: 'DEADLINE_EXCEEDED',
    remedy: 'look into the log of the plugin, it may still be at work; or raise the time limit of the call',
  },
  PLUGIN_CALL_FAILED: {
    code: 'INTERNAL',
    remedy: 'see details.status and details.answer for what the plugin said, and its own log',
  },
  PLUGIN_BAD_ANSWER: {
    code: 'INTERNAL',
    remedy: 'the plugin does not follow the protocol; look into its log or use another version of it',
  },
  PLUGIN_LACKS_CAPABILITY: {
    code: 'NOT_IMPLEMENTED',
    remedy: 'the plugin was changed since it was found; details.implements lists what it offers now',
  },
});
