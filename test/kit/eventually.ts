/** The one wait of all tests is that of the kit for authors of plugins. */
export { eventually } from '../../plugins/sdk/testing/eventually.ts';
