// Who asks. Put your own sign-in here: whatever this returns as `user` owns what is uploaded, and sees it.
//
// As it stands, each browser is a user of its own, known by a random cookie.

const COOKIE = "visitor";

export function whoIs(request) {
  const known = new RegExp(`(?:^|;\\s*)${COOKIE}=([0-9a-f-]{36})(?:;|$)`).exec(
    request.headers.get("cookie") ?? "",
  )?.[1];
  const user = known ?? crypto.randomUUID();
  const secure = request.url.startsWith("https:") ? "; Secure" : "";
  const cookie = `${COOKIE}=${user}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000${secure}`;
  return { user, headers: known === undefined ? { "set-cookie": cookie } : {} };
}
