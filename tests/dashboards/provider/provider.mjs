// A certified OpenID provider for the tests of signing in: node provider.mjs PORT CLIENT SECRET REDIRECT.
// Its own pages let in anybody under any name: only the tests talk to it, on loopback.
import Provider from "oidc-provider";

const [port, client, secret, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect], response_types: ["code"] }],
  claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"] },
  pkce: { required: () => true },
  async findAccount(_context, id) {
    return { accountId: id, claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.org`, email_verified: false }) };
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
