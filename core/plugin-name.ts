/** What an executor plugin may be called: it is the engine type of its jobs, and names folders of the agent. */
export const PLUGIN_NAME = /^[a-z][a-z0-9-]{0,31}$/;
