import { defineReasons } from './define.js';

export const REGISTRY_REASONS = defineReasons({
  REGISTRY_UNREACHABLE: {
    code: 'UNAVAILABLE',
    remedy: 'see that the registry runs and that this host (or its proxy) reaches it, then call again',
  },
  REGISTRY_TLS_FAILED: {
    code: 'PERMISSION_DENIED',
    remedy:
      'put the authority of the registry into /etc/docker/certs.d/<host>/ca.crt, or list the host in insecureRegistries',
  },
  REGISTRY_TIMEOUT: {
    code: 'DEADLINE_EXCEEDED',
    remedy: 'call again, or raise the time limit of the registry client that details.limit names',
  },
  REGISTRY_PROXY_FAILED: {
    code: 'UNAVAILABLE',
    remedy: 'correct HTTP_PROXY, HTTPS_PROXY or NO_PROXY, or the proxy option',
  },
  REGISTRY_UNAUTHENTICATED: {
    code: 'UNAUTHENTICATED',
    remedy: 'log in to the registry or pass auth; a private repository looks the same as one that does not exist',
  },
  REGISTRY_DENIED: {
    code: 'PERMISSION_DENIED',
    remedy: 'use an account of the registry that may do this; see details.answer for what it said',
  },
  REGISTRY_RATE_LIMITED: {
    code: 'UNAVAILABLE',
    remedy: 'wait (details.retryAfterMs where the registry said how long), log in, or use a mirror',
  },
  REGISTRY_FAILED: { code: 'UNAVAILABLE', remedy: 'call again later; see details.status and details.answer' },
  REGISTRY_REFUSED: {
    code: 'FAILED_PRECONDITION',
    remedy: 'see details.status and details.answer for what the registry objects to',
  },
  REGISTRY_NOT_FOUND: {
    code: 'NOT_FOUND',
    remedy: 'check the name; the registry has no such thing, or hides it from this account',
  },
  REGISTRY_UNSUPPORTED: {
    code: 'NOT_IMPLEMENTED',
    remedy: 'the registry does not offer this, or it is switched off there',
  },
  REGISTRY_BAD_ANSWER: {
    code: 'INTERNAL',
    remedy: 'what answers does not follow the registry protocol; check the name, or proxies in between',
  },
  REGISTRY_BAD_REDIRECT: {
    code: 'PERMISSION_DENIED',
    remedy: 'the registry sends us to a place that is never followed; do not use it, or list the target if it is yours',
  },
  REGISTRY_ADDRESS_REFUSED: {
    code: 'PERMISSION_DENIED',
    remedy: 'the name leads to an address that registries have no business with; allowAddress may permit it',
  },
  REGISTRY_UNTRUSTED_REALM: {
    code: 'PERMISSION_DENIED',
    remedy:
      'credentials go to the registry itself only; add the host of its token server to tokenServers if it is right',
  },
  REGISTRY_BLOB_CHANGED: { code: 'ABORTED', remedy: 'drop what was read of the blob and get it again' },
  REGISTRY_UPLOAD_FAILED: { code: 'ABORTED', remedy: 'push again; the registry lost what was uploaded' },
  BAD_REGISTRY_CERTIFICATES: {
    code: 'FAILED_PRECONDITION',
    remedy: 'correct the files that details.path names: *.crt are authorities, *.cert with *.key our certificate',
  },
  BAD_CREDENTIALS_FILE: {
    code: 'FAILED_PRECONDITION',
    remedy: 'correct what details.source names, or log in again to write it anew',
  },
  CREDENTIAL_HELPER_FAILED: {
    code: 'FAILED_PRECONDITION',
    remedy: 'run the credential helper by hand to see what it lacks, or pass auth',
  },
});
