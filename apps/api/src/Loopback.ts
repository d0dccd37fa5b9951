/** Which host names mean this machine and no other. */

/** Whether a host, as a URL or a setting names it, is loopback. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(host);
