// What programs do with objects, through the official Node client.

import assert from "node:assert/strict";
import * as k8s from "@kubernetes/client-node";

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const namespace = "work";

// The status code with which a call is refused.
async function refused(promise) {
  const error = await promise.then(
    () => assert.fail("the call was to be refused"),
    (error) => error,
  );
  return error.code;
}

// Create, read, change, delete.
await core.createNamespace({ body: { metadata: { name: namespace } } });
const paint = { metadata: { name: "paint" }, data: { color: "red" } };
const created = await core.createNamespacedConfigMap({ namespace, body: paint });
assert.ok(created.metadata.uid && created.metadata.resourceVersion);
assert.ok(created.metadata.creationTimestamp instanceof Date);
assert.equal(await refused(core.createNamespacedConfigMap({ namespace, body: paint })), 409);
const merge = k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.MergePatch);
const patched = await core.patchNamespacedConfigMap(
  { name: "paint", namespace, body: { data: { gloss: "high" } } },
  merge,
);
assert.deepEqual(patched.data, { color: "red", gloss: "high" });
const stale = core.replaceNamespacedConfigMap({ name: "paint", namespace, body: created });
assert.equal(await refused(stale), 409);
patched.data = { color: "blue" };
const replaced = await core.replaceNamespacedConfigMap({ name: "paint", namespace, body: patched });
assert.deepEqual(replaced.data, { color: "blue" });
assert.equal((await core.deleteNamespacedConfigMap({ name: "paint", namespace })).status, "Success");
assert.equal(await refused(core.readNamespacedConfigMap({ name: "paint", namespace })), 404);

// Lists in pages.
for (const number of [0, 1, 2, 3, 4]) {
  const body = { metadata: { name: `page-${number}`, labels: { app: "book" } } };
  await core.createNamespacedConfigMap({ namespace, body });
}
const names = [];
let pages = 0;
let _continue;
do {
  const page = await core.listNamespacedConfigMap({
    namespace,
    labelSelector: "app=book",
    limit: 2,
    _continue,
  });
  names.push(...page.items.map((item) => item.metadata.name));
  pages += 1;
  _continue = page.metadata._continue;
} while (_continue);
assert.deepEqual(names, ["page-0", "page-1", "page-2", "page-3", "page-4"]);
assert.equal(pages, 3);

// Tokens, and what reviewers say of them.
await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: "robot" } } });
const issued = await core.createNamespacedServiceAccountToken({
  name: "robot",
  namespace,
  body: { spec: { audiences: ["vault"], expirationSeconds: 600 } },
});
const review = await config.makeApiClient(k8s.AuthenticationV1Api).createTokenReview({
  body: { spec: { token: issued.status.token, audiences: ["vault"] } },
});
assert.equal(review.status.authenticated, true);
assert.equal(review.status.user.username, "system:serviceaccount:work:robot");

// The generic client learns the types from the server, and applies.
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const applied = await objects.patch(
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "applied", namespace },
    data: { color: "green" },
  },
  undefined,
  undefined,
  "node",
  undefined,
  k8s.PatchStrategy.ServerSideApply,
);
assert.equal(applied.data.color, "green");
assert.equal(applied.metadata.managedFields[0].manager, "node");

console.log("done");
