import { routesOf } from '@floy/service-kit/http-route';
import type { Scope } from '../scope.js';

/** Makes one row of the gateway's table. */
export const route = routesOf<Scope>();
