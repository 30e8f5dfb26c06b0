/** The API is Bacalhau's of v1.9; its clients read this form. */
export const API_VERSION = 'v1.9.0';

export const VERSION_SHAPE = {
  Major: '1',
  Minor: '9',
  GitVersion: API_VERSION,
  GitCommit: 'limpet',
  BuildDate: '2026-01-01T00:00:00Z',
  GOOS: 'linux',
  GOARCH: process.arch === 'x64' ? 'amd64' : process.arch,
} as const;
