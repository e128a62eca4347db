// The token that says who uploads, where the deployment asks for one: handed to the page behind `#token=` in its address,
// which no server sees, taken out of it at once, and kept for as long as the tab.

const KEY = "quayside:token";

/** Keeps a token that the address brings along. */
export function takeToken(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    sessionStorage.setItem(KEY, token);
    history.replaceState(null, "", location.pathname);
  }
}

/** For every request, in every protocol. */
export function authorization(): Record<string, string> {
  const token = sessionStorage.getItem(KEY);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}
