import { Type, type Static } from 'typebox';
import { Answer, Words } from '../schema-words.js';

/** `DEPLOYMENT_FAILED` and `TASK_FAILED` stand in task results and events, never in an HTTP error. */
export const ErrorCode = Words([
  'INVALID_REQUEST',
  'RESOURCE_NOT_FOUND',
  'RESOURCE_CONFLICT',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'SERVICE_UNAVAILABLE',
  'INTERNAL_ERROR',
  'DEPLOYMENT_FAILED',
  'TASK_FAILED',
]);
export type ErrorCode = Static<typeof ErrorCode>;

/** `details` maps a field path to the reason it was refused. */
export const ErrorDetail = Answer('ErrorDetail', {
  code: ErrorCode,
  message: Type.String(),
  details: Type.Record(Type.String(), Type.Unknown()),
  request_id: Type.String(),
});
export type ErrorDetail = Static<typeof ErrorDetail>;

export const ErrorResponse = Answer('ErrorResponse', { error: ErrorDetail });
export type ErrorResponse = Static<typeof ErrorResponse>;
