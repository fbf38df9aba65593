import { startTestRedis } from '@floy/testing/redis';
import { needsRedis } from '@floy/testing/needs';
import { busContract } from './bus.contract.js';

const describeHere = await needsRedis();

busContract(
  'Redis',
  async () => {
    const redis = await startTestRedis();
    return {
      queueUrl: async () => redis.url,
      wipe: () => redis.flush(),
      stop: () => redis.stop(),
    };
  },
  describeHere,
);
