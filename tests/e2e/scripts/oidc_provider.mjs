// An OpenID provider (the package oidc-provider) that a test steers.
//
// Arguments: files with its certificate and its private key in PEM, and with the authority that
// signed the certificate. It reads one command in JSON per line, and answers each with one line; the
// first line says that it is ready and what its issuer is.
//
//   {"do": "idToken", "client": ID, "account": {CLAIMS}, "lifetime": SECONDS}
//       A browser's way through the authorization code flow; the account's claims are in the token.
//   {"do": "accessToken", "client": ID, "claims": {CLAIMS}}
//       A JWT access token by client credentials. Its claims are replaced by these, null removes one.
//   {"do": "publishKeys"}    New keys stand in the key set, and do not sign yet.
//   {"do": "signWithNewest"} They sign; the earlier ones stay in the key set.
//   {"do": "withdrawKeys"}   Only the keys that sign stay in the key set.
//   {"do": "answer", "how": "well" | "never" | "503" | "garbage" | "refuse"}
//       "refuse" closes the port, with all connections; everything else opens it again.
//   {"do": "distribute", "claims": "JWT"}
//       What the endpoint /distributed answers to who shows the access token "access-token-for-claims".
//   {"do": "counts"}         How often each path was asked for, by its first segment.

import { generateKeyPairSync, randomBytes, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, request as httpsRequest } from "node:https";
import { createInterface } from "node:readline";

// Standard output is for answers alone; the package's notices would stand between them.
console.info = console.warn = () => {};
const { Provider } = await import("oidc-provider");

const [certificate, key, authority] = process.argv.slice(2).map((file) => readFileSync(file));
const secret = "tell-nobody-client-secret";
const redirect = "https://client.invalid/callback";
const resource = "https://api.invalid/";
const clients = { kubernetes: "RS256", "kubernetes-es256": "ES256", "kubernetes-ps256": "PS256" };

const accounts = new Map();
const counts = {};
const generations = [newKeys()];
let lifetime = 600;
let overrides = {};
let distributed = "";
let how = "well";
let provider;

const server = createServer({ cert: certificate, key }, (incoming, outgoing) => {
  const path = incoming.url.split("?")[0];
  const segment = path.split("/")[1];
  counts[segment] = (counts[segment] ?? 0) + 1;
  if (how === "never") return;
  if (how === "503") {
    outgoing.writeHead(503).end("out of order");
  } else if (how === "garbage") {
    outgoing.end("<html>not what was asked for</html>");
  } else if (path === "/distributed") {
    const permitted = incoming.headers.authorization === "Bearer access-token-for-claims";
    outgoing.writeHead(permitted ? 200 : 401).end(permitted ? distributed : "");
  } else if (path.startsWith("/interaction/")) {
    interact(incoming, outgoing);
  } else {
    provider.callback()(incoming, outgoing);
  }
});
await listen(0);
const { port } = server.address();
const issuer = `https://127.0.0.1:${port}`;
configure();
say({ ready: true, issuer });

const commands = {
  idToken: async ({ client, account, lifetime: seconds }) => {
    lifetime = seconds ?? 600;
    accounts.set(account.sub, account);
    return { token: await idToken(client, account.sub) };
  },
  accessToken: async ({ client, claims }) => {
    overrides = claims;
    return { token: await accessToken(client) };
  },
  publishKeys: () => {
    generations.push(newKeys());
    configure();
  },
  signWithNewest: () => {
    generations.unshift(generations.pop());
    configure();
  },
  withdrawKeys: () => {
    generations.length = 1;
    configure();
  },
  answer: async (command) => {
    how = command.how;
    server.closeAllConnections();
    if (how === "refuse") {
      await new Promise((closed) => server.close(closed));
    } else if (!server.listening) {
      await listen(port);
    }
  },
  distribute: ({ claims }) => {
    distributed = claims;
  },
  counts: () => ({ counts }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    say({ ...(await commands[command.do](command)) });
  } catch (error) {
    say({ error: `${command.do}: ${error.stack}` });
  }
}
process.exit(0);

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function listen(port) {
  return new Promise((listening) => server.listen(port, "127.0.0.1", listening));
}

// One key for RS256 and PS256, and one for ES256.
function newKeys() {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return [rsa, ec].map(({ privateKey }) => privateKey.export({ format: "jwk" }));
}

// The provider with the keys there are now, as after a restart with another key file.
function configure() {
  provider = new Provider(issuer, {
    jwks: { keys: generations.flat() },
    clients: Object.entries(clients).map(([id, algorithm]) => ({
      client_id: id,
      client_secret: secret,
      redirect_uris: [redirect],
      grant_types: ["authorization_code", "client_credentials"],
      id_token_signed_response_alg: algorithm,
    })),
    cookies: { keys: [secret] },
    claims: {
      openid: ["sub", "email", "email_verified", "groups", "roles", "organization", "hd", "nbf"],
    },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => accounts.get(id) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: async (context) => {
      const grant = new provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope("openid");
      await grant.save();
      return grant;
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, name, client) => ({
          scope: "",
          audience: client.clientId,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: clients[client.clientId] } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (_, token, jwt) => {
          for (const [name, value] of Object.entries(overrides)) {
            if (value === null) delete jwt.payload[name];
            else jwt.payload[name] = value;
          }
        },
      },
    },
    ttl: {
      AccessToken: 600, ClientCredentials: 600, Grant: 600, Interaction: 600, Session: 600,
      IdToken: () => lifetime,
    },
  });
}

// Whoever asks is the account that its `login_hint` names.
async function interact(incoming, outgoing) {
  const { params } = await provider.interactionDetails(incoming, outgoing);
  const result = { login: { accountId: params.login_hint } };
  await provider.interactionFinished(incoming, outgoing, result);
}

// What a browser and a client do together to log in.
async function idToken(client, account) {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: client,
    response_type: "code",
    redirect_uri: redirect,
    scope: "openid",
    login_hint: account,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const cookies = new Map();
  let location = `${issuer}/auth?${query}`;
  while (!location.startsWith(redirect)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await ask("GET", location, { cookie });
    if (!answer.headers.location) throw new Error(`${location}: ${answer.status} ${answer.body}`);
    for (const line of answer.headers["set-cookie"] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    location = new URL(answer.headers.location, location).href;
  }
  const tokens = await tokenEndpoint(client, {
    grant_type: "authorization_code",
    code: new URL(location).searchParams.get("code"),
    redirect_uri: redirect,
    code_verifier: verifier,
  });
  return tokens.id_token;
}

async function accessToken(client) {
  const tokens = await tokenEndpoint(client, { grant_type: "client_credentials", resource });
  return tokens.access_token;
}

async function tokenEndpoint(client, parameters) {
  const headers = {
    authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString("base64")}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const body = new URLSearchParams(parameters).toString();
  const answer = await ask("POST", `${issuer}/token`, headers, body);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

function ask(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    // A connection for each, because commands close those that are open.
    const options = { method, headers, ca: authority, agent: false };
    const outgoing = httpsRequest(url, options, async (incoming) => {
      const text = (await incoming.toArray()).join("");
      resolve({ status: incoming.statusCode, headers: incoming.headers, body: text });
    });
    outgoing.on("error", reject).end(body);
  });
}
