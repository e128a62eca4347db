// What identity providers' tokens look like, as each documents its own: header, claims, how they are signed, and what is published beside
// the keys. The names are those of the settings in docs/guides/identity-providers.md.

import { secondsFromNow } from "./tokens.ts";

export type Provider = {
  /** Its heading in the guide. */
  name: string;
  algorithm: "RS256" | "ES256";
  header: object;
  /** What a token of this user says. */
  claims: (user: string) => Record<string, unknown>;
  /** What the user's uploads are called after. */
  owner: (user: string) => string;
  /** What is published. */
  keySet: (jwk: Record<string, unknown>) => object;
  /** Claims that make a good token one that is refused, and the setting that the refusal names. */
  refused: [Record<string, unknown>, RegExp][];
};

const onlyKeys = (jwk: Record<string, unknown>) => ({ keys: [jwk] });
const times = () => ({ iat: secondsFromNow(-5), exp: secondsFromNow(600) });

export const PROVIDERS: Provider[] = [
  {
    // https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
    name: "Auth0",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (user) => ({
      iss: "https://acme.eu.auth0.com/",
      sub: `auth0|${user}`,
      aud: ["https://upload.example.com", "https://acme.eu.auth0.com/userinfo"],
      ...times(),
      azp: "my_client_id",
      scope: "openid profile upload:files",
      permissions: ["upload:files"],
    }),
    owner: (user) => `auth0|${user}`,
    keySet: (jwk) => ({
      keys: [{ ...jwk, x5c: ["MIIC"], x5t: "RkI5MjI5OUY5ODc1N0Q4QzM0OUYzNkVGMTJDOUEzQkFCOTU3NjE2Rg" }],
    }),
    refused: [
      [{ scope: "openid profile" }, /scope.*TOKEN_RULES/],
      [{ scope: "openid upload:files2" }, /TOKEN_RULES/],
      [{ aud: "https://acme.eu.auth0.com/userinfo" }, /TOKEN_AUDIENCE/],
      [
        { "https://app.example.com/quayside": { maxSize: 1 } },
        /https:\/\/app.example.com\/quayside has an unknown field/,
      ],
    ],
  },
  {
    // https://clerk.com/docs/guides/sessions/session-tokens, version 2
    name: "Clerk",
    algorithm: "RS256",
    header: { cat: "cl_B7d4PD111AAA", typ: "JWT" },
    claims: (user) => ({
      azp: "https://app.example.com",
      ...times(),
      fva: [0, -1],
      iss: "https://clerk.example.com",
      jti: "a-v1",
      nbf: secondsFromNow(-15),
      o: { id: "org_2abc", rol: "admin", slg: "acme" },
      sid: "sess_2abc",
      sts: "active",
      sub: `user_${user}`,
      v: 2,
    }),
    owner: (user) => `user_${user}`,
    keySet: onlyKeys,
    refused: [
      [{ azp: "https://evil.example.com" }, /TOKEN_AUDIENCE/],
      [{ azp: undefined, aud: "https://app.example.com" }, /azp is missing.*AUDIENCE_CLAIM/],
    ],
  },
  {
    // https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
    name: "Firebase",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (user) => ({
      iss: "https://securetoken.google.com/acme-app",
      aud: "acme-app",
      auth_time: secondsFromNow(-100),
      user_id: user,
      sub: user,
      ...times(),
      email: `${user}@example.com`,
      email_verified: true,
      firebase: { identities: { email: [`${user}@example.com`] }, sign_in_provider: "password" },
    }),
    owner: (user) => user,
    keySet: onlyKeys,
    refused: [
      // Another project's token, by the same keys.
      [{ iss: "https://securetoken.google.com/evil-app", aud: "evil-app" }, /TOKEN_ISSUER/],
      [{ firebase: { identities: {}, sign_in_provider: "anonymous" } }, /firebase.sign_in_provider.*TOKEN_RULES/],
    ],
  },
  {
    // https://supabase.com/docs/guides/auth/jwt-fields
    name: "Supabase",
    algorithm: "ES256",
    header: { typ: "JWT" },
    claims: (user) => ({
      iss: "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
      sub: `${user}-4567-e89b-12d3-a456-426614174000`,
      aud: "authenticated",
      ...times(),
      email: `${user}@example.com`,
      phone: "",
      app_metadata: { provider: "email", providers: ["email"], quayside: { maxBytes: 100 } },
      user_metadata: { quayside: { delete: true } },
      role: "authenticated",
      aal: "aal1",
      amr: [{ method: "password", timestamp: secondsFromNow(-100) }],
      session_id: "b6a1d6c8-0000-4000-8000-000000000000",
      is_anonymous: false,
    }),
    owner: (user) => `${user}-4567-e89b-12d3-a456-426614174000`,
    keySet: (jwk) => ({ keys: [{ ...jwk, key_ops: ["verify"], ext: true }] }),
    refused: [
      [{ role: "anon", aud: "anon" }, /TOKEN_AUDIENCE/],
      [{ is_anonymous: true }, /is_anonymous.*TOKEN_RULES/],
      [{ role: "service_role" }, /role.*TOKEN_RULES/],
    ],
  },
  {
    // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
    name: "Amazon Cognito",
    algorithm: "RS256",
    header: {},
    claims: (user) => ({
      sub: `aaaaaaaa-${user}`,
      "cognito:groups": ["uploaders"],
      iss: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
      version: 2,
      client_id: "1example23456789",
      origin_jti: "aaaaaaaa",
      event_id: "bbbbbbbb",
      token_use: "access",
      scope: "openid aws.cognito.signin.user.admin",
      auth_time: secondsFromNow(-5),
      ...times(),
      jti: "cccccccc",
      username: user,
    }),
    owner: (user) => `aaaaaaaa-${user}`,
    keySet: onlyKeys,
    refused: [
      [{ client_id: "another" }, /TOKEN_AUDIENCE/],
      // An ID token.
      [{ client_id: undefined, aud: "1example23456789", token_use: "id" }, /client_id is missing.*AUDIENCE_CLAIM/],
      [{ token_use: "id" }, /token_use.*TOKEN_RULES/],
    ],
  },
  {
    // https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/application-token/
    name: "Cloudflare Access",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (user) => ({
      aud: ["32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"],
      email: `${user}@example.com`,
      ...times(),
      nbf: secondsFromNow(-5),
      iss: "https://acme.cloudflareaccess.com",
      type: "app",
      identity_nonce: "6ei69kawdKzMIAPF",
      sub: "7335d417-61da-459d-899c-0a01c76a2f94",
      country: "US",
    }),
    owner: (user) => `${user}@example.com`,
    keySet: (jwk) => ({ keys: [jwk], public_cert: { kid: jwk.kid, cert: "-----BEGIN" }, public_certs: [] }),
    refused: [
      [{ aud: ["another-application"] }, /TOKEN_AUDIENCE/],
      [{ iss: "https://evil.cloudflareaccess.com" }, /TOKEN_ISSUER/],
      [{ email: undefined }, /email is missing.*OWNER_CLAIM/],
    ],
  },
  {
    // https://docs.github.com/en/actions/reference/security/oidc
    name: "GitHub Actions",
    algorithm: "RS256",
    header: { typ: "JWT", x5t: "HyTrP-d6zFv0GP7" },
    claims: (user) => ({
      jti: "example-id",
      sub: "repo:octo-org/octo-repo:ref:refs/heads/main",
      aud: "https://upload.example.com",
      ref: "refs/heads/main",
      sha: "example-sha",
      repository: `octo-org/${user}`,
      repository_owner: "octo-org",
      actor_id: "12",
      repository_visibility: "private",
      repository_id: "74",
      repository_owner_id: "65",
      run_id: "1",
      event_name: "push",
      ref_type: "branch",
      job_workflow_ref: "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
      iss: "https://token.actions.githubusercontent.com",
      nbf: secondsFromNow(-600),
      ...times(),
    }),
    owner: (user) => `octo-org/${user}`,
    keySet: onlyKeys,
    refused: [
      [{ sub: "repo:octo-org/octo-repo:ref:refs/heads/evil" }, /sub.*TOKEN_RULES/],
      [{ sub: "repo:octo-org/octo-repo:pull_request" }, /TOKEN_RULES/],
      [{ sub: "repo:evil-org/octo-repo:ref:refs/heads/main" }, /TOKEN_RULES/],
      [{ aud: "https://github.com/octo-org" }, /TOKEN_AUDIENCE/],
    ],
  },
];
