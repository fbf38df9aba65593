import type { TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { busContract } from './bus.contract.js';

const describeHere = await needsPostgres();
let database: TestDatabase;

busContract(
  "BullMQ's PostgreSQL backend",
  async () => ({
    async queueUrl(own) {
      database = own;
      return own.url;
    },
    async wipe() {
      await database.query('DELETE FROM bullmq.job');
    },
    stop: async () => undefined,
  }),
  describeHere,
);
