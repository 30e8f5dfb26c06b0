/** The names of WASI preview 1 and what an implementation of one looks like. */
export const WASI_MODULE = 'wasi_snapshot_preview1';

export const WASI_CALLS = [
  'args_get',
  'args_sizes_get',
  'clock_res_get',
  'clock_time_get',
  'environ_get',
  'environ_sizes_get',
  'fd_advise',
  'fd_allocate',
  'fd_close',
  'fd_datasync',
  'fd_fdstat_get',
  'fd_fdstat_set_flags',
  'fd_fdstat_set_rights',
  'fd_filestat_get',
  'fd_filestat_set_size',
  'fd_filestat_set_times',
  'fd_pread',
  'fd_prestat_dir_name',
  'fd_prestat_get',
  'fd_pwrite',
  'fd_read',
  'fd_readdir',
  'fd_renumber',
  'fd_seek',
  'fd_sync',
  'fd_tell',
  'fd_write',
  'path_create_directory',
  'path_filestat_get',
  'path_filestat_set_times',
  'path_link',
  'path_open',
  'path_readlink',
  'path_remove_directory',
  'path_rename',
  'path_symlink',
  'path_unlink_file',
  'poll_oneoff',
  'proc_exit',
  'proc_raise',
  'random_get',
  'sched_yield',
  'sock_accept',
  'sock_recv',
  'sock_send',
  'sock_shutdown',
] as const;

export type WasiCallName = (typeof WASI_CALLS)[number];

/**
 * i32 arrive as (signed) numbers, i64 as bigints; nothing returned is errno 0. The guest declares the signature of its
 * imports itself, so that a value may also be of the wrong kind: that must end in an errno or a trap, nothing else.
 */
export type WasiCall = (...args: never[]) => number | undefined | void;
export type WasiCalls<Name extends WasiCallName> = Readonly<Record<Name, WasiCall>>;
