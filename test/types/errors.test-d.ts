import { EngineError, type ErrorCode } from 'caisson';

declare const caught: unknown;

if (EngineError.is(caught, 'NOT_FOUND')) {
  const code: ErrorCode = caught.code;
  const reason: string = caught.reason;
  void [code, reason];
  // @ts-expect-error: an error is not changed after it was made
  caught.code = 'CONFLICT';
}

// @ts-expect-error: codes are a closed set
EngineError.is(caught, 'NO_SUCH_CODE');
