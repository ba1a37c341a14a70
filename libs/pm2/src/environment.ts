/** Variables of the caller that pm2's daemon may see; everything else of a person's shell stays out of it. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/** Settings of one app, e.g. `BOWLINE_WS_GATEWAY__LINK__HEARTBEAT_MS`; the ecosystem file hands each to its app only. */
const APP_SETTING = /^BOWLINE_[A-Z0-9_]+?__/;

/**
 * The environment in which pm2 is called. The first call starts the daemon, which keeps it for its whole life.
 *
 * @param own variables of ours, e.g. those that deploy/ecosystem.config.cjs reads.
 */
export function callerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const inherited = Object.entries(env).filter(
    ([name]) => INHERITED.includes(name) || APP_SETTING.test(name),
  );
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    // pm2 asks a server of its maker for news and starts a cloud agent if one was ever set up: neither here.
    PM2_DISABLE_VERSION_CHECK: 'true',
    PM2_NO_INTERACTION: 'true',
    // How many apps it starts at a time; the five do not wait for each other.
    PM2_CONCURRENT_ACTIONS: '8',
    ...own,
  };
}
