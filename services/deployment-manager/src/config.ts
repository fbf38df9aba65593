import { coreSettings } from '@floy/service-kit/settings';
import { Type } from 'typebox';

export const settings = Type.Object(coreSettings);
export const env = process.env;
