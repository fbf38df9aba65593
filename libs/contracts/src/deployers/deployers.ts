import type { Deployers } from './deployer.js';
import { physicalDeployer } from './physical/physical-deployer.js';

/** Every deployer of Floy. Services are given this table and look up in it; none names a type. */
export const deployers: Deployers = {
  physical: physicalDeployer,
};
