export * from './errors.js';
export * from './release-settings.js';
