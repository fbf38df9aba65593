import { coreSettings, settings as all } from '@floy/service-kit/settings';
import { Type, type Static } from 'typebox';

/** What the gateway itself needs, also inside `standalone`. */
export const gatewaySettings = {
  FLOY_HOST: all.FLOY_HOST,
  FLOY_PORT: all.FLOY_PORT,
  FLOY_ADMIN_TOKEN: Type.Optional(all.FLOY_ADMIN_TOKEN),
  /** Without it artifacts cannot be downloaded. */
  FLOY_ARTIFACTS: Type.Optional(all.FLOY_ARTIFACTS),
};

/** Everything that the gateway reads as a process of its own. */
export const settings = Type.Object({ ...coreSettings, ...gatewaySettings });
export const env = process.env;

const gatewaySchema = Type.Object(gatewaySettings);
/** See {@link gatewaySettings}. */
export type GatewayConfig = Static<typeof gatewaySchema>;
